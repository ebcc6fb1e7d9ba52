import type { UpstreamRequest } from './upstream.js'

/** RFC 9110 section 9.2.1, with those of RFC 4918, RFC 3253 and RFC 5323. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH'])

/** RFC 9110 section 9.2.2. */
const IDEMPOTENT = new Set(['PUT', 'DELETE'])

/** Whether nobody can tell that a request was carried out twice. */
export function isSafe({ method, isOnce }: Pick<UpstreamRequest, 'method' | 'isOnce'>): boolean {
  return SAFE.has(method) && isOnce !== true
}

/**
 * Whether carrying a request out twice does the same as once. A condition has another outcome the second time; a key that names
 * the request has the server know it again.
 */
export function isIdempotent({
  method,
  headers,
  isOnce,
}: Pick<UpstreamRequest, 'method' | 'headers' | 'isOnce'>): boolean {
  if (isOnce === true) return false
  if (SAFE.has(method)) return true
  if (headers['idempotency-key'] !== undefined || headers['x-idempotency-key'] !== undefined) return true
  return IDEMPOTENT.has(method) && !Object.keys(headers).some((name) => /(^|-)if-/.test(name))
}

/** Bytes of a body that are kept; `room.ts` counts them for each open request. */
const MAX_KEPT = 32_768

/** The beginning of a body that comes as a stream, for as long as it may have to be sent again. */
export class SentBytes {
  #chunks: Buffer[] | null = []
  #length = 0

  /** All that was sent; null where it is not kept any more. */
  get chunks(): readonly Buffer[] | null {
    return this.#chunks
  }

  add(chunk: Buffer): void {
    if (this.#chunks === null) return
    this.#length += chunk.length
    if (this.#length > MAX_KEPT) this.#chunks = null
    else this.#chunks.push(chunk)
  }

  forget(): void {
    this.#chunks = null
  }
}
