import { END_HEADERS, END_STREAM, frame, PADDED, PRIORITY, TYPES } from '#test/fixtures/http2-frames.js'
import { pick, type Random } from './http-grammar.js'
import { spell, type Field } from './http2-fields.js'

export const BODIES = ['hello', '', '_method=DELETE', 'a=b&_method=PUT', 'x'.repeat(3_000), '\0\0\0\0\x02ok']

/** HEADERS, perhaps with CONTINUATION frames, perhaps with padding and priority. */
export function headFrames(
  random: Random,
  stream: number,
  fields: readonly Field[],
  isEnd: boolean,
): Buffer[] {
  const block = spell(random, fields)
  const cut = random(5) === 0 ? random(block.length + 1) : block.length
  const isWhole = cut === block.length && random(60) > 0
  let payload = block.subarray(0, cut)
  let flags = (isEnd ? END_STREAM : 0) | (isWhole ? END_HEADERS : 0)
  if (random(8) === 0) {
    flags |= PRIORITY
    payload = Buffer.concat([uint32(random(3) === 0 ? stream : 0), Buffer.of(15), payload])
  }
  if (random(8) === 0) [flags, payload] = [flags | PADDED, pad(random, payload)]
  const out = inFrames('headers', flags, stream, payload)
  if (isWhole) return out
  if (random(10) === 0) out.push(anyFrame(random, stream))
  if (random(10) > 0) out.push(...inFrames('continuation', END_HEADERS, stream, block.subarray(cut)))
  return out
}

/** No longer than a peer takes (RFC 9113 section 4.2). */
function inFrames(
  type: 'headers' | 'continuation',
  flags: number,
  stream: number,
  payload: Buffer,
): Buffer[] {
  const most = 16_384
  if (payload.length <= most) return [frame(type, flags, stream, payload)]
  const rest = inFrames('continuation', flags & END_HEADERS, stream, payload.subarray(most))
  return [frame(type, flags & ~END_HEADERS, stream, payload.subarray(0, most)), ...rest]
}

export function data(random: Random, stream: number, body: string, flags: number): Buffer {
  const payload = Buffer.from(body, 'latin1')
  return random(6) === 0
    ? frame('data', flags | PADDED, stream, pad(random, payload))
    : frame('data', flags, stream, payload)
}

function pad(random: Random, payload: Buffer): Buffer {
  const length = random(20)
  // One in many says more than is there.
  const said = random(15) === 0 ? 255 : length
  return Buffer.concat([Buffer.of(said), payload, Buffer.alloc(length)])
}

export function settings(random: Random): Buffer {
  const entry = () =>
    pick(random, [
      [1, 0],
      [1, 4_096],
      [1, 2 ** 32 - 1],
      [2, 0],
      [2, 2],
      [3, 0],
      [3, 1_000],
      [4, 0],
      [4, 1],
      [4, 65_535],
      [4, 2 ** 31 - 1],
      [4, 2 ** 31],
      [5, 16_384],
      [5, 0],
      [5, 2 ** 24 - 1],
      [6, 0],
      [6, 65_536],
      [8, 1],
      [0x99, 7],
    ] as const)
  const entries = Array.from({ length: random(4) }, entry).flatMap(([name, value]) => [
    Buffer.of(0, name),
    uint32(value),
  ])
  const extra = random(30) === 0 ? Buffer.of(0) : Buffer.alloc(0)
  return frame(
    'settings',
    random(30) === 0 ? 1 : 0,
    random(40) === 0 ? 1 : 0,
    Buffer.concat([...entries, extra]),
  )
}

/** A frame of any kind, on this stream or another one. */
export function anyFrame(random: Random, near: number): Buffer {
  const stream = pick(random, [near, near, 0, 1, near + 2, 2])
  return pick<() => Buffer>(random, [
    () => settings(random),
    () => frame('settings', 1, 0),
    () => frame('ping', random(2), pick(random, [0, 0, 0, 1]), Buffer.alloc(pick(random, [8, 8, 8, 7]))),
    () => frame('window', 0, stream, uint32(pick(random, [1, 1_000, 65_535, 0, 2 ** 31 - 1]))),
    () => frame('window', 0, 0, uint32(pick(random, [1, 1_000_000, 2 ** 31 - 1]))),
    () => frame('rst', 0, stream, uint32(pick(random, [0, 1, 2, 5, 7, 8, 11, 99]))),
    () => frame('priority', 0, stream, Buffer.concat([uint32(stream), Buffer.of(random(256))])),
    () =>
      frame(
        'goaway',
        0,
        0,
        Buffer.concat([uint32(pick(random, [0, near, 2 ** 31 - 1])), uint32(random(14))]),
      ),
    () => frame('push', END_HEADERS, stream, Buffer.concat([uint32(2), spell(random, [[':status', '200']])])),
    () => data(random, stream, pick(random, BODIES), random(2)),
    () => frame('continuation', END_HEADERS, stream, spell(random, [['x', 'y']])),
    () => frame(pick(random, [10, 12, 16, 255]), random(256), stream, Buffer.alloc(random(30))),
    () => frame(random(10), random(256), stream, Buffer.alloc(random(20), random(256))),
  ])()
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

/** Changes, doubles or drops a few bytes. */
export function damage(random: Random, bytes: Buffer): Buffer {
  let whole = bytes
  for (let count = 1 + random(4); count > 0; count -= 1) {
    const at = random(whole.length + 1)
    const inserted = pick(random, [Buffer.alloc(0), Buffer.of(random(256)), whole.subarray(at, at + 10)])
    whole = Buffer.concat([whole.subarray(0, at), inserted, whole.subarray(at + random(3))])
  }
  return whole
}

/** Whether frames of this type carry fields. */
export function isOfFields(type: number): boolean {
  return type === TYPES.headers || type === TYPES.continuation || type === TYPES.push
}
