import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { Redactor } from './redact.js'
import { Tally } from './tally.js'

/** Bytes of an excerpt: a line of a head, or what makes a protocol known. */
const MAX_SHOWN = 64

/**
 * A few bytes of what could not be read, for people: printable, with secrets as stars. Empty where nothing can be shown.
 *
 * Threat: an upstream that echoes is led to break its head in the middle of a secret. So all that came is searched, and what may be the
 * beginning of a secret (`hold-back.ts`) is not shown, as in a body.
 *
 * @param bytes from the beginning of the message
 * @param at where in them the excerpt begins
 */
export function excerptOf(bytes: Buffer, at: number, patterns: SecretPatterns): string {
  const clean = new Redactor(patterns, new Tally()).push(bytes)
  const inNames = new Tally()
  // The name of a header may hold a secret in any letter case.
  new Redactor(patterns.folded, inNames).push(Buffer.from(clean.toString('latin1').toLowerCase(), 'latin1'))
  if (inNames.total > 0) return ''
  const shown = clean.subarray(at, at + MAX_SHOWN)
  const text = shown.toString('latin1').replace(/[^\x20-\x5b\x5d-\x5f\x61-\x7e]/g, escape)
  return shown.length === 0 ? '' : `\`${text}\`${at + shown.length < bytes.length ? '…' : ''}`
}

function escape(char: string): string {
  return SHORT.get(char) ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
}

const SHORT: ReadonlyMap<string, string> = new Map([
  ['\r', '\\r'],
  ['\n', '\\n'],
  ['\t', '\\t'],
  ['\0', '\\0'],
])
