import type { TokenResponse } from '#firewall/contracts/credential.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { redactBytes } from '#proxy/redaction/redact.js'

/** Bytes of an answer that are looked at, and characters of a quote. */
const MAX_READ = 65_536
const MAX_QUOTE = 400

/**
 * Members whose text tells an operator what is wrong (RFC 6749 sections 5.1 and 5.2, RFC 9457, Microsoft, Google). Threat: any other
 * may be a token, under whatever name.
 */
const TELLING: ReadonlySet<string> = new Set([
  'detail',
  'error',
  'error_code',
  'error_codes',
  'error_description',
  'error_uri',
  'expires',
  'expires_in',
  'ext_expires_in',
  'message',
  'scope',
  'status',
  'suberror',
  'title',
  'token_type',
  'type',
])

/** A run of characters as long as a token: words of a message are shorter. */
const TOKEN_LIKE = /[A-Za-z0-9+/_~=-]{20,}/g

/**
 * What a token endpoint answered, for the operator's eyes: one line of printable characters, known secrets as stars, and whatever
 * may be a secret that nobody knows yet by its length alone.
 */
export function quoteAnswer({ body }: Pick<TokenResponse, 'body'>, patterns: SecretPatterns): string {
  if (body.length === 0) return '(an empty body)'
  const text = redactBytes(body.subarray(0, MAX_READ), patterns).toString('utf8').trim()
  const value = parseJson(text)
  const shown = value === undefined ? mask(text) : JSON.stringify(value, maskMember)
  const printable = shown.replace(/[^\x20-\x7e]+/g, ' ')
  return printable.length > MAX_QUOTE ? `${printable.slice(0, MAX_QUOTE)}…` : printable
}

function maskMember(name: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  return TELLING.has(name) ? mask(value) : lengthOf(value)
}

function mask(text: string): string {
  return text.replace(TOKEN_LIKE, lengthOf)
}

function lengthOf(text: string): string {
  return `<${String(text.length)} characters>`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
