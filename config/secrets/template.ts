import type { CredentialField } from '#firewall/contracts/credential.js'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import { SECRET_NAME } from '../schema/secrets.js'
import { MIN_SECRET, type SecretLookup } from './secret-values.js'

/** A value of a credential as the policy writes it: text with references in it, such as `Token ${NAME}`. */
export interface Template {
  /** Text at even indexes, names at odd ones. */
  readonly pieces: readonly string[]
  readonly names: readonly string[]
}

/** A template with its secrets inserted. */
export interface Rendered {
  readonly text: string
  /**
   * The parts to redact from responses: whatever a reference stands for, in any field. A value in a field that also takes plain
   * text (a user name) may be shorter than what can be redacted; then it is taken for plain text.
   */
  readonly sensitive: readonly string[]
}

/** Errors never quote the text: it may be the secret itself. */
export function parseTemplate(field: CredentialField, text: string): Template | Diagnostic {
  const pieces = text.split(/\$\{([^{}]*)\}/)
  const literals = pieces.filter((_, index) => index % 2 === 0)
  const names = pieces.filter((_, index) => index % 2 === 1)
  return templateError(field, literals, names) ?? { pieces, names }
}

/** @returns null if the value of a name is unknown and that is not an error */
export function renderTemplate(
  { pieces, names }: Template,
  field: CredentialField,
  secrets: SecretLookup,
): Rendered | Diagnostic | null {
  const values = new Map<string, string>()
  for (const name of names) {
    const value = secrets.lookUp(name, field.multiline)
    if (typeof value !== 'string') return value
    if (field.secret && value.trim().length < MIN_SECRET) {
      return {
        problem: `${name} has fewer than ${MIN_SECRET} characters, which is too short to redact reliably`,
        fix: `Use a longer secret for ${name}`,
      }
    }
    values.set(name, value)
  }
  const text = pieces.map((piece, index) => (index % 2 === 0 ? piece : (values.get(piece) ?? ''))).join('')
  if (field.inHeader === true && /[^\x20-\x7e]/.test(text)) {
    const name = names.find((one) => /[^\x20-\x7e]/.test(values.get(one) ?? '')) ?? 'The value'
    return {
      problem: `${name} contains a character that no header can contain`,
      fix: `Check ${name}: only printable ASCII can be sent in a header`,
    }
  }
  // Servers ignore white space around a header's value, so what they return is the secret without it.
  const known = [...values.values()].flatMap((value) => [value, value.trim()])
  return { text, sensitive: [...new Set(known)].filter(({ length }) => length >= MIN_SECRET) }
}

/** Text that is allowed around a reference: `Token `, `GenieKey `, `token=`. */
const SCHEME_WORDS = /^[A-Za-z_=:;,."' -]{0,24}$/

function templateError(
  { secret }: CredentialField,
  literals: readonly string[],
  names: readonly string[],
): Diagnostic | null {
  if (literals.some((literal) => literal.includes('${')) || !names.every((name) => SECRET_NAME.test(name))) {
    return {
      problem: 'Invalid secret reference `${…}`',
      fix: 'Write `${NAME}` with upper-case letters, digits and underscores; defaults and nesting are not supported',
    }
  }
  if (literals.some((literal) => /[\x00-\x1f\x7f]/.test(literal))) {
    return { problem: 'The value contains a line break or a control byte', fix: 'Write it on one line' }
  }
  if (!secret)
    return literals.join('') === '' && names.length === 0
      ? { problem: 'The value is empty', fix: 'Write a value' }
      : null
  if (names.length === 0) {
    return {
      problem: 'The policy contains a secret',
      fix: 'Move it to the environment or .env, write `"${NAME}"` here, and rotate the secret',
    }
  }
  if (!literals.every((literal) => SCHEME_WORDS.test(literal))) {
    return {
      problem: 'The policy may contain a part of a secret',
      fix: 'Write only a scheme word beside `${NAME}`, such as `"Token ${NAME}"`',
    }
  }
  return null
}
