import type { CredentialField, CredentialKind } from '#firewall/contracts/credential.js'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { Secret } from '#firewall/secrets/secret.js'
import { redactMessage } from '../issues/redact-message.js'
import type { Template } from './template.js'

/** One value of a resolved credential, with its template: it is rendered again when a secret changes. */
export interface ResolvedField {
  readonly key: string
  readonly field: CredentialField
  readonly template: Template
  readonly secret: Secret
}

/** The values of one credential, which must fit together. */
export interface CredentialInputs {
  /** Of the credential. */
  readonly id: string
  readonly kind: Pick<CredentialKind, 'name' | 'fields' | 'check'>
  readonly fields: readonly ResolvedField[]
}

/** Null if the values of one credential can be used together, otherwise why not. The message contains no secret. */
export function checkTogether(
  kind: CredentialInputs['kind'],
  texts: Readonly<Record<string, string>>,
): Diagnostic | null {
  const message = kind.check(texts)
  if (message === null) return null
  const fields = Object.entries(kind.fields).map(([key, { describe }]) => `${key} (${describe})`)
  const secrets = Object.entries(texts).flatMap(([key, value]) => (kind.fields[key]?.secret ? [value] : []))
  return { problem: redactMessage(message, secrets), fix: `Set ${kind.name}: ${fields.join(', ')}` }
}
