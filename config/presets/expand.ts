import type { CredentialKind } from '#firewall/contracts/credential.js'
import type { IssueList } from '../issues/issue.js'
import { nearest } from '#firewall/rules/nearest.js'
import { quote } from '../issues/quote.js'
import { PRESETS } from './index.js'
import { presetRules, readParameters } from './parameters.js'
import type { Preset } from './preset.js'

type Json = Record<string, unknown>

/** The fields of one kind of credential. */
interface Fields {
  readonly kind: string
  readonly fields: Readonly<Record<string, string>>
}

/**
 * Expands presets: a service with `use` gets the preset's keys that it does not set itself, and its rules for the parameters. In
 * `credential` and `env`, single fields and variables are merged.
 *
 * @returns a copy of the file without services of an unknown preset, and the names of these (`services.jira`)
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
        problem: `Unknown preset ${quote(service['use'])}`,
        fix: near === null ? `Use one of: ${names.join(', ')}` : `Write ${quote(near)}`,
      })
      broken.add(`services.${name}`)
      continue
    }
    if (service['rules'] !== undefined && service['extra_rules'] !== undefined) {
      const problem = '`extra_rules` has no effect: `rules` replaces the rules of the preset'
      issues.add(['services', name, 'extra_rules'], { problem, fix: 'Write all rules in `rules`' }, 'key')
    }
    const errors = readParameters(preset, service).errors
    for (const { key, ...error } of errors)
      issues.add(['services', name, key ?? 'use'], error, key === null ? 'value' : 'key')
    if (errors.length > 0) broken.add(`services.${name}`)
    else services[name] = expandService(preset, service, kinds)
  }
  return { value: { ...file, services }, broken }
}

export function presetOf(name: string | undefined): Preset | undefined {
  return PRESETS.find((preset) => preset.name === name)
}

/**
 * A service with its preset expanded. The keys of the policy override those of the preset; its parameters must be valid, and are
 * gone.
 */
export function expandService(preset: Preset, service: Json, kinds: readonly CredentialKind[]): Json {
  const { url, targets } = preset.service
  const parameters = Object.keys(preset.parameters ?? {})
  const given = Object.fromEntries(Object.entries(service).filter(([key]) => !parameters.includes(key)))
  const rules = presetRules(preset, readParameters(preset, service).values)
  const placed = given['url'] !== undefined || given['targets'] !== undefined
  const credential = mergeCredential(preset.service, given['credential'], kinds)
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
  const env = { ...fillIn(preset.service, fieldsOf(credential, kinds), several), ...own }
  return Object.keys(env).length === 0 ? merged : { ...merged, env }
}

/** Fields of the policy override those of the preset; another kind of credential replaces the preset's. */
function mergeCredential(
  { credential: preset, also_in: alsoIn }: Preset['service'],
  given: unknown,
  kinds: readonly CredentialKind[],
): unknown {
  if (preset === undefined) return given
  const known = { ...(alsoIn === undefined ? {} : { also_in: alsoIn }), ...preset }
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

/** Null if the value does not fit the schema, which is reported later. */
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
 * The variables of a preset for the merged credential, whose secrets may have other names. Variables that cannot be expanded are
 * left out.
 */
function fillIn(service: Preset['service'], actual: Fields | null, several: boolean): Record<string, string> {
  const [kind, known = {}] = Object.entries(service.credential ?? {})[0] ?? []
  const fields = actual?.kind === kind ? (actual?.fields ?? {}) : {}
  const environment: Record<string, string> = {}
  for (const [name, template] of Object.entries(service.env ?? {})) {
    let complete = !(several && template.includes('{url}'))
    const text = template.replace(
      /\{(placeholder|field):(\w+)\}/g,
      (_, variable: string, argument: string) => {
        const field =
          variable === 'field'
            ? argument
            : (Object.keys(known).find((key) => known[key]?.includes(`\${${argument}}`)) ?? '')
        const value = fields[field] ?? ''
        const secret = /\$\{([^{}]*)\}/.exec(value)?.[1]
        complete &&= variable === 'field' ? value !== '' && secret === undefined : secret !== undefined
        return variable === 'field' ? value : `{placeholder:${secret ?? ''}}`
      },
    )
    if (complete) environment[name] = text
  }
  return environment
}

function isMapping(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
