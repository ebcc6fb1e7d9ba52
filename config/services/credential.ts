import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { Credential, CredentialKind } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import type { PlaceholderFormat } from '#firewall/contracts/service.js'
import type { LoadContext } from './context.js'
import { placeholderFormat } from './placeholder-format.js'
import type { Path } from '../issues/issue.js'
import { checkTogether, type ResolvedField } from '../secrets/credential-inputs.js'
import { parseTemplate, renderTemplate } from '../secrets/template.js'
import { weaknessOf } from '../secrets/weak-secret.js'

export interface ResolvedCredential {
  /** Null if it could not be resolved; then there is an issue. */
  readonly credential: Credential | null
  /** Placeholder formats by the names of the secrets. */
  readonly placeholders: Readonly<Record<string, PlaceholderFormat>>
  /** Names of all secrets that the policy refers to here, found or not. */
  readonly names: readonly string[]
}

type CredentialFile = Readonly<Record<string, string | Record<string, string> | undefined>>

/**
 * Resolves the credential of a service: one kind, with the values of its secrets.
 *
 * @param formats placeholder formats by field, for secrets whose prefix does not show their format
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
      problem: kind === undefined ? 'The credential has no type' : 'The credential has more than one type',
      fix: `Use exactly one of: ${names}`,
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
      const weakness = field.secret && typeof value === 'string' ? weaknessOf(name, value) : null
      if (weakness !== null && field.multiline !== true) context.issues.warn(at, weakness)
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
  if (credential !== null) context.resolved({ id, kind, fields: resolved })
  return { credential, placeholders, names: [...names] }
}

function allKnown(texts: Readonly<Record<string, string | null>>): texts is Readonly<Record<string, string>> {
  return Object.values(texts).every((text) => text !== null)
}

/** A credential that knows its locations and endpoints, but cannot inject anything. */
function bindWithoutValues(
  kind: CredentialKind,
  id: string,
  values: Readonly<Record<string, Secret>>,
): Credential {
  const inert: Pick<Credential, 'inject' | 'secretPatterns'> = {
    inject: () => ({
      reason: 'credential-unavailable',
      detail: 'The policy was loaded without secret values.',
    }),
    secretPatterns: () => NO_PATTERNS,
  }
  try {
    const { locations, endpoints = [] } = kind.bind(id, values)
    return { kind: kind.name, id, locations, endpoints, ...inert }
  } catch {
    // Some kinds find their endpoints in a value, and here there are no values.
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
