import type { Agent, Destination } from '#firewall/contracts/policy.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { RuleKinds } from '#firewall/rules/index.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import type { PolicyFile } from '../schema/policy.js'
import { readRules } from '../services/rules.js'
import type { BuiltService } from '../services/services.js'

/**
 * Reads the `rules` of agents. They can only restrict: a request must be allowed by the service's rules and by those of its
 * agent.
 *
 * @param broken names such as `services.jira` of parts with issues of their own
 * @returns the destinations, with the rules of their agents
 */
export function narrowDestinations(
  built: readonly BuiltService[],
  file: PolicyFile['agents'],
  agents: readonly Agent[],
  broken: ReadonlySet<string>,
  kinds: RuleKinds,
  issues: IssueList,
): readonly Destination[] {
  const narrowed = new Map<string, Record<string, readonly Rule[]>>()
  for (const { name, services } of agents) {
    for (const [service, lines] of Object.entries(file?.[name]?.rules ?? {})) {
      const path: Path = ['agents', name, 'rules', service]
      const rules = readRules(lines, path, kinds, issues)
      const narrow = built.find((one) => one.service.name === service)
      if (narrow === undefined || (services !== null && !services.includes(service))) {
        if (broken.has(`services.${service}`) || broken.has('services')) continue
        const problem = `Agent ${quote(name)} has no access to service ${quote(service)}, so these rules have no effect`
        const fix = `Add ${quote(service)} to the agent's \`services\`, or remove the rules`
        issues.add(path, { problem, fix }, 'key')
        continue
      }
      checkReachable(rules, narrow.rules, path, kinds, issues)
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
          rules.map((rule) => kinds.below(rule, basePath)),
        ]),
      )
      return { ...destination, agentRules }
    })
  })
}

/** Reports rules of an agent that match only what the service denies to all agents. */
function checkReachable(
  rules: readonly Rule[],
  service: readonly Rule[],
  path: Path,
  kinds: RuleKinds,
  issues: IssueList,
): void {
  for (const rule of rules) {
    const first = service.find(
      (other) =>
        // A call by gRPC is a request of HTTP, too: the one may be a part of the other.
        (other.effect !== 'deny' && (rule.kind !== other.kind || kinds.overlaps(rule, other))) ||
        kinds.shadowedBy(rule, [other]) !== null,
    )
    if (first !== undefined && first.effect !== 'deny') continue
    const index = Number(/(\d+)\]$/.exec(rule.id)?.[1])
    const why =
      first === undefined
        ? 'the service does not allow it'
        : `the service denies it with ${quote(first.text)} (${first.id})`
    issues.add([...path, index, rule.effect], {
      problem: `Rule ${quote(rule.text)} never applies: ${why}`,
      fix: "Remove it, or allow it in the service's rules (agent rules can only restrict)",
    })
  }
}
