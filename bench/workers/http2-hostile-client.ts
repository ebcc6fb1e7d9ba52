import { END_STREAM, frame, PREFACE } from '#test/fixtures/http2-frames.js'
import { METHODS, PATHS, pick, type Random } from './http-grammar.js'
import type { Field } from './http2-fields.js'
import { anyFrame, BODIES, damage, data, headFrames, settings, uint32 } from './http2-grammar.js'

/** Addressed by the hostile client. */
const NAMES = [
  'api.example',
  'api.example',
  'open.example',
  'old.example',
  'other.example',
  'API.example',
  'api.example:80',
  '',
  'a@api.example',
]

const FIELDS: readonly Field[] = [
  ['content-length', '5'],
  ['content-length', '0'],
  ['content-length', '-1'],
  ['content-length', '05'],
  ['transfer-encoding', 'chunked'],
  ['te', 'trailers'],
  ['te', 'gzip'],
  ['connection', 'close'],
  ['connection', 'authorization'],
  ['keep-alive', 'x'],
  ['upgrade', 'websocket'],
  ['http2-settings', 'AAMA'],
  ['expect', '100-continue'],
  ['authorization', 'Bearer mine'],
  ['proxy-authorization', 'Basic eA=='],
  ['x-forwarded-host', 'evil'],
  ['forwarded', 'host=evil'],
  ['x-original-url', '/admin'],
  ['x_rewrite_url', '/admin'],
  ['x-http-method-override', 'DELETE'],
  ['cookie', 'a=b'],
  ['cookie', 'c=d'],
  ['host', 'other.example'],
  ['host', 'api.example'],
  ['trailer', 'x'],
  ['x', 'a\rb'],
  ['x', 'a\0b'],
  ['x', 'a\r\ncontent-length: 3'],
  ['x:y', 'z'],
  ['X-Upper', 'y'],
  ['', 'y'],
  [':evil', 'y'],
  [':path', '/admin/second'],
  [':protocol', 'websocket'],
  ['sec-websocket-version', '13'],
  ['content-type', 'application/x-www-form-urlencoded'],
  ['content-type', 'application/grpc'],
  ['accept-encoding', 'gzip'],
  ['range', 'bytes=0-'],
  ['x-long', 'y'.repeat(20_000)],
]

/** The bytes of one connection, and the request on each of its streams. */
export interface HostileConnection {
  readonly bytes: Buffer
  /** Ids of requests by stream, where the bytes are what they were meant to be; null where they were damaged. */
  readonly asked: ReadonlyMap<number, ReadonlySet<string>> | null
}

/** What most requests of a connection are for. */
export interface Aim {
  readonly scheme: string
  readonly host: string
  /** Before their paths. */
  readonly base: string
}

/** One connection of a hostile client. @param id begins the ids of its requests, which are in their paths as `n=ID.` */
export function hostileClient(random: Random, aim: Aim, id: string): HostileConnection {
  // Half of them break few rules, so that their requests reach what is behind the frames.
  const isCalm = random(2) === 0
  const draw = isCalm ? seldom(random) : random
  const asked = new Map<number, Set<string>>()
  const preface = draw(40) === 0 ? PREFACE.subarray(0, random(24)) : PREFACE
  const parts = [preface, isCalm ? frame('settings', 0, 0) : settings(draw)]
  if (random(3) > 0) parts.push(frame('window', 0, 0, uint32(2 ** 30)))
  let next = 1
  for (let count = 1 + random(8); count > 0; count -= 1) {
    const stream = streamFor(draw, next)
    next = Math.max(next, stream + 1 + (stream % 2))
    const request = `${id}-${String(count)}`
    // The first bit means nothing (RFC 9113 section 4.1).
    const onWire = stream & 0x7fffffff
    const ids = asked.get(onWire) ?? new Set()
    asked.set(onWire, ids.add(request))
    parts.push(...requestOn(draw, stream, aim, request))
    if (!isCalm && random(2) === 0) parts.push(anyFrame(draw, stream))
  }
  const bytes = Buffer.concat(parts)
  return !isCalm && random(5) === 0 ? { bytes: damage(draw, bytes), asked: null } : { bytes, asked }
}

/** The same, but what happens once in twelve times or less does not happen. */
export function seldom(random: Random): Random {
  return (limit) => (limit < 12 ? random(limit) : 1 + random(limit - 1))
}

function streamFor(random: Random, next: number): number {
  return random(12) > 0 ? next : pick(random, [next + 1, next - 2, 1, 0, next + 100, 2 ** 31 - 1])
}

function requestOn(random: Random, stream: number, { scheme, host, base }: Aim, id: string): Buffer[] {
  const path = base + (random(2) > 0 ? '/rest/a' : pick(random, PATHS))
  const fields: Field[] = [
    [':method', pick(random, random(3) > 0 ? ['GET', 'POST'] : METHODS)],
    [':scheme', random(6) > 0 ? scheme : pick(random, ['http', 'https', 'HTTP', 'x y'])],
    [':authority', random(3) > 0 ? host : pick(random, NAMES)],
    [':path', `${path}${path.includes('?') ? '&' : '?'}n=${id}.`],
  ]
  for (let more = random(3) === 0 ? random(4) : 0; more > 0; more -= 1) fields.push(pick(random, FIELDS))
  if (random(25) === 0) fields.splice(random(4), 1)
  if (random(25) === 0) fields.reverse()
  const hasBody = random(3) === 0
  const out = headFrames(random, stream, fields, !hasBody)
  if (!hasBody) return out
  for (let pieces = random(4); pieces > 0; pieces -= 1)
    out.push(data(random, stream, pick(random, BODIES), 0))
  const end = random(4)
  if (end === 0) out.push(...headFrames(random, stream, [pick(random, FIELDS)], true))
  else if (end < 3) out.push(data(random, stream, pick(random, BODIES), END_STREAM))
  return out
}
