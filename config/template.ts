import type { CredentialField } from '#firewall/contracts/credential.js'
import type { Diagnostic } from '#firewall/names/host-pattern.js'
import { MIN_SECRET, SECRET_NAME, type SecretLookup } from './secrets.js'

/** A value of a credential as the policy writes it: text with references in it, such as `Token ${NAME}`. */
export interface Template {
  /** Text at even places, names at odd ones. */
  readonly pieces: readonly string[]
  readonly names: readonly string[]
}

/** A template with its values filled in. */
export interface Rendered {
  readonly text: string
  /** The parts that must not come back. A user name stands in ordinary responses, so it is not among them. */
  readonly sensitive: readonly string[]
}

/** Faults never repeat the text: it may be the secret itself. */
export function parseTemplate(field: CredentialField, text: string): Template | Diagnostic {
  const pieces = text.split(/\$\{([^{}]*)\}/)
  const literals = pieces.filter((_, index) => index % 2 === 0)
  const names = pieces.filter((_, index) => index % 2 === 1)
  return templateError(field, literals, names) ?? { pieces, names }
}

/** @returns null when the value of a name is not known, and that is no fault */
export function renderTemplate(
  { pieces, names }: Template,
  field: CredentialField,
  secrets: SecretLookup,
): Rendered | Diagnostic | null {
  const values = new Map<string, string>()
  for (const name of names) {
    const value = secrets.lookUp(name, field.multiline)
    if (typeof value !== 'string') return value
    if (field.secret && value.length < MIN_SECRET) {
      return {
        problem: `${name} is shorter than ${MIN_SECRET} characters, too short to be taken out of responses safely`,
        fix: `use a longer secret for ${name}`,
      }
    }
    values.set(name, value)
  }
  const filled = pieces.map((piece, index) => (index % 2 === 0 ? piece : (values.get(piece) ?? '')))
  return { text: filled.join(''), sensitive: field.secret ? [...values.values()] : [] }
}

/** Words that may stand around a reference: `Token `, `GenieKey `, `token=`. */
const SCHEME_WORDS = /^[A-Za-z_=:;,."' -]{0,24}$/

function templateError(
  { secret }: CredentialField,
  literals: readonly string[],
  names: readonly string[],
): Diagnostic | null {
  if (literals.some((literal) => literal.includes('${')) || !names.every((name) => SECRET_NAME.test(name))) {
    return {
      problem: 'a `${…}` here does not name a secret',
      fix: 'write `${NAME}` with upper-case letters, digits and underscores; defaults and nesting are not supported',
    }
  }
  if (literals.some((literal) => /[\x00-\x1f\x7f]/.test(literal))) {
    return { problem: 'the value has a line break or a control byte in it', fix: 'write it on one line' }
  }
  if (!secret)
    return literals.join('') === '' && names.length === 0
      ? { problem: 'the value is empty', fix: 'write a value' }
      : null
  if (names.length === 0) {
    return {
      problem: 'a secret is written into the policy itself',
      fix: 'put it into the environment or into .env, and write `"${NAME}"` here; then replace the secret, for it was in a file',
    }
  }
  if (!literals.every((literal) => SCHEME_WORDS.test(literal))) {
    return {
      problem: 'part of a secret may be written into the policy itself',
      fix: 'beside `${NAME}` write nothing but a scheme word, such as `"Token ${NAME}"`',
    }
  }
  return null
}
