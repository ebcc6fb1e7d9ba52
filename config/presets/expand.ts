import type { CredentialKind } from '#firewall/contracts/credential.js'
import type { IssueList } from '../issue.js'
import { nearest } from '../nearest.js'
import { quote } from '../redact-message.js'
import { PRESETS } from './index.js'
import type { Preset } from './preset.js'

type Json = Record<string, unknown>

/** The fields of one kind of credential. */
interface Fields {
  readonly kind: string
  readonly fields: Readonly<Record<string, string>>
}

/**
 * Fills in what presets know: every service that has `use` gets the keys that it does not write itself. Of `credential` and
 * `env` the single fields and variables are filled in.
 *
 * @returns a copy of the file, and names such as `services.jira` of services whose preset there is not, which are left out
 */
export function expandPresets(
  file: unknown,
  kinds: readonly CredentialKind[],
  issues: IssueList,
): { readonly value: unknown; readonly broken: ReadonlySet<string> } {
  const broken = new Set<string>()
  if (!isMapping(file) || !isMapping(file['services'])) return { value: file, broken }
  const services: Json = {}
  for (const [name, service] of Object.entries(file['services'])) {
    if (!isMapping(service) || typeof service['use'] !== 'string') {
      services[name] = service
      continue
    }
    const preset = presetOf(service['use'])
    if (preset === undefined) {
      const names = PRESETS.map((one) => one.name)
      const near = nearest(service['use'], names)
      issues.add(['services', name, 'use'], {
        problem: `there is no preset ${quote(service['use'])}`,
        fix: near === null ? `write one of: ${names.join(', ')}` : `write ${quote(near)}`,
      })
      broken.add(`services.${name}`)
    } else services[name] = expandService(preset, service, kinds)
  }
  return { value: { ...file, services }, broken }
}

export function presetOf(name: string | undefined): Preset | undefined {
  return PRESETS.find((preset) => preset.name === name)
}

/** What a service that uses a preset means, with what its user wrote on top. */
export function expandService({ service }: Preset, given: Json, kinds: readonly CredentialKind[]): Json {
  const { url, targets, rules } = service
  const placed = given['url'] !== undefined || given['targets'] !== undefined
  const credential = mergeCredential(service, given['credential'], kinds)
  const merged: Json = {
    ...(placed
      ? {}
      : { ...(url === undefined ? {} : { url }), ...(targets === undefined ? {} : { targets }) }),
    rules,
    ...given,
    ...(credential === undefined ? {} : { credential }),
  }
  const own = given['env']
  if (own !== undefined && !isMapping(own)) return merged
  const several = Array.isArray(merged['targets']) && merged['targets'].length > 1
  const env = { ...fillIn(service, fieldsOf(credential, kinds), several), ...own }
  return Object.keys(env).length === 0 ? merged : { ...merged, env }
}

/** Fields that stand beside `use` win over those of the preset; another kind replaces it. */
function mergeCredential(
  { credential: preset, also }: Preset['service'],
  given: unknown,
  kinds: readonly CredentialKind[],
): unknown {
  if (preset === undefined) return given
  const known = { ...(also === undefined ? {} : { also }), ...preset }
  if (given === undefined) return known
  if (!isMapping(given)) return given
  const names = kinds.map(({ name }) => name)
  const named = Object.keys(given).filter((key) => names.includes(key))
  const [kind] = Object.keys(preset)
  if (kind === undefined || (named.length > 0 && !named.includes(kind))) return given
  const own = fieldsOf(given, kinds)
  const other = given[kind]
  if (other !== undefined && own === null) return given
  return { ...known, ...given, [kind]: { ...preset[kind], ...own?.fields } }
}

/** Null where it has not the form that it should have, which the schema will say. */
function fieldsOf(credential: unknown, kinds: readonly CredentialKind[]): Fields | null {
  if (!isMapping(credential)) return null
  const kind = kinds.find(({ name }) => credential[name] !== undefined)
  if (kind === undefined) return null
  const value = credential[kind.name]
  if (typeof value === 'string') return { kind: kind.name, fields: { [kind.shorthand ?? '']: value } }
  if (!isMapping(value)) return null
  const texts = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  return { kind: kind.name, fields: Object.fromEntries(texts) }
}

/**
 * The variables of a preset, for the credential as it is in the end: a secret may have another name there. What cannot be
 * filled in is left out.
 */
function fillIn(service: Preset['service'], actual: Fields | null, several: boolean): Record<string, string> {
  const [kind, known = {}] = Object.entries(service.credential ?? {})[0] ?? []
  const fields = actual?.kind === kind ? (actual?.fields ?? {}) : {}
  const environment: Record<string, string> = {}
  for (const [name, template] of Object.entries(service.env ?? {})) {
    let complete = !(several && template.includes('{url}'))
    const text = template.replace(/\{(placeholder|field):(\w+)\}/g, (_, word: string, argument: string) => {
      const field =
        word === 'field'
          ? argument
          : (Object.keys(known).find((key) => known[key]?.includes(`\${${argument}}`)) ?? '')
      const value = fields[field] ?? ''
      const secret = /\$\{([^{}]*)\}/.exec(value)?.[1]
      complete &&= word === 'field' ? value !== '' && secret === undefined : secret !== undefined
      return word === 'field' ? value : `{placeholder:${secret ?? ''}}`
    })
    if (complete) environment[name] = text
  }
  return environment
}

function isMapping(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
