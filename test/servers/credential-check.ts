import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { RequestRecord } from './records.js'

/** Whether a credential location contains exactly the real value. Two values in one location count as wrong. */
export function checkCredential(
  request: IncomingMessage,
  location: string,
  real: string,
): RequestRecord['credential'] {
  const values = request.headersDistinct[location] ?? []
  const [value] = values
  if (value === undefined) return 'missing'
  return values.length === 1 && sameText(value, real) ? 'real' : 'wrong'
}

/** Describes the received credential by its format only. An error that quoted it could reveal a real one. */
export function describeLocation(request: IncomingMessage, location: string): string {
  const value = request.headers[location]
  if (typeof value !== 'string') return `no ${location}`
  const digest = createHash('sha256').update(value).digest('hex').slice(0, 8)
  return `${location} of ${value.length} characters, sha256 ${digest}…`
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [left, right].map((text) => createHash('sha256').update(text).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}
