import { shannon } from '#firewall/name-shape.js'
import type { PolicyIssue } from './issue.js'
import { TOKEN_SHAPES } from './token-shapes.js'

const HIDDEN = '(hidden)'

/** Shorter values are ordinary words (`.env` files hold more than secrets), and too short for a secret anyway. */
const SHORTEST = 6

/** Runs that could be a key: letters and digits mixed, this long and this irregular. */
const RUN = /[A-Za-z0-9_+=~-]{12,}/g
const RANDOM_LENGTH = 20
const RANDOM_ENTROPY = 3.6

/**
 * The last thing that happens to an issue before anybody sees it. Threat: a token pasted into the wrong place of a
 * policy ends up in a terminal, a CI log or a bug report, quoted by our own error message. Hides every known secret
 * value, everything shaped like a well-known token, and every long irregular run. Control bytes are replaced, for a
 * policy is not always written by whoever reads the message.
 */
export function scrubIssue(issue: PolicyIssue, secrets: readonly string[]): PolicyIssue {
  return { ...issue, problem: scrub(issue.problem, secrets), fix: scrub(issue.fix, secrets) }
}

export function scrub(text: string, secrets: readonly string[]): string {
  let clean = text
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret.length >= SHORTEST) clean = clean.replaceAll(secret, HIDDEN)
  }
  return clean.replace(RUN, (run) => (looksSecret(run) ? HIDDEN : run)).replace(/[^\x20-\x7e…]/g, '?')
}

function looksSecret(run: string): boolean {
  const token = TOKEN_SHAPES.some(({ prefix }) => run.startsWith(prefix) && /\d/.test(run))
  return token || (run.length >= RANDOM_LENGTH && /\d/.test(run) && shannon(run) > RANDOM_ENTROPY)
}

/** Text of the policy as it stands in a message. */
export function quote(text: string): string {
  return text.length > 80 ? `\`${text.slice(0, 79)}…\`` : `\`${text}\``
}
