import type { TokenResponse } from '#firewall/contracts/credential.js'
import type { Token, TokenError } from './token-cache.js'

/** Shorter ones occur in ordinary text and cannot be taken out of it; servers refuse a head with longer ones. */
const MIN_TOKEN = 8
const MAX_TOKEN = 8_192

/** Seconds. A token that ends sooner would be asked for again with every request; a longer life is not believed. */
const MIN_LIFE = 10
const MAX_LIFE = 86_400
/** RFC 6749 section 5.1 lets an endpoint leave `expires_in` out. */
const DEFAULT_LIFE = 300

/** RFC 6749 section 5.2. Any other text of an endpoint's is not repeated: it may hold what it was sent. */
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

/** The members of an answer with this status; otherwise what is wrong with it, with nothing of its text. */
export function readResponse(
  host: string,
  { status, body }: TokenResponse,
  expected: number,
): { readonly members: Readonly<Record<string, unknown>> } | TokenError {
  const members = readObject(body.toString('utf8'))
  const code = members?.['error']
  const told = typeof code === 'string' && ERROR_CODES.has(code) ? ` (${code})` : ''
  if (status !== expected) return { problem: `${host} answered ${String(status)}${told}` }
  if (members === null) return { problem: `${host} answered with something that is no JSON object` }
  return code === undefined ? { members } : { problem: `${host} answered with an error${told}` }
}

/** A token that may stand in a header (RFC 9110 section 5.5), or what is wrong with it. */
export function readToken(host: string, value: unknown, lifeSeconds: number): Token | TokenError {
  if (typeof value !== 'string') return { problem: `${host} answered without a token` }
  // Threat: a line break ends the header, and begins another.
  if (!/^[\x21-\x7e]+$/.test(value)) return { problem: `${host} gave a token that cannot stand in a header` }
  if (value.length < MIN_TOKEN || value.length > MAX_TOKEN) {
    return { problem: `${host} gave a token of ${String(value.length)} characters` }
  }
  if (!(lifeSeconds >= MIN_LIFE)) return { problem: `${host} gave a token that ends too soon` }
  return { value, lifeMs: Math.min(lifeSeconds, MAX_LIFE) * 1000 }
}

/** The successful answer of a token endpoint (RFC 6749 section 5.1). */
export function readTokenResponse(
  host: string,
  members: Readonly<Record<string, unknown>>,
): Token | TokenError {
  const { access_token: value, token_type: type, expires_in: life = DEFAULT_LIFE } = members
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') {
    return { problem: `${host} gave a token that is not of the type Bearer` }
  }
  // Some endpoints write the number as text.
  const seconds = typeof life === 'number' || (typeof life === 'string' && life !== '') ? Number(life) : NaN
  return readToken(host, value, seconds)
}
