import { isDiagnostic, type Diagnostic } from '#firewall/names/host-pattern.js'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { Credential, CredentialField, CredentialKind } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import type { PlaceholderFormat } from '#firewall/contracts/policy.js'
import type { LoadContext } from './context.js'
import { placeholderFormat } from './placeholder-format.js'
import type { Path } from './issue.js'
import { redactMessage } from './redact-message.js'
import { parseTemplate, renderTemplate, type Template } from './template.js'

/** One value of a bound credential, with what it was made of: it is made again when a secret changes. */
export interface ResolvedField {
  readonly key: string
  readonly field: CredentialField
  readonly template: Template
  readonly secret: Secret
}

/** The values of one credential, which have to fit together. */
export interface CredentialInputs {
  readonly kind: CredentialKind
  readonly fields: readonly ResolvedField[]
}

export interface ResolvedCredential {
  /** Null when it could not be bound; the issues say why. */
  readonly credential: Credential | null
  /** Placeholders by the names of the secrets that were found. */
  readonly placeholders: Readonly<Record<string, PlaceholderFormat>>
  /** Every secret that the policy names here, found or not. */
  readonly names: readonly string[]
}

type CredentialFile = Readonly<Record<string, string | Record<string, string> | undefined>>

/**
 * Binds the one credential of a service to its secrets.
 *
 * @param shapes of placeholders whose secrets do not tell theirs, by field
 */
export function resolveCredential(
  service: string,
  file: CredentialFile,
  path: Path,
  context: LoadContext,
  formats: Readonly<Record<string, PlaceholderFormat>> = {},
): ResolvedCredential {
  const given = context.kinds.filter(({ name }) => file[name] !== undefined)
  const [kind] = given
  if (kind === undefined || given.length > 1) {
    const names = context.kinds.map(({ name }) => name).join(', ')
    context.issues.add(path, {
      problem:
        kind === undefined ? 'the credential names no kind' : 'the credential names more than one kind',
      fix: `write exactly one of: ${names}`,
    })
    return { credential: null, placeholders: {}, names: [] }
  }
  const secrets: Record<string, Secret> = {}
  const texts: Record<string, string | null> = {}
  const resolved: ResolvedField[] = []
  const names = new Set<string>()
  const placeholders: Record<string, PlaceholderFormat> = {}
  for (const [key, text] of Object.entries(expandShorthand(kind, file[kind.name] ?? {}))) {
    const field = kind.fields[key]
    if (field === undefined) continue
    const at = typeof file[kind.name] === 'string' ? [...path, kind.name] : [...path, kind.name, key]
    const template = parseTemplate(field, text)
    if (isDiagnostic(template)) {
      context.issues.add(at, template)
      continue
    }
    for (const name of template.names) {
      names.add(name)
      const value = context.secrets.lookUp(name, field.multiline)
      placeholders[name] = placeholderFormat(typeof value === 'string' ? value : '', formats[key])
    }
    const rendered = renderTemplate(template, field, context.secrets)
    if (rendered !== null && isDiagnostic(rendered)) {
      context.issues.add(at, rendered)
      continue
    }
    const label = template.names.join('+') || 'plain text'
    const secret = new Secret(label, rendered?.text ?? '', rendered?.sensitive ?? [])
    secrets[key] = secret
    texts[key] = rendered?.text ?? null
    resolved.push({ key, field, template, secret })
  }
  const complete = Object.entries(kind.fields).every(([key, { optional }]) => optional || key in secrets)
  const id = `${service}/${kind.name}`
  const bind = (): Credential | null => {
    if (!complete) return null
    if (!allKnown(texts)) return bindWithoutValues(kind, id, secrets)
    const diagnostic = checkTogether(kind, texts)
    if (diagnostic !== null) context.issues.add([...path, kind.name], diagnostic)
    return diagnostic === null ? kind.bind(id, secrets) : null
  }
  const credential = bind()
  if (credential !== null) context.resolved({ kind, fields: resolved })
  return { credential, placeholders, names: [...names] }
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
  const inert: Pick<Credential, 'inject' | 'secretPatterns'> = {
    inject: () => ({
      reason: 'credential-unavailable',
      detail: 'the policy was loaded without the values of its secrets',
    }),
    secretPatterns: () => NO_PATTERNS,
  }
  try {
    const { locations, endpoints = [] } = kind.bind(id, values)
    return { kind: kind.name, id, locations, endpoints, ...inert }
  } catch {
    // A kind may take a value apart to find its endpoints, and there is none.
    return { kind: kind.name, id, locations: {}, ...inert }
  }
}

const NO_PATTERNS = new SecretPatterns([])

function expandShorthand(
  kind: CredentialKind,
  value: string | Record<string, string>,
): Record<string, string> {
  return typeof value === 'string' ? { [kind.shorthand ?? '']: value } : value
}

/** What keeps the values of one credential from being used together, without any of them. */
export function checkTogether(
  kind: CredentialKind,
  texts: Readonly<Record<string, string>>,
): Diagnostic | null {
  const message = kind.check(texts)
  if (message === null) return null
  const fields = Object.entries(kind.fields).map(([key, { describe }]) => `${key} (${describe})`)
  const secrets = Object.entries(texts).flatMap(([key, value]) => (kind.fields[key]?.secret ? [value] : []))
  return { problem: redactMessage(message, secrets), fix: `give ${kind.name}: ${fields.join(', ')}` }
}
