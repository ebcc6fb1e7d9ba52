import type { CommanderError } from 'commander'
import { EgressError } from './common/errors.js'

const COMMANDS: readonly string[] = [
  'run',
  'serve',
  'doctor',
  'check',
  'explain',
  'init',
  'presets',
  'test',
  'suggest',
  'diff',
  'logs',
]

/** Commander's messages, and ours. */
const PHRASES: readonly (readonly [theirs: RegExp, ours: string])[] = [
  [/^option '(.*)' argument missing$/, 'Missing value for `$1`'],
  [/^option '(.*)' argument '(.*)' is invalid\..*$/s, 'Invalid value `$2` for `$1`'],
  [/^missing required argument '(.*)'$/, 'Missing argument `$1`'],
  [/^too many arguments\b.*$/, 'Too many arguments'],
  [/^unknown (\w+) '(.*)'$/, 'Unknown $1 `$2`'],
]

/** Turns an error of the argument parser into one of ours: what is wrong, what to do. */
export function usageError({ message }: Pick<CommanderError, 'message'>, command = ''): EgressError {
  const [first = '', suggestion = ''] = message.replace(/^error: /, '').split(/\n(?=\(Did you mean)/)
  const phrase = PHRASES.find(([theirs]) => theirs.test(first))
  const advice = /' is invalid\. (.*)\.$/.exec(first)?.[1]
  const near = /^\(Did you mean (?:one of )?(.*)\?\)$/.exec(suggestion)?.[1]
  const help = `\`egress ${COMMANDS.includes(command) ? `${command} ` : ''}--help\``
  return new EgressError({
    code: 'EGRESS_USAGE',
    problem: phrase === undefined ? first : first.replace(...phrase),
    fix: advice ?? (near === undefined ? `See ${help}` : `Did you mean \`${near}\`? See ${help}`),
  })
}
