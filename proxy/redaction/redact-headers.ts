import type { Headers } from '#firewall/contracts/credential.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { newHeaders } from '../message/headers.js'
import { CAPACITY } from './prefilter.js'
import { redactText } from './redact.js'
import { searchOf } from './search.js'
import { Tally } from './tally.js'

/**
 * Redacts every value, and drops a header whose very name holds a secret (names are case-insensitive). The same for the head of
 * a response, of an upgrade, and for trailers.
 */
export function redactHeaders(headers: Headers, secretPatterns: SecretPatterns, tally: Tally): Headers {
  if (!mayHoldSecret(headers, secretPatterns)) return headers
  const clean = newHeaders()
  for (const [name, value] of Object.entries(headers)) {
    const inName = new Tally()
    redactText(name, secretPatterns.folded, inName)
    for (const [owner, count] of inName.byOwner) for (let i = 0; i < count; i += 1) tally.add(owner)
    if (inName.total > 0) continue
    const redact = (one: string) =>
      redactText(redactBinary(name, one, secretPatterns, tally), secretPatterns, tally)
    clean[name] = Array.isArray(value) ? value.map(redact) : redact(value)
  }
  return clean
}

/**
 * Metadata of gRPC whose name ends in `-bin` is base64, of which clients cannot read the rest if a part of it is stars: the bytes
 * are redacted instead.
 */
function redactBinary(name: string, value: string, secretPatterns: SecretPatterns, tally: Tally): string {
  if (!name.endsWith('-bin') || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) return value
  const redacted = redactText(Buffer.from(value, 'base64').toString('latin1'), secretPatterns, tally)
  const encoded = Buffer.from(redacted, 'latin1').toString('base64')
  return value.endsWith('=') ? encoded : encoded.replace(/=+$/, '')
}

/** Nearly always they do not: one look at all names and values. */
function mayHoldSecret(headers: Headers, secretPatterns: SecretPatterns): boolean {
  const search = searchOf(secretPatterns.plus(secretPatterns.folded))
  if (search === null) return false
  let text = ''
  for (const name in headers) {
    const value = headers[name] ?? ''
    text += typeof value === 'string' ? `${name} ${value} ` : `${name} ${value.join(' ')} `
  }
  return text.length > CAPACITY || search.find(Buffer.from(text, 'latin1')).length > 0
}
