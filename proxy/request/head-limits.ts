import type { Headers } from '#firewall/contracts/credential.js'

/**
 * How many parts a request head may have. Threat: 64 KiB hold thousands of anything, and work that multiplies two such numbers
 * stops the gateway for every sandbox. Clients and their SDKs stay far below; everything behind this step is linear anyway.
 */
export const HEAD_LIMITS = {
  /** Lines, repeated names included. */
  headers: 200,
  /** Lines with the same name. */
  'headers of one name': 64,
  'path segments': 512,
  /** Bytes; a presigned URL has 2 KiB. */
  'bytes of the request target': 49_152,
  'escapes in the path': 4_096,
  'query parameters': 2_048,
  cookies: 256,
  /** In the lists of Connection, TE, Upgrade, Trailer, Accept-Encoding, Expect, and of overrides of the method. */
  'members of a list header': 32,
} as const

const LISTS = [
  'connection',
  'te',
  'upgrade',
  'trailer',
  'accept-encoding',
  'expect',
  'transfer-encoding',
] as const

/** Says which limit a head exceeds; null if none. Takes one pass over it. */
export function exceededLimit(requestTarget: string, headers: Headers): string | null {
  for (const [what, count] of counts(requestTarget, headers)) {
    if (count > HEAD_LIMITS[what]) return `more than ${String(HEAD_LIMITS[what])} ${what}`
  }
  return null
}

function* counts(requestTarget: string, headers: Headers): Iterable<[keyof typeof HEAD_LIMITS, number]> {
  yield ['bytes of the request target', requestTarget.length]
  const mark = requestTarget.indexOf('?')
  const pathEnd = mark < 0 ? requestTarget.length : mark
  yield ['path segments', count(requestTarget, '/', 0, pathEnd) + countEscapedSlashes(requestTarget)]
  yield ['escapes in the path', count(requestTarget, '%', 0, pathEnd)]
  const [end, pairs] = [requestTarget.length, count(requestTarget, '&', pathEnd, requestTarget.length)]
  yield ['query parameters', pairs + count(requestTarget, ';', pathEnd, end)]
  let lines = 0
  for (const name in headers) {
    const value = headers[name] ?? ''
    const repeated = typeof value === 'string' ? 1 : value.length
    lines += repeated
    yield ['headers of one name', repeated]
  }
  yield ['headers', lines]
  yield ['cookies', members(headers['cookie'], ';')]
  for (const name in headers) {
    if ((LISTS as readonly string[]).includes(name) || /method/.test(name))
      yield ['members of a list header', members(headers[name], ',')]
  }
}

function members(value: string | string[] | undefined, separator: string): number {
  if (value === undefined) return 0
  return [value].flat().reduce((sum, line) => sum + 1 + count(line, separator, 0, line.length), 0)
}

function count(text: string, char: string, from: number, to: number): number {
  let found = 0
  for (let at = text.indexOf(char, from); at >= 0 && at < to; at = text.indexOf(char, at + 1)) found += 1
  return found
}

function countEscapedSlashes(text: string): number {
  return text.includes('%') ? (text.match(/%2f/gi)?.length ?? 0) : 0
}
