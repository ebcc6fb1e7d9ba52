import type { FileContext } from '../files/file-context.js'
import type { SecretValues } from './secret-values.js'
import { readSource, type SecretSource } from './sources/source.js'

type Sources = ReadonlyMap<string, SecretSource>

/** Names in the section `secrets` of a file that may not be valid yet. */
export function declaredNames(file: unknown): readonly string[] {
  const section: unknown =
    typeof file === 'object' && file !== null && 'secrets' in file ? file.secrets : null
  return typeof section === 'object' && section !== null ? Object.keys(section) : []
}

/**
 * Reads every source once, and adds the values to those of the environment. A source that fails is one issue; credentials that
 * use its value report nothing. No source is read for a policy that already has issues.
 */
export async function fillIn(
  values: SecretValues,
  sources: Sources,
  declared: readonly string[],
  { issues }: FileContext,
): Promise<void> {
  for (const name of declared) {
    const variable = values.variableOf(name)
    if (variable !== null) {
      const problem = `${name} is set twice: here and by ${variable}`
      issues.add(['secrets', name], { problem, fix: 'Remove one of them' }, 'key')
    }
    values.put(name, null)
  }
  if (issues.size === 0) await readAll(sources, values, issues)
}

/** Sources without dependencies are read in parallel, the others as soon as their dependencies are there. */
async function readAll(sources: Sources, values: SecretValues, issues: FileContext['issues']): Promise<void> {
  const pending = new Map<string, Promise<void>>()
  const settle = (name: string): Promise<void> => {
    const source = sources.get(name)
    if (source === undefined) return Promise.resolve()
    const known = pending.get(name) ?? read(source)
    pending.set(name, known)
    return known
  }
  const read = async (source: SecretSource): Promise<void> => {
    const { name, kind, needs } = source
    await Promise.all(needs.map((need) => settle(need.name)))
    const known = new Map<string, string>()
    for (const need of needs) {
      const value = values.lookUp(need.name)
      if (typeof value === 'string') known.set(need.name, value)
      else if (value !== null) issues.add(['secrets', name, kind, need.key], value)
    }
    if (needs.some((need) => !known.has(need.name))) return
    const value = await readSource(source, {
      now: Date.now,
      valueOf: (need) => known.get(need) ?? '',
      signal: new AbortController().signal,
    })
    if (typeof value === 'string') values.put(name, value)
    else issues.add(['secrets', name, kind], { ...value, problem: `${name}: ${value.problem}` })
  }
  await Promise.all([...sources.keys()].map(settle))
}
