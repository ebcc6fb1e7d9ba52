import { InvalidArgumentError } from 'commander'

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
