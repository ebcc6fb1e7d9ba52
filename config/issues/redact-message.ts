import { shannon } from '#firewall/names/name-features.js'
import type { PolicyIssue } from './issue.js'
import { TOKEN_FORMATS } from './token-formats.js'

/** What stands in the place of a secret. */
export const HIDDEN = '(hidden)'

/** Shorter values are too short for a secret; `.env` files also contain ordinary words. */
const SHORTEST = 6

/** Runs of characters that occur in keys. */
const RUN = /[A-Za-z0-9_+=~-]{12,}/g

/** A part of a run without separators that mixes letters and digits, of this length and entropy, is not a name. */
const RANDOM_LENGTH = 16
const RANDOM_ENTROPY = 3
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i

/**
 * The last step before an issue is shown. Threat: a token pasted into the wrong place of a policy ends up in a terminal, a CI
 * log or a bug report, quoted by our own error message. Hides every known secret value, every well-known token format, and
 * every long random-looking run. Control bytes are replaced, because the reader of the message may not be the author of the
 * policy.
 */
export function redactIssue(issue: PolicyIssue, secrets: readonly string[]): PolicyIssue {
  return { ...issue, problem: redactMessage(issue.problem, secrets), fix: redactMessage(issue.fix, secrets) }
}

/** Hides the known secrets in a text, and what looks like one. */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  let clean = text
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret.length >= SHORTEST) clean = clean.replaceAll(secret, HIDDEN)
  }
  return clean.replace(RUN, (run) => (looksSecret(run) ? HIDDEN : run))
}

export function redactMessage(text: string, secrets: readonly string[]): string {
  return hideSecrets(text, secrets)
    .replace(/`([^`]{100})[^`]+`/g, '`$1…`')
    .replace(/[^\x20-\x7e…]/g, '?')
}

function looksSecret(run: string): boolean {
  const token = run
    .split(/[=~+]/)
    .some((part) => /\d/.test(part) && TOKEN_FORMATS.some(({ prefix }) => part.startsWith(prefix)))
  return token || UUID.test(run) || run.split(/[_=~-]/).some(looksRandom)
}

function looksRandom(part: string): boolean {
  const mixed = /\d/.test(part) && /[A-Za-z]/.test(part)
  return mixed && part.length >= RANDOM_LENGTH && shannon(part) > RANDOM_ENTROPY
}
