import type { CommanderError } from 'commander'
import { EgressError } from './errors.js'

const COMMANDS: readonly string[] = ['run', 'serve', 'doctor', 'check', 'explain', 'init', 'presets', 'logs']

const PHRASES: readonly (readonly [theirs: RegExp, ours: string])[] = [
  [/^option '(.*)' argument missing$/, '`$1` has no value'],
  [/^option '(.*)' argument '(.*)' is invalid\..*$/s, '`$1` cannot be `$2`'],
  [/^missing required argument '(.*)'$/, 'the argument `$1` is missing'],
  [/^too many arguments\b.*$/, 'there are too many arguments'],
  [/^unknown (\w+) '(.*)'$/, 'there is no $1 `$2`'],
]

/** The parser's complaint in our form: what is wrong, what to do. */
export function usageError({ message }: Pick<CommanderError, 'message'>, command = ''): EgressError {
  const [first = '', suggestion = ''] = message.replace(/^error: /, '').split(/\n(?=\(Did you mean)/)
  const phrase = PHRASES.find(([theirs]) => theirs.test(first))
  const advice = /' is invalid\. (.*)\.$/.exec(first)?.[1]
  const near = /^\(Did you mean (?:one of )?(.*)\?\)$/.exec(suggestion)?.[1]
  const help = `see \`egress ${COMMANDS.includes(command) ? `${command} ` : ''}--help\``
  return new EgressError({
    code: 'EGRESS_USAGE',
    problem: phrase === undefined ? first : first.replace(...phrase),
    fix: advice ?? (near === undefined ? help : `write \`${near}\`, or ${help}`),
  })
}
