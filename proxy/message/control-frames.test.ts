import { EventEmitter } from 'node:events'
import type { Http2Session } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { limitControlFrames } from './control-frames.js'

void t.test('a hundred control frames in a second are a flood', async (t) => {
  const session = new EventEmitter()
  let floods = 0
  limitControlFrames(session as unknown as Http2Session, () => (floods += 1))
  const send = (count: number) => {
    for (let i = 0; i < count; i += 1) session.emit(i % 2 === 0 ? 'ping' : 'remoteSettings')
  }
  send(99)
  t.equal(floods, 0)
  send(1)
  t.equal(floods, 1)
  send(200)
  t.equal(floods, 1, 'told once')
  await sleep(1_500)
  send(99)
  t.equal(floods, 1, 'another second begins anew')
  send(1)
  t.equal(floods, 2)
})
