import type { LoadContext } from '../context.js'
import type { SecretSource } from './source.js'

type Sources = ReadonlyMap<string, SecretSource>

/** Reports secrets that need each other in a circle: none of them could be read first. */
export function checkCircles(sources: Sources, { issues }: LoadContext): void {
  for (const [name, { kind, needs }] of sources) {
    const circular = needs.find((need) => reaches(need.name, name, sources, new Set()))
    if (circular === undefined) continue
    const problem =
      circular.name === name ? `${name} needs itself` : `${name} needs ${circular.name}, which needs ${name}`
    const fix = 'let one of them come from the environment, a file or a command'
    issues.add(['secrets', name, kind, circular.key], { problem, fix })
    // Its other members would say the same.
    return
  }
}

/**
 * Reports secrets that neither a credential nor another secret needs. Where other things are wrong, what is used is not
 * known.
 *
 * @param used by credentials
 */
export function checkUnused(sources: Sources, used: ReadonlySet<string>, { issues }: LoadContext): void {
  if (issues.size > 0) return
  const needed = neededBy(used, sources)
  for (const name of sources.keys()) {
    if (needed.has(name)) continue
    const fix = `write \`\${${name}}\` in a credential, or remove it`
    issues.add(['secrets', name], { problem: `nothing uses the secret ${name}`, fix }, 'key')
  }
}

/** These names, and all that their sources need. */
function neededBy(used: ReadonlySet<string>, sources: Sources): ReadonlySet<string> {
  const needed = new Set(used)
  // A set that grows while it is walked is walked to its end.
  for (const name of needed) for (const need of sources.get(name)?.needs ?? []) needed.add(need.name)
  return needed
}

function reaches(from: string, to: string, sources: Sources, seen: Set<string>): boolean {
  if (from === to) return true
  if (seen.has(from)) return false
  seen.add(from)
  return (sources.get(from)?.needs ?? []).some(({ name }) => reaches(name, to, sources, seen))
}
