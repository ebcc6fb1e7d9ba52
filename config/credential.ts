import { isFault, type Fault } from '#firewall/host-pattern.js'
import { Needles } from '#firewall/needles.js'
import type { Credential, CredentialField, CredentialKind } from '#firewall/credential.js'
import { Secret } from '#firewall/secret.js'
import type { DummyShape } from '#firewall/policy.js'
import type { LoadContext } from './context.js'
import { dummyShape } from './dummy.js'
import type { Path } from './issue.js'
import { scrub } from './scrub.js'
import { MIN_SECRET, SECRET_NAME } from './secrets.js'

export interface BoundCredential {
  /** Null when it could not be bound; the issues say why. */
  readonly credential: Credential | null
  /** Stand-ins by the names of the secrets that were found. */
  readonly dummies: Readonly<Record<string, DummyShape>>
  /** Every secret that the policy names here, found or not. */
  readonly names: readonly string[]
}

type CredentialFile = Readonly<Record<string, string | Record<string, string> | undefined>>

/** Binds the one credential of a service to its secrets. */
export function bindCredential(
  service: string,
  file: CredentialFile,
  path: Path,
  context: LoadContext,
): BoundCredential {
  const given = context.kinds.filter(({ name }) => file[name] !== undefined)
  const [kind] = given
  if (kind === undefined || given.length > 1) {
    const names = context.kinds.map(({ name }) => name).join(', ')
    context.issues.add(path, {
      problem:
        kind === undefined ? 'the credential names no kind' : 'the credential names more than one kind',
      fix: `write exactly one of: ${names}`,
    })
    return { credential: null, dummies: {}, names: [] }
  }
  const reader = new FieldReader(context)
  const fields = expandShorthand(kind, file[kind.name] ?? {})
  const values: Record<string, Secret> = {}
  const texts: Record<string, string | null> = {}
  for (const [key, text] of Object.entries(fields)) {
    const field = kind.fields[key]
    if (field === undefined) continue
    const at = typeof file[kind.name] === 'string' ? [...path, kind.name] : [...path, kind.name, key]
    const read = reader.read(field, text)
    if (isFault(read)) context.issues.add(at, read)
    else [values[key], texts[key]] = [read.secret, read.text]
  }
  const complete = Object.entries(kind.fields).every(([key, { optional }]) => optional || key in values)
  const id = `${service}/${kind.name}`
  let credential: Credential | null = null
  if (complete && !allKnown(texts)) credential = bindWithoutValues(kind, id, values)
  else if (complete && allKnown(texts) && fit(kind, texts, [...path, kind.name], context))
    credential = kind.bind(id, values)
  return { credential, dummies: reader.dummies, names: reader.names }
}

function allKnown(texts: Readonly<Record<string, string | null>>): texts is Readonly<Record<string, string>> {
  return Object.values(texts).every((text) => text !== null)
}

/** A credential that can say what it would do, and cannot do it. */
function bindWithoutValues(
  kind: CredentialKind,
  id: string,
  values: Readonly<Record<string, Secret>>,
): Credential {
  const inert: Pick<Credential, 'inject' | 'needles'> = {
    inject: () => ({
      reason: 'credential-unavailable',
      detail: 'the policy was loaded without the values of its secrets',
    }),
    needles: () => NO_NEEDLES,
  }
  try {
    const { slots, endpoints = [] } = kind.bind(id, values)
    return { kind: kind.name, id, slots, endpoints, ...inert }
  } catch {
    // A kind may take a value apart to find its endpoints, and there is none.
    return { kind: kind.name, id, slots: {}, ...inert }
  }
}

const NO_NEEDLES = new Needles([])

function expandShorthand(
  kind: CredentialKind,
  value: string | Record<string, string>,
): Record<string, string> {
  return typeof value === 'string' ? { [kind.shorthand ?? '']: value } : value
}

/** Whether the values fit together; the issue says what does not, without any of them. */
function fit(
  kind: CredentialKind,
  texts: Readonly<Record<string, string>>,
  path: Path,
  { issues }: LoadContext,
): boolean {
  const message = kind.check(texts)
  if (message === null) return true
  const fields = Object.entries(kind.fields).map(([key, { describe }]) => `${key} (${describe})`)
  const secrets = Object.entries(texts).flatMap(([key, value]) => (kind.fields[key]?.secret ? [value] : []))
  issues.add(path, { problem: scrub(message, secrets), fix: `give ${kind.name}: ${fields.join(', ')}` })
  return false
}

/** Reads `${NAME}` templates, remembering every name on the way. */
class FieldReader {
  readonly dummies: Record<string, DummyShape> = {}
  readonly #names = new Set<string>()
  readonly #context: LoadContext

  constructor(context: LoadContext) {
    this.#context = context
  }

  get names(): readonly string[] {
    return [...this.#names]
  }

  /** The text is null when the value of a name in it is not known. */
  read(field: CredentialField, text: string): { secret: Secret; text: string | null } | Fault {
    const pieces = text.split(/\$\{([^{}]*)\}/)
    const literals = pieces.filter((_, index) => index % 2 === 0)
    const names = pieces.filter((_, index) => index % 2 === 1)
    const fault = templateFault(field, literals, names)
    if (fault !== null) return fault
    for (const name of names) this.#names.add(name)
    const values: string[] = []
    for (const name of names) {
      const value = this.#context.secrets.lookUp(name, field.multiline)
      this.dummies[name] = dummyShape(typeof value === 'string' ? value : '')
      if (value === null) continue
      if (typeof value !== 'string') return value
      if (field.secret && value.length < MIN_SECRET) {
        return {
          problem: `${name} is shorter than ${MIN_SECRET} characters, too short to be taken out of responses safely`,
          fix: `use a longer secret for ${name}`,
        }
      }
      values.push(value)
    }
    const label = names.join('+') || 'plain text'
    if (values.length < names.length) return { secret: new Secret(label, '', []), text: null }
    const full = pieces.map((piece, index) => (index % 2 === 0 ? piece : values[(index - 1) / 2])).join('')
    // A user name stands in ordinary responses; only what must be kept secret is taken out of them.
    return {
      secret: new Secret(label, full, field.secret ? values : []),
      text: full,
    }
  }
}

/** Words that may stand around a reference: `Token `, `GenieKey `, `token=`. */
const SCHEME_WORDS = /^[A-Za-z_=:;,."' -]{0,24}$/

/** Faults never repeat the text: it may be the secret itself. */
function templateFault(
  { secret }: CredentialField,
  literals: readonly string[],
  names: readonly string[],
): Fault | null {
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
