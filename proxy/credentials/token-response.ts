import type { TokenResponse } from '#firewall/contracts/credential.js'
import type { Token, TokenError } from './token-cache.js'

/** Token length in characters. Shorter tokens occur in ordinary text and cannot be redacted; servers reject longer ones. */
const MIN_TOKEN = 8
const MAX_TOKEN = 8_192

/** Token lifetime in seconds. Shorter ones would need a token request per request; longer ones are not trusted. */
const MIN_LIFE = 10
const MAX_LIFE = 86_400
/** RFC 6749 section 5.1: `expires_in` is optional. */
const DEFAULT_LIFE = 300

/** RFC 6749 section 5.2. Other text from an endpoint is not repeated: it may contain the request. */
const ERROR_CODES = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'invalid_scope',
  'unauthorized_client',
  'unsupported_grant_type',
  'temporarily_unavailable',
])

/** The members of a JSON object, or null for any other text. */
export function readObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : null
  } catch {
    return null
  }
}

/** The members of a response with this status; otherwise an error that repeats none of its text. */
export function readResponse(
  host: string,
  { status, body }: TokenResponse,
  expected: number,
): { readonly members: Readonly<Record<string, unknown>> } | TokenError {
  const members = readObject(body.toString('utf8'))
  const code = members?.['error']
  const detail = typeof code === 'string' && ERROR_CODES.has(code) ? ` (${code})` : ''
  if (status !== expected) return { problem: `${host} returned ${String(status)}${detail}` }
  if (members === null) return { problem: `${host} did not return a JSON object` }
  return code === undefined ? { members } : { problem: `${host} returned an error${detail}` }
}

/** A token that is valid in a header (RFC 9110 section 5.5), or an error. */
export function readToken(host: string, value: unknown, lifeSeconds: number): Token | TokenError {
  if (typeof value !== 'string') return { problem: `${host} returned no token` }
  // Threat: a line break would end the header and start another one.
  if (!/^[\x21-\x7e]+$/.test(value))
    return { problem: `${host} returned a token that is not allowed in a header` }
  if (value.length < MIN_TOKEN || value.length > MAX_TOKEN) {
    return { problem: `${host} returned a token of ${String(value.length)} characters` }
  }
  if (!(lifeSeconds >= MIN_LIFE)) return { problem: `${host} returned a token that expires too soon` }
  return { value, lifeMs: Math.min(lifeSeconds, MAX_LIFE) * 1000 }
}

/** Reads the successful response of a token endpoint (RFC 6749 section 5.1). */
export function readTokenResponse(
  host: string,
  members: Readonly<Record<string, unknown>>,
): Token | TokenError {
  const { access_token: value, token_type: type, expires_in: life = DEFAULT_LIFE } = members
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') {
    return { problem: `${host} returned a token that is not of type Bearer` }
  }
  // Some endpoints send the number as text.
  const seconds = typeof life === 'number' || (typeof life === 'string' && life !== '') ? Number(life) : NaN
  return readToken(host, value, seconds)
}
