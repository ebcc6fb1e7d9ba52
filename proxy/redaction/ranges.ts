import type { Headers } from '#firewall/contracts/credential.js'
import { dropHeaders } from '../message/headers.js'

/** RFC 9110 section 14.2, and Azure's own, which wins there. */
const RANGE_HEADERS = ['range', 'x-ms-range'] as const

/**
 * Headers that mean nothing, or ask for a digest of a part, without one; and what Range was called before it was standardised, to
 * which Apache httpd still listens.
 */
const BESIDE_RANGES = [
  'if-range',
  'request-range',
  'x-ms-range-get-content-md5',
  'x-ms-range-get-content-crc64',
] as const

/** One range of bytes as the client asked for it, `last` inclusive. */
type AskedRange = { readonly first: number; readonly last: number | null } | { readonly suffix: number }

/** A range that was asked for wider than the client did. */
export interface WidenedRange {
  readonly asked: AskedRange
  /** Bytes that were added on either side. */
  readonly by: number
}

/**
 * Asks for so many bytes more on both sides of a range, so that a secret which the range cuts in two is seen whole. Whatever
 * else asks for parts is dropped: a server may always answer with the whole (RFC 9110 section 14.2).
 *
 * Threat: who reads a secret by parts, each of them too small to be known for one.
 *
 * @param sent the client's headers
 * @param headers those that go upstream; changed
 * @returns null where no range is asked for
 */
export function widenRange(method: string, sent: Headers, headers: Headers, by: number): WidenedRange | null {
  const given = RANGE_HEADERS.filter((name) => sent[name] !== undefined)
  dropHeaders(headers, RANGE_HEADERS)
  const [name] = given
  const asked =
    name === undefined || given.length > 1 || (method !== 'GET' && method !== 'HEAD')
      ? null
      : parseRange(sent[name])
  if (name === undefined || asked === null) {
    dropHeaders(headers, BESIDE_RANGES)
    return null
  }
  dropHeaders(headers, BESIDE_RANGES.slice(1))
  if ('suffix' in asked) headers[name] = `bytes=-${String(asked.suffix + by)}`
  else {
    const last = asked.last === null ? '' : String(asked.last + by)
    headers[name] = `bytes=${String(Math.max(asked.first - by, 0))}-${last}`
  }
  return { asked, by }
}

function parseRange(value: string | readonly string[] | undefined): AskedRange | null {
  const [, first, last] = /^\s*bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(String(value)) ?? []
  if (first === undefined || last === undefined) return null
  if (first === '') return last === '' || Number(last) === 0 ? null : { suffix: Number(last) }
  const range = { first: Number(first), last: last === '' ? null : Number(last) }
  return range.last !== null && range.last < range.first ? null : range
}

/** What the client gets of a response to a widened range. */
export interface TrimmedRange {
  readonly status: 206 | 416
  readonly contentRange: string
  /** Bytes of the response before those that the client asked for, and how many these are. */
  readonly skip: number
  readonly take: number
}

/** Null where the response is no answer to what was asked. @param contentRange RFC 9110 section 14.4 */
export function trimRange(
  { asked, by }: WidenedRange,
  contentRange: string | readonly string[] | undefined,
): TrimmedRange | null {
  const [, from, to, size] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(String(contentRange)) ?? []
  if (from === undefined || to === undefined || size === undefined) return null
  const [start, end] = [Number(from), Number(to)]
  const total = size === '*' ? null : Number(size)
  if (start > end || (total !== null && end >= total)) return null
  const isLast = total !== null && end === total - 1
  const wanted = wantedOf(asked, end, isLast)
  if (wanted === null) return null
  // A server may send less than it was asked for (Azure, some caches): then what ends there was not searched to its end.
  const reached = isLast || ('last' in asked && asked.last !== null && end >= asked.last + by)
  const last = reached ? Math.min(wanted.last, end) : Math.min(wanted.last, end - by)
  if (start > Math.max(wanted.first - by, 0)) return null
  if (total !== null && wanted.first >= total)
    return { status: 416, contentRange: `bytes */${String(total)}`, skip: 0, take: 0 }
  if (last < wanted.first) return null
  return {
    status: 206,
    contentRange: `bytes ${String(wanted.first)}-${String(last)}/${size}`,
    skip: wanted.first - start,
    take: last - wanted.first + 1,
  }
}

/**
 * Whether a response says that it is a part of its bytes, where none was asked for. Threat: services read headers of their own
 * for ranges, and such a part was not widened: at its ends a secret is cut in two.
 */
export function isUnaskedPart(contentRange: string | readonly string[] | undefined): boolean {
  const text = String(contentRange).trim()
  if (!/^bytes[\s=:]/i.test(text) || /^bytes \*\/\d{1,15}$/i.test(text)) return false
  const [, last = NaN, size = NaN] = /^bytes 0-(\d{1,15})\/(\d{1,15})$/i.exec(text) ?? []
  return Number(last) + 1 !== Number(size)
}

/** The first and last byte that the client asked for; null where the response does not tell. */
function wantedOf(asked: AskedRange, end: number, isLast: boolean): { first: number; last: number } | null {
  if (!('suffix' in asked)) return { first: asked.first, last: asked.last ?? end }
  return isLast ? { first: Math.max(end + 1 - asked.suffix, 0), last: end } : null
}

/** Cuts a stream to the bytes that were asked for. */
export class Trimmer {
  #skip: number
  #take: number

  constructor({ skip, take }: Pick<TrimmedRange, 'skip' | 'take'>) {
    this.#skip = skip
    this.#take = take
  }

  push(chunk: Buffer): Buffer {
    const skipped = Math.min(this.#skip, chunk.length)
    this.#skip -= skipped
    const kept = chunk.subarray(skipped, skipped + this.#take)
    this.#take -= kept.length
    return kept
  }
}
