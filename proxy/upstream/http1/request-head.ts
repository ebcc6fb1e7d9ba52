import type { Readable } from 'node:stream'
import { checkRequest, InvalidRequest } from '../request-syntax.js'
import type { UpstreamRequest } from '../upstream.js'

/** A request as it is written. */
export interface WrittenRequest {
  readonly head: string
  readonly body: Readable | Buffer | null
  /** Bytes that the body must have; null where it is written in chunks. */
  readonly length: number | null
}

/** Methods whose requests have a body as a rule: that it is empty is said (RFC 9110 section 8.6). */
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

/** What frames the message is written here and nowhere else. */
const OF_CONNECTION = new Set(['host', 'connection', 'content-length', 'transfer-encoding'])

/** @throws InvalidRequest */
export function writeHead(request: UpstreamRequest): WrittenRequest {
  checkRequest(request)
  const { method, path, headers, body: given } = request
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${String(headers['host'])}\r\nconnection: keep-alive\r\n`
  for (const name in headers) {
    if (OF_CONNECTION.has(name.toLowerCase())) continue
    const value = headers[name] ?? ''
    if (typeof value === 'string') head += `${name}: ${value}\r\n`
    else for (const one of value) head += `${name}: ${one}\r\n`
  }
  const body = typeof given === 'string' ? Buffer.from(given) : given
  const length = lengthOf(method, headers['content-length'], body)
  if (length === null) head += 'transfer-encoding: chunked\r\n'
  else if (length >= 0) head += `content-length: ${String(length)}\r\n`
  return { head: `${head}\r\n`, body, length: length === null ? null : Math.max(length, 0) }
}

/** Null for a body whose length is not known; negative where nothing is said of it. */
function lengthOf(
  method: string,
  said: string | string[] | undefined,
  body: Readable | Buffer | null,
): number | null {
  if (Buffer.isBuffer(body)) return body.length
  const length = said === undefined ? null : /^\d{1,15}$/.test(String(said)) ? Number(said) : -1
  if (length === -1 || (body === null && length !== null && length > 0))
    throw new InvalidRequest('the length does not fit the body')
  if (body !== null) return length
  return length ?? (WITH_BODY.has(method) ? 0 : -1)
}
