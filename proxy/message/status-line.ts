import { STATUS_CODES } from 'node:http'

/**
 * The first line of a response that is written without Node's server (RFC 9112 section 4): nothing else writes one.
 *
 * @param phrase never anything that a sandbox or an upstream chose
 */
export function statusLine(status: number, phrase = STATUS_CODES[status] ?? ''): string {
  return `HTTP/1.1 ${String(status)} ${phrase}`
}
