import { HIDDEN, hideSecrets } from '#config/issues/redact-message.js'
import type { Secret } from '#firewall/secrets/secret.js'
import { quoteWord } from '../sandbox/shell-quote.js'

/** Characters of a command that a record has at most: scripts are given on the command line, too. */
const MAX_LENGTH = 4_096

/** What a secret is called, as a part of the name of an option, a variable or a header. Bounded, so that the work stays linear. */
const NAME =
  '(?:token|secret|passw|pwd|credential|api[_-]?key|access[_-]?key|private[_-]?key|auth|cookie|session)[\\w.-]{0,40}'

/** A value: up to the end of the word, or of its quotes. */
const VALUE = `(?:"[^"]{0,4096}"?|'[^']{0,4096}'?|[^\\s"';&|()]+)`

/** `--token=x`, `TOKEN=x`, `"token": "x"`, `Authorization: Bearer x`. */
const ASSIGNED = new RegExp(
  `(${NAME}["']?\\s{0,9}[=:]\\s{0,9}(?:(?:bearer|basic|token)\\s{1,9})?)${VALUE}`,
  'gi',
)

/** `--token x` inside one argument, which then is a script. */
const OPTION = new RegExp(`(\\s--?[\\w.-]{0,40}${NAME}\\s{1,9})(?!-)${VALUE}`, 'gi')

/** An option whose value is the next argument. */
const OPTION_ALONE = new RegExp(`^--?[\\w.-]{0,40}${NAME}$`, 'i')

/** curl's and wget's; only what follows a colon is secret. */
const USER_OPTION = /^(?:-u|--user|--proxy-user)$/

const USERINFO = /(:\/\/)[^/\s@"']+@/g

/**
 * A command as a shell would take it, for a record. Threat: what people put on command lines is as often a password as not, and a log
 * is kept longer and read by more people than a list of processes.
 *
 * @param secrets that are hidden wherever they occur
 */
export function maskCommand(command: readonly string[], secrets: readonly Secret[]): string {
  const words = command.map((word, index) => {
    const before = index === 0 ? '' : (command[index - 1] ?? '')
    if (OPTION_ALONE.test(before)) return HIDDEN
    if (USER_OPTION.test(before)) return word.replace(/:.*$/s, `:${HIDDEN}`)
    return maskText(secrets.reduce((text, secret) => secret.hideIn(text, HIDDEN), word))
  })
  const line = words.map((word) => (word === HIDDEN ? word : quoteWord(word))).join(' ')
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line
}

function maskText(text: string): string {
  const named = text
    .replace(USERINFO, `$1${HIDDEN}@`)
    .replace(ASSIGNED, `$1${HIDDEN}`)
    .replace(OPTION, `$1${HIDDEN}`)
  return hideSecrets(named, [])
}
