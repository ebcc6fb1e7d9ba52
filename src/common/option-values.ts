import { InvalidArgumentError } from 'commander'
import { usage } from './errors.js'

/** Rejects the value that an unset shell variable leaves (`--agent ""`), and `--` in `--agent -- command`. */
export function requireValue(text: string): string {
  if (text === '' || text.startsWith('--')) throw new InvalidArgumentError('Add a value after the option.')
  return text
}

/** Of an option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, requireValue(value)]
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Use a whole number.')
  return Number(text)
}

/** The policy of a command that takes it as an argument, and as the option that other commands have. */
export function onePolicy(
  command: string,
  file: string | undefined,
  policy: string | undefined,
): string | undefined {
  if (file !== undefined && policy !== undefined)
    throw usage(
      'The policy file is given twice',
      `Use \`egress ${command} ${policy}\` or \`egress ${command} --policy ${policy}\``,
    )
  return file ?? policy
}
