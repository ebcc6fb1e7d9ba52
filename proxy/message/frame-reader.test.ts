import fc from 'fast-check'
import t from 'tap'
import { frame } from '#test/fixtures/websocket.js'
import { FrameReader } from './frame-reader.js'

const bytes = (text: string) => Buffer.from(text, 'latin1')

void t.test('frames pass as they are, however they are cut', (t) => {
  const one = fc.record({
    text: fc.string({ maxLength: 300, unit: 'binary-ascii' }),
    kind: fc.constantFrom(0x81, 0x82, 0x89, 0x8a),
  })
  fc.assert(
    fc.property(
      fc.array(one, { maxLength: 8 }),
      fc.boolean(),
      fc.array(fc.nat(40), { minLength: 1 }),
      (list, masked, cuts) => {
        const all = bytes(
          list
            .map(({ text, kind }) => frame(kind > 0x88 ? text.slice(0, 125) : text, { first: kind, masked }))
            .join(''),
        )
        const reader = new FrameReader(masked ? 'client' : 'server')
        const out: Buffer[] = []
        for (let at = 0, turn = 0; at < all.length; turn += 1) {
          const size = (cuts[turn % cuts.length] ?? 0) + 1
          const read = reader.push(all.subarray(at, at + size))
          if (read === null) return false
          out.push(read)
          at += size
        }
        return Buffer.concat(out).equals(all)
      },
    ),
    { numRuns: 3_000 },
  )
  t.end()
})

void t.test('nothing passes that is not a frame of this side, byte by byte', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', minLength: 2, maxLength: 60 }), (text) => {
      const reader = new FrameReader('client')
      // No text of ASCII has the mask bit in its second byte.
      let passed = 0
      for (const byte of bytes(text)) passed += reader.push(Buffer.from([byte]))?.length ?? 0
      return passed === 0
    }),
  )
  t.equal(new FrameReader('client').push(bytes('GET / HTTP/1.1\r\n')), null)
  t.equal(new FrameReader('server').push(bytes('HTTP/1.1 200 OK\r\n')), null)
  t.end()
})

void t.test('what follows a close frame is dropped', (t) => {
  const reader = new FrameReader('server')
  const close = frame('\x03\xe8bye', { first: 0x88 })
  t.strictSame(reader.push(bytes(close + frame('more'))), bytes(close))
  t.ok(reader.closed)
  t.strictSame(reader.push(bytes('anything')), Buffer.alloc(0))
  t.end()
})
