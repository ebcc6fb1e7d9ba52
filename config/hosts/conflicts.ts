import type { Agent, Destination } from '#firewall/contracts/policy.js'
import type { Service } from '#firewall/contracts/service.js'
import { describeOrigin } from '#firewall/policy-engine/describe.js'
import { agentOfBoth } from '../agents/agents.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import { baseUrlVariable } from '../services/environment.js'

/**
 * Errors between two services that one agent may use: each service alone is fine. By what they share, because comparing all pairs
 * would let a reload of a thousand services stop the gateway for a second.
 */
export function checkServiceConflicts(
  services: readonly Service[],
  agents: readonly Agent[],
  issues: IssueList,
): void {
  const atOrigin = new Map<string, Service[]>()
  const setsVariable = new Map<string, Map<string, Service[]>>()
  for (const later of services) {
    for (const [index, { origin }] of later.targets.entries()) {
      const earlier = getOrSet(atOrigin, describeOrigin(origin), () => [])
      for (const one of earlier) checkOrigin(one, later, index, agents, issues)
      earlier.push(later)
    }
    for (const [name, template] of Object.entries(later.environment)) {
      const values = getOrSet(setsVariable, name, () => new Map<string, Service[]>())
      for (const [value, earlier] of values) {
        const isSameText = value === template && !/\{(url|base_url)\}/.test(template)
        if (!isSameText) for (const one of earlier) checkVariable(one, later, name, agents, issues)
      }
      getOrSet(values, template, () => []).push(later)
    }
  }
}

/** Threat: with two services at one origin, a request could get the credential of the wrong one. */
function checkOrigin(
  earlier: Service,
  later: Service,
  index: number,
  agents: readonly Agent[],
  issues: IssueList,
): void {
  const agent = agentOfBoth(agents, earlier.name, later.name)
  const target = later.targets[index]
  if (agent === undefined || target === undefined) return
  issues.add(targetPath(later, index), {
    problem: `Services ${quote(earlier.name)} and ${quote(later.name)} are both at ${quote(describeOrigin(target.origin))}, and agent ${quote(agent.name)} may use both`,
    fix: 'Merge them into one service, or give them to different `agents`',
  })
}

function targetPath({ name, targets }: Service, index: number): Path {
  return targets.length > 1 ? ['services', name, 'targets', index] : ['services', name, 'url']
}

function checkVariable(
  earlier: Service,
  later: Service,
  name: string,
  agents: readonly Agent[],
  issues: IssueList,
): void {
  const agent = agentOfBoth(agents, earlier.name, later.name)
  if (agent === undefined) return
  const generated = name === baseUrlVariable(later.name)
  issues.add(
    generated ? ['services', later.name] : ['services', later.name, 'env', name],
    {
      problem: `Services ${quote(earlier.name)} and ${quote(later.name)} set ${name} to different values for agent ${quote(agent.name)}`,
      fix: generated ? 'Rename one of the services' : 'Use different names in `env`',
    },
    'key',
  )
}

function getOrSet<Value>(map: Map<string, Value>, key: string, create: () => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const value = create()
  map.set(key, value)
  return value
}

/** Threat: an `allow` entry at the origin of a service would bypass the service's rules. */
export function checkServiceOverlap(
  allow: readonly Destination[],
  services: readonly Destination[],
  issues: IssueList,
): void {
  for (const entry of allow) {
    const owner = services.find(
      ({ host, scheme, ports }) =>
        entry.host.text === host.text &&
        entry.scheme === scheme &&
        ports.some((port) => entry.ports.includes(port)),
    )
    if (owner === undefined) continue
    issues.add(['allow', Number(/\d+/.exec(entry.id)?.[0]), 'host'], {
      problem: `${quote(entry.host.text)} already belongs to service ${quote(owner.label)}`,
      fix: `Remove the entry, and add to the \`rules\` of ${quote(owner.label)} what it should allow`,
    })
  }
}
