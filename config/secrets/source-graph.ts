import type { FileContext } from '../files/file-context.js'
import type { SecretSource } from './sources/source.js'

type Sources = ReadonlyMap<string, SecretSource>

/** Reports sources that depend on each other in a circle: none of them could be read first. */
export function checkCircles(sources: Sources, { issues }: FileContext): void {
  for (const [name, { kind, needs }] of sources) {
    const circular = needs.find((need) => reaches(need.name, name, sources, new Set()))
    if (circular === undefined) continue
    const problem =
      circular.name === name
        ? `Secret ${name} depends on itself`
        : `Secret ${name} depends on ${circular.name}, which depends on ${name}`
    const fix = 'Use the environment, a file or a command as the source of one of them'
    issues.add(['secrets', name, kind, circular.key], { problem, fix })
    // The other secrets of the circle would report the same.
    return
  }
}

/**
 * Reports secrets that neither a credential nor another secret uses. If there are other issues, it is unknown which secrets are
 * used.
 *
 * @param used names of the secrets that credentials use
 */
export function checkUnused(sources: Sources, used: ReadonlySet<string>, { issues }: FileContext): void {
  if (issues.size > 0) return
  const needed = neededBy(used, sources)
  for (const name of sources.keys()) {
    if (needed.has(name)) continue
    const fix = `Write \`\${${name}}\` in a credential, or remove the entry`
    issues.add(['secrets', name], { problem: `Secret ${name} is not used`, fix }, 'key')
  }
}

/** These names, and all that their sources depend on. */
export function neededBy(used: Iterable<string>, sources: Sources): ReadonlySet<string> {
  const needed = new Set(used)
  // Iterating over a set includes the names that are added meanwhile.
  for (const name of needed) for (const need of sources.get(name)?.needs ?? []) needed.add(need.name)
  return needed
}

function reaches(from: string, to: string, sources: Sources, seen: Set<string>): boolean {
  if (from === to) return true
  if (seen.has(from)) return false
  seen.add(from)
  return (sources.get(from)?.needs ?? []).some(({ name }) => reaches(name, to, sources, seen))
}
