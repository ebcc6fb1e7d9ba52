import t from 'tap'
import { query, words } from '../fixtures.js'
import { frame, FrameReader } from './tcp-frames.js'
import { MAX_QUERY, MIN_QUERY } from '../wire.js'

void t.test('messages are complete, however the stream is split', (t) => {
  const first = query('api.github.com')
  const second = query('a.b')
  const stream = Buffer.concat([frame(first), frame(second)])
  for (let size = 1; size <= stream.length; size++) {
    const reader = new FrameReader()
    const out: unknown[] = []
    for (let at = 0; at < stream.length; at += size) {
      reader.push(stream.subarray(at, at + size))
      for (let message = reader.next(); message !== null; message = reader.next()) out.push(message)
    }
    t.strictSame(out, [first, second], `${size} bytes at a time`)
  }
  t.end()
})

void t.test('an impossible length is rejected before its bytes arrive', (t) => {
  for (const length of [0, 1, MIN_QUERY - 1, MAX_QUERY + 1, 65_535]) {
    const reader = new FrameReader()
    reader.push(words(length))
    t.equal(reader.next(), 'invalid', String(length))
  }
  for (const length of [MIN_QUERY, MAX_QUERY]) {
    const reader = new FrameReader()
    reader.push(words(length))
    t.equal(reader.next(), null, String(length))
  }
  t.end()
})
