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

const LISTS: ReadonlySet<string> = new Set([
  'connection',
  'te',
  'upgrade',
  'trailer',
  'accept-encoding',
  'expect',
  'transfer-encoding',
])

/** Says which limit a head exceeds; null if none. Takes one pass over it. */
export function exceededLimit(requestTarget: string, headers: Headers): string | null {
  const mark = requestTarget.indexOf('?')
  const [pathEnd, end] = [mark < 0 ? requestTarget.length : mark, requestTarget.length]
  let [lines, most, members] = [0, 0, 0]
  for (const name in headers) {
    const value = headers[name] ?? ''
    const repeated = typeof value === 'string' ? 1 : value.length
    lines += repeated
    most = Math.max(most, repeated)
    if (LISTS.has(name) || name.includes('method')) members = Math.max(members, membersOf(value, ','))
  }
  const counts: Record<keyof typeof HEAD_LIMITS, number> = {
    headers: lines,
    'headers of one name': most,
    'path segments': count(requestTarget, '/', 0, pathEnd) + countEscapedSlashes(requestTarget),
    'bytes of the request target': end,
    'escapes in the path': count(requestTarget, '%', 0, pathEnd),
    'query parameters': count(requestTarget, '&', pathEnd, end) + count(requestTarget, ';', pathEnd, end),
    cookies: membersOf(headers['cookie'] ?? [], ';'),
    'members of a list header': members,
  }
  for (const what in counts) {
    const limit = HEAD_LIMITS[what as keyof typeof HEAD_LIMITS]
    if (counts[what as keyof typeof HEAD_LIMITS] > limit) return `more than ${String(limit)} ${what}`
  }
  return null
}

function membersOf(value: string | string[], separator: string): number {
  if (typeof value === 'string') return 1 + count(value, separator, 0, value.length)
  return value.reduce((sum, line) => sum + membersOf(line, separator), 0)
}

function count(text: string, char: string, from: number, to: number): number {
  let found = 0
  for (let at = text.indexOf(char, from); at >= 0 && at < to; at = text.indexOf(char, at + 1)) found += 1
  return found
}

function countEscapedSlashes(text: string): number {
  return text.includes('%') ? (text.match(/%2f/gi)?.length ?? 0) : 0
}
