import type { Headers } from '#firewall/contracts/credential.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { newHeaders } from '../message/headers.js'
import { Redactor, redactText } from './redact.js'
import { Tally } from './tally.js'

/**
 * Redacts every value, and drops a header whose very name holds a secret (names are case-insensitive). The same for the head of
 * a response, of an upgrade, and for trailers.
 */
export function redactHeaders(headers: Headers, secretPatterns: SecretPatterns, tally: Tally): Headers {
  if (
    secretPatterns.bytes.length === 0 ||
    (!holdsSecret(Object.keys(headers), secretPatterns.folded) &&
      !holdsSecret(Object.values(headers).flat(), secretPatterns))
  )
    return headers
  const clean = newHeaders()
  for (const [name, value] of Object.entries(headers)) {
    const inName = new Tally()
    redactText(name, secretPatterns.folded, inName)
    for (const [owner, count] of inName.byOwner) for (let i = 0; i < count; i += 1) tally.add(owner)
    if (inName.total > 0) continue
    clean[name] = Array.isArray(value)
      ? value.map((one) => redactText(one, secretPatterns, tally))
      : redactText(value, secretPatterns, tally)
  }
  return clean
}

/** Nearly always they do not: one look at all of them. */
function holdsSecret(texts: readonly string[], secretPatterns: SecretPatterns): boolean {
  const tally = new Tally()
  const redactor = new Redactor(secretPatterns, tally)
  // A header holds no line break (RFC 9110 section 5.5), and behind a blank line nothing goes on.
  redactor.push(Buffer.from(texts.join('\n\n'), 'latin1'))
  redactor.flush()
  return tally.total > 0
}
