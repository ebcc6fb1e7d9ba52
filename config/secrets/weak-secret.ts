import type { Diagnostic } from '#firewall/contracts/diagnostic.js'

/** Below this, a value is in reach of guessing, and common enough in ordinary responses that redaction gives it away. */
const SHORT = 12

/** What examples and templates write in place of a value. Short words stand alone: a random secret may contain one. */
const PLACEHOLDER =
  /change.?(me|it|this)|replace.?(me|this)|your.{0,3}(api|key|token|secret|password|value)|placeholder|example|(?<![a-z])(dummy|to.?do|fix.?me|x{5,})(?![a-z])|insert.?here|^<.*>$|not.?a.?(real|secret)|^(my|the|some|test|fake|sample).?(api.?)?(key|token|secret|password)/i

const SEQUENCES = ['abcdefghijklmnopqrstuvwxyz', '01234567890123456789', 'qwertyuiop', 'asdfghjkl', 'zxcvbnm']

/**
 * Why a secret is likely to be wrong, or can be guessed: an agent that can make a service echo its guesses learns which of them is
 * redacted. Null if nothing is conspicuous. The texts contain the secret's name alone.
 */
export function weaknessOf(name: string, value: string): Diagnostic | null {
  if (value !== value.trim())
    return {
      problem: `${name} begins or ends with white space`,
      fix: `Remove it where ${name} is set: services reject it, or ignore it`,
    }
  if (PLACEHOLDER.test(value))
    return {
      problem: `${name} looks like a placeholder from an example`,
      fix: `Set ${name} to the real secret`,
    }
  const why = guessable(value)
  if (why === null) return null
  return {
    problem: `${name} can be guessed: it ${why}`,
    fix: 'Replace it at the service with 20 or more random characters',
  }
}

function guessable(value: string): string | null {
  if (value.length < SHORT) return `has fewer than ${String(SHORT)} characters`
  if (new Set(value).size <= 4 || /^(.{1,8})\1+.{0,5}$/su.test(value)) return 'repeats a few characters'
  const letters = value.toLowerCase().replace(/[^a-z0-9]/g, '')
  if (SEQUENCES.some((sequence) => sequence.includes(letters.slice(0, 9)) && letters.length < 16))
    return 'is a sequence of characters'
  return isWord(value) ? 'is a word' : null
}

/** Letters as in a word, perhaps a few digits and signs at its end, and look-alikes: `Sunshine2024!`, `p4ssw0rdp4ssw0rd`. */
function isWord(value: string): boolean {
  const [, word = ''] = /^([A-Za-z][a-z@$013457]*|[A-Z]+)[\d!?.*#_-]{0,6}$/.exec(value) ?? []
  const plain = word.toLowerCase().replace(/[@$013457]/g, (sign) => LOOK_ALIKES[sign] ?? sign)
  if (!/^[a-z]{4,16}$/.test(plain)) return false
  // Random letters have few vowels, and long runs without one.
  return (plain.match(/[aeiouy]/g)?.length ?? 0) * 4 >= plain.length && !/[^aeiouy]{5}/.test(plain)
}

const LOOK_ALIKES: Readonly<Record<string, string>> = {
  '@': 'a',
  $: 's',
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
}
