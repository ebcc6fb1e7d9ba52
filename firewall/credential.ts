import type { Needles } from './needles.js'
import type { Secret } from './secret.js'

/** Request headers by lower-case name. */
export type Headers = Record<string, string | string[]>

/** A credential bound to one service: it knows its slot, and is the last to touch a request before it leaves. */
export interface Credential {
  /** The kind's name, for example `bearer`. */
  readonly kind: string
  /** What the audit log calls it: `<service>/<kind>`. Never a value. */
  readonly id: string
  /** Lower-case header names that are the credential's own: whatever the sandbox sent there is removed. */
  readonly slots: readonly string[]
  /** Puts the real value in. Called after every check, on the headers that are about to be written upstream. */
  inject(headers: Headers): void
  /** Every byte sequence that must not come back on a response to this request. */
  needles(): Needles
}

/** One value of a credential as the policy spells it. */
export interface CredentialField {
  /** True when the value must come from a secret source; false when plain text is fine (a user name). */
  readonly secret: boolean
  /** One line for the reference. */
  readonly describe: string
}

/**
 * A kind of credential. To add one: a file under `proxy/credentials/` that exports such a table entry, and its name in
 * `proxy/credentials/index.ts`. The policy loader builds its schema from `fields`, so nothing else changes.
 */
export interface CredentialKind {
  readonly name: string
  /** What it does to a request, in one line. */
  readonly summary: string
  readonly fields: Readonly<Record<string, CredentialField>>
  /** The field that a bare string sets: `bearer: ${TOKEN}` is `bearer: { token: ${TOKEN} }`. */
  readonly shorthand: string | null
  /** Returns a message when the values do not fit together (an unusable header name), else null. */
  check(values: Readonly<Record<string, string>>): string | null
  bind(id: string, values: Readonly<Record<string, Secret>>): Credential
}
