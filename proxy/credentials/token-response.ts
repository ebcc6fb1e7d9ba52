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

/** RFC 6749 section 5.2, and codes of large providers. Other text from an endpoint is not repeated: it may contain the request. */
const ERROR_CODES = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'invalid_scope',
  'invalid_target',
  'unauthorized_client',
  'unsupported_grant_type',
  'access_denied',
  'server_error',
  'slow_down',
  'temporarily_unavailable',
  'bad_verification_code',
  'incorrect_client_credentials',
])

/**
 * Values of `token_type` that mean a bearer token (RFC 6750), in lower case. Many endpoints send none, Apigee `BearerToken`,
 * some the token's format. A type that needs a proof of possession (`DPoP`, `mac`) or is unknown is not one of them.
 */
const BEARER_TYPES = new Set(['', 'bearer', 'bearertoken', 'bearer token', 'bearer_token', 'jwt'])

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

/**
 * The members of a successful response; otherwise an error that repeats none of its text. As lenient as the clients that people
 * use: any 2xx, a byte order mark, and a form as GitHub and Facebook answer, if the response says that it is one or text.
 */
export function readResponse(
  host: string,
  { status, headers, body }: TokenResponse,
): { readonly members: Readonly<Record<string, unknown>> } | TokenError {
  const text = body.toString('utf8').replace(/^\uFEFF/, '')
  const members = readObject(text) ?? readForm(text, String(headers['content-type'] ?? ''))
  const code = members?.['error']
  const detail = typeof code === 'string' && ERROR_CODES.has(code) ? ` (${code})` : ''
  if (status < 200 || status > 299) return { problem: `${host} returned ${String(status)}${detail}` }
  if (members === null) return { problem: `${host} did not return a JSON object` }
  // Some send the member with every answer.
  const isError = code !== undefined && code !== null && code !== '' && code !== false
  return isError ? { problem: `${host} returned an error${detail}` } : { members }
}

/** Null for a text that is no form, and for one that says something twice. */
function readForm(text: string, contentType: string): Readonly<Record<string, unknown>> | null {
  if (!/^\s*(application\/x-www-form-urlencoded|text\/plain)\s*(;|$)/i.test(contentType)) return null
  if (!/^[\x21-\x7e]+\s*$/.test(text) || !text.includes('=')) return null
  const pairs = [...new URLSearchParams(text.trim())]
  const members = Object.fromEntries(pairs)
  return Object.keys(members).length === pairs.length ? members : null
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
  const { access_token: value, token_type: type } = members
  if (!isBearer(type)) return { problem: `${host} returned a token that is not of type Bearer` }
  return readToken(host, value, lifeOf(members['expires_in'] ?? members['expires']))
}

/** In seconds. Some endpoints send the number as text, some nothing at all. */
function lifeOf(life: unknown): number {
  if (life === undefined || life === null || life === '') return DEFAULT_LIFE
  return typeof life === 'number' || (typeof life === 'string' && life.trim() !== '') ? Number(life) : NaN
}

function isBearer(type: unknown): boolean {
  if (type === undefined || type === null) return true
  return typeof type === 'string' && BEARER_TYPES.has(type.trim().toLowerCase())
}
