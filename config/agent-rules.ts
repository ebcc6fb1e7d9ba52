import { overlapsPath } from '#firewall/rules/path-pattern.js'
import type { Agent, Destination, Rule } from '#firewall/contracts/policy.js'
import type { IssueList, Path } from './issue.js'
import { joinPath, shadowedBy } from './rule.js'
import { readRules } from './rules.js'
import type { PolicyFile } from './schema.js'
import type { BuiltService } from './services.js'
import { quote } from './redact-message.js'

/**
 * Reads the `rules` of agents. They can only take away: a request must be allowed by the service's rules and by those of
 * its agent.
 *
 * @param broken names such as `services.jira` of parts that have issues of their own
 * @returns the destinations, with what their agents may do there
 */
export function narrowDestinations(
  built: readonly BuiltService[],
  file: PolicyFile['agents'],
  agents: readonly Agent[],
  broken: ReadonlySet<string>,
  issues: IssueList,
): readonly Destination[] {
  const narrowed = new Map<string, Record<string, readonly Rule[]>>()
  for (const { name, services } of agents) {
    for (const [service, lines] of Object.entries(file?.[name]?.rules ?? {})) {
      const path: Path = ['agents', name, 'rules', service]
      const rules = readRules(lines, path, issues)
      const narrow = built.find((one) => one.service.name === service)
      if (narrow === undefined || (services !== null && !services.includes(service))) {
        if (broken.has(`services.${service}`) || broken.has('services')) continue
        const problem = `agent ${quote(name)} may not use the service ${quote(service)}, so rules for it say nothing`
        issues.add(path, { problem, fix: `name it in the agent's \`services\`, or remove the rules` }, 'key')
        continue
      }
      checkReachable(rules, narrow.rules, path, issues)
      narrowed.set(service, { ...narrowed.get(service), [name]: rules })
    }
  }
  return built.flatMap(({ service, destinations }) => {
    const own = narrowed.get(service.name)
    if (own === undefined) return destinations
    return destinations.map((destination, index): Destination => {
      const basePath = service.targets[index]?.basePath ?? ''
      const agentRules = Object.fromEntries(
        Object.entries(own).map(([agent, rules]) => [
          agent,
          rules.map((rule) => ({ ...rule, path: joinPath(basePath, rule.path) })),
        ]),
      )
      return { ...destination, agentRules }
    })
  })
}

/** Reports rules of an agent that speak of what the service allows nobody. */
function checkReachable(
  rules: readonly Rule[],
  service: readonly Rule[],
  path: Path,
  issues: IssueList,
): void {
  for (const rule of rules) {
    const first = service.find(
      (other) => (other.effect === 'allow' && overlaps(rule, other)) || shadowedBy(rule, [other]) !== null,
    )
    if (first?.effect === 'allow') continue
    const index = Number(/(\d+)\]$/.exec(rule.id)?.[1])
    const why =
      first === undefined
        ? 'the rules of the service allow nothing of it'
        : `${quote(first.text)} (${first.id}) denies it to everybody`
    issues.add([...path, index, rule.effect], {
      problem: `the rule ${quote(rule.text)} can never decide: ${why}`,
      fix: "remove it, or allow it in the rules of the service: an agent's rules only take away",
    })
  }
}

function overlaps(a: Rule, b: Rule): boolean {
  const methods =
    a.methods === null || b.methods === null || a.methods.some((one) => b.methods?.includes(one))
  return methods && overlapsPath(a.path, b.path)
}
