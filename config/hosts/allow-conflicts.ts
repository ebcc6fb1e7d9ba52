import { isDeepStrictEqual } from 'node:util'
import type { Destination } from '#firewall/contracts/policy.js'
import { coversHost } from '#firewall/names/host-pattern.js'
import type { RuleKinds } from '#firewall/rules/index.js'
import type { Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import type { LoadContext } from '../services/context.js'

/**
 * Reports entries that never apply. The policy engine prefers an exact name to any wildcard and a longer suffix to a shorter
 * one, so only entries with the same name or suffix can shadow each other: `pypi.org` beside `*.org.example` is not a
 * duplicate, but the way to add rules for one name.
 */
export function checkAllowConflicts(allow: readonly Destination[], { issues, ruleKinds }: LoadContext): void {
  const buckets = new Map<string, Destination[]>()
  for (const entry of allow) {
    const path: Path = ['allow', Number(/\d+/.exec(entry.id)?.[0]), 'host']
    const earlier = buckets.get(bucketOf(entry)) ?? []
    const rivals = earlier.filter((other) => rival(other, entry))
    const shadow = rivals.find((other) => covers(other, entry, ruleKinds))
    const otherLimits = earlier.find(
      (other) => sameText(other, entry) && !isDeepStrictEqual(other.nameLimits, entry.nameLimits),
    )
    earlier.push(entry)
    buckets.set(bucketOf(entry), earlier)
    if (otherLimits !== undefined) {
      issues.add([...path.slice(0, -1), 'name_limits'], {
        problem: `${otherLimits.id} and ${entry.id} disagree about \`name_limits\` for ${quote(entry.host.text)}`,
        fix: 'Use the same `name_limits` in both: a name is resolved before its port is known',
      })
    }
    const mixed = rivals.find(({ mode }) => mode !== entry.mode)
    if (mixed !== undefined) {
      issues.add(path, {
        problem: `${mixed.id} and ${entry.id} disagree about \`tunnel\` for ${quote(entry.host.text)}`,
        fix: 'Use the same `tunnel` setting in both',
      })
    } else if (shadow !== undefined) {
      issues.add(path, {
        problem: `${quote(entry.host.text)} (${entry.id}) never applies: ${quote(shadow.host.text)} (${shadow.id}) matches first`,
        fix: `Remove ${entry.id}, or narrow ${shadow.id}`,
      })
    }
  }
}

/** True if one connection can match both, which are in one bucket. */
function rival(a: Destination, b: Destination): boolean {
  return a.scheme === b.scheme && a.ports.some((port) => b.ports.includes(port))
}

function sameText(a: Destination, b: Destination): boolean {
  return a.host.text === b.host.text
}

/** The same for entries with the same name, and for wildcards with the same suffix. */
function bucketOf({ host }: Destination): string {
  return host.kind === 'exact' ? host.text : `*.${host.suffix}`
}

function covers(outer: Destination, inner: Destination, ruleKinds: RuleKinds): boolean {
  return (
    coversHost(outer.host, inner.host) &&
    inner.ports.every((port) => outer.ports.includes(port)) &&
    inner.rules.every((rule) => ruleKinds.shadowedBy(rule, outer.rules) !== null)
  )
}
