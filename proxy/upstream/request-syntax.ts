import type { UpstreamRequest } from './upstream.js'

/** The request could not be written as it is. The message holds nothing of it. */
export class InvalidRequest extends Error {
  readonly code = 'EGRESS_INVALID_REQUEST'
}

/** RFC 9110 sections 5.6.2 and 5.5: no line of a head may become two. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const TARGET = /^[\x21-\x7e]+$/

/**
 * Whether every part of a head is one part, in whatever version of HTTP it is written. Threat: a server that speaks HTTP/2 to us and
 * HTTP/1.1 to the next one writes two requests of it.
 *
 * @throws InvalidRequest
 */
export function checkRequest({ method, path, headers }: UpstreamRequest): void {
  if (!TOKEN.test(method) || !TARGET.test(path)) throw new InvalidRequest('the request line is malformed')
  if (typeof headers['host'] !== 'string') throw new InvalidRequest('there must be one host')
  for (const name in headers) {
    if (!TOKEN.test(name)) throw new InvalidRequest('the name of a header is malformed')
    const value = headers[name] ?? ''
    if (typeof value === 'string') checkValue(value)
    else for (const one of value) checkValue(one)
  }
}

function checkValue(value: string): void {
  if (!VALUE.test(value)) throw new InvalidRequest('the value of a header is malformed')
}
