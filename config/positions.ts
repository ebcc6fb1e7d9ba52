import type { Destination } from '#firewall/contracts/policy.js'
import type { IssueList, Path, SourcePosition } from './issues/issue.js'

/** Positions of destinations and rules in the policy file, by their ids. */
export function positionsOf(
  destinations: readonly Destination[],
  issues: IssueList,
): (readonly [id: string, position: SourcePosition])[] {
  const ids = destinations.flatMap(({ id, service, rules, agentRules = {} }) => [
    id,
    // What decides when no rule of an agent does.
    ...Object.keys(agentRules).map((agent) => `agents.${agent}.rules.${service ?? id}`),
    ...[rules, ...Object.values(agentRules)].flat().map((rule) => rule.id),
  ])
  return [...new Set(ids)].map((id) => [id, issues.position(pathOfId(id))])
}

/** `services.jira.rules[0]` is `['services', 'jira', 'rules', 0]`. */
function pathOfId(id: string): Path {
  return id
    .split(/[.[\]]+/)
    .filter((step) => step !== '')
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step))
}
