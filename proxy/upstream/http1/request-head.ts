import type { Readable } from 'node:stream'
import type { UpstreamRequest } from '../upstream.js'

/** The request could not be written as it is. The message holds nothing of it. */
export class InvalidRequest extends Error {
  readonly code = 'EGRESS_INVALID_REQUEST'
}

/** A request as it is written. */
export interface WrittenRequest {
  readonly head: string
  readonly body: Readable | Buffer | null
  /** Bytes that the body must have; null where it is written in chunks. */
  readonly length: number | null
}

/** RFC 9110 sections 5.6.2 and 5.5: no line of a head may become two. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const TARGET = /^[\x21-\x7e]+$/

/** Methods whose requests have a body as a rule: that it is empty is said (RFC 9110 section 8.6). */
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

/** What frames the message is written here and nowhere else. */
const OF_CONNECTION = new Set(['host', 'connection', 'content-length', 'transfer-encoding'])

/** Whether it can be written on one line each, in whatever version. @throws InvalidRequest */
export function checkRequest({ method, path, headers }: UpstreamRequest): void {
  if (!TOKEN.test(method) || !TARGET.test(path)) throw new InvalidRequest('the request line is malformed')
  valueOf(headers['host'])
  for (const name in headers) {
    if (!TOKEN.test(name)) throw new InvalidRequest('the name of a header is malformed')
    for (const value of [headers[name] ?? ''].flat()) valueOf(value)
  }
}

/** @throws InvalidRequest */
export function writeHead({ method, path, headers, body: given }: UpstreamRequest): WrittenRequest {
  if (!TOKEN.test(method) || !TARGET.test(path)) throw new InvalidRequest('the request line is malformed')
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${valueOf(headers['host'])}\r\nconnection: keep-alive\r\n`
  for (const name in headers) {
    if (OF_CONNECTION.has(name.toLowerCase())) continue
    if (!TOKEN.test(name)) throw new InvalidRequest('the name of a header is malformed')
    const value = headers[name] ?? ''
    if (typeof value === 'string') head += `${name}: ${valueOf(value)}\r\n`
    else for (const one of value) head += `${name}: ${valueOf(one)}\r\n`
  }
  const body = typeof given === 'string' ? Buffer.from(given) : given
  const length = lengthOf(method, headers['content-length'], body)
  if (length === null) head += 'transfer-encoding: chunked\r\n'
  else if (length >= 0) head += `content-length: ${String(length)}\r\n`
  return { head: `${head}\r\n`, body, length: length === null ? null : Math.max(length, 0) }
}

function valueOf(value: string | string[] | undefined): string {
  if (typeof value !== 'string' || !VALUE.test(value))
    throw new InvalidRequest('the value of a header is malformed')
  return value
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
