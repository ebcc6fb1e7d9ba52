import type { CommanderError } from 'commander'
import { usage, type EgressError } from './common/errors.js'

/** Commander's messages, and ours. */
const PHRASES: readonly (readonly [theirs: RegExp, ours: string])[] = [
  [/^option '(.*)' argument missing$/, 'Missing value for `$1`'],
  [/^option '(.*)' argument '(.*)' is invalid\..*$/s, 'Invalid value `$2` for `$1`'],
  [/^missing required argument '(.*)'$/, 'Missing argument `$1`'],
  [/^too many arguments\b.*$/, 'Too many arguments'],
  [/^unknown (\w+) '(.*)'$/, 'Unknown $1 `$2`'],
]

/**
 * Turns an error of the argument parser into one of ours: what is wrong, what to do.
 *
 * @param command the one that was asked for; absent where there is none of that name
 */
export function usageError({ message }: Pick<CommanderError, 'message'>, command?: string): EgressError {
  const [first = '', suggestion = ''] = message.replace(/^error: /, '').split(/\n(?=\(Did you mean)/)
  const phrase = PHRASES.find(([theirs]) => theirs.test(first))
  const advice = /' is invalid\. (.*)\.$/.exec(first)?.[1]
  const near = /^\(Did you mean (?:one of )?(.*)\?\)$/.exec(suggestion)?.[1]
  const help = `\`egress ${command === undefined ? '' : `${command} `}--help\``
  return usage(
    phrase === undefined ? first : first.replace(...phrase),
    advice ?? (near === undefined ? `See ${help}` : `Did you mean \`${near}\`? See ${help}`),
  )
}
