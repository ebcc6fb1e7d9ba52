import { END_STREAM, frame } from '#test/fixtures/http2-frames.js'
import { pick, type Random } from './http-grammar.js'
import type { Field } from './http2-fields.js'
import { anyFrame, damage, data, headFrames, uint32 } from './http2-grammar.js'
import { seldom } from './http2-hostile-client.js'

const STATUSES = ['200', '200', '200', '204', '304', '100', '103', '101', '99', '600', '0200', 'x', '']

/** What a hostile upstream sends for a request on a stream. */
export function hostileAnswer(any: Random, stream: number, token: string): Buffer {
  const isCalm = any(2) === 0
  const random = isCalm ? seldom(any) : any
  const fields: readonly Field[] = [
    ['content-length', '5'],
    ['content-length', '4'],
    ['content-length', 'x'],
    ['transfer-encoding', 'chunked'],
    ['connection', 'close'],
    ['content-encoding', 'gzip'],
    ['content-encoding', 'br'],
    ['content-type', 'application/grpc'],
    ['content-type', 'text/plain;charset=utf-16'],
    ['grpc-status', '0'],
    ['x-echo', token],
    ['etag', `"${token}"`],
    ['location', `/x?t=${token}`],
    ['set-cookie', `a=${token}`],
    [token, 'x'],
    ['x', 'a\r\nb: c'],
    ['x', 'a\0b'],
    ['X', 'y'],
    [':path', '/'],
    [':status', '204'],
    ['x-long', 'y'.repeat(20_000)],
    ['alt-svc', 'h3'],
    ['trailer', 'x'],
  ]
  const some = () => Array.from({ length: random(3) === 0 ? random(4) : 0 }, () => pick(random, fields))
  const bodies = [
    'hello',
    '',
    token,
    `x${token}y`,
    token.slice(0, 10),
    token.slice(10),
    '\x1f\x8b\x08\0',
    'z'.repeat(9_000),
  ]
  const on = () => (random(12) > 0 ? stream : pick(random, [stream + 2, 2, 0, 1]))
  const parts: Buffer[] = []
  if (random(8) === 0) parts.push(...headFrames(random, on(), [[':status', pick(random, STATUSES)]], false))
  const isWhole = random(5) === 0
  const status = random(3) > 0 ? '200' : pick(random, STATUSES)
  parts.push(...headFrames(random, on(), [[':status', status], ...some()], isWhole))
  if (!isWhole) {
    for (let pieces = random(5); pieces > 0; pieces -= 1)
      parts.push(data(random, on(), pick(random, bodies), 0))
    const end = random(5)
    if (end === 0) parts.push(...headFrames(random, on(), some(), true))
    else if (end === 1) parts.push(frame('rst', 0, on(), uint32(random(14))))
    else if (end < 4) parts.push(data(random, on(), pick(random, bodies), END_STREAM))
  }
  if (!isCalm && random(2) === 0) parts.push(anyFrame(random, stream))
  const bytes = Buffer.concat(parts)
  return !isCalm && random(6) === 0 ? damage(random, bytes) : bytes
}
