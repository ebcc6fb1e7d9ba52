import type { LoadContext } from '../context.js'
import type { SecretValues } from '../secrets.js'
import { readSource, type SecretSource } from './source.js'

type Sources = ReadonlyMap<string, SecretSource>

/** Names in the section `secrets` of a file of any shape. */
export function declaredNames(file: unknown): readonly string[] {
  const section: unknown =
    typeof file === 'object' && file !== null && 'secrets' in file ? file.secrets : null
  return typeof section === 'object' && section !== null ? Object.keys(section) : []
}

/**
 * Reads every source once, and puts the values beside those of the environment. What fails is an issue at its source,
 * and its value is then unknown everywhere else. Nothing is read for a policy that is known to be wrong already.
 */
export async function fillIn(
  values: SecretValues,
  sources: Sources,
  declared: readonly string[],
  { issues }: LoadContext,
): Promise<void> {
  for (const name of declared) {
    const variable = values.variableOf(name)
    if (variable !== null) {
      const problem = `${name} has a source here and is given by ${variable} too`
      issues.add(['secrets', name], { problem, fix: 'remove one of them' }, 'key')
    }
    values.put(name, null)
  }
  if (issues.size === 0) await readAll(sources, values, issues)
}

/** Those that need nothing are read at the same time, the others as soon as they can be. */
async function readAll(sources: Sources, values: SecretValues, issues: LoadContext['issues']): Promise<void> {
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
