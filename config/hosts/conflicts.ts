import type { Agent, Destination } from '#firewall/contracts/policy.js'
import type { Service } from '#firewall/contracts/service.js'
import { describeOrigin } from '#firewall/policy-engine/describe.js'
import { agentOfBoth } from '../agents/agents.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import { baseUrlVariable } from '../services/environment.js'
import { sameOrigin } from '../services/targets.js'

/** Errors between two services that one agent may use: each service alone is fine. */
export function checkServiceConflicts(
  services: readonly Service[],
  agents: readonly Agent[],
  issues: IssueList,
): void {
  for (const [index, later] of services.entries()) {
    for (const earlier of services.slice(0, index)) {
      const agent = agentOfBoth(agents, earlier.name, later.name)
      if (agent === undefined) continue
      checkOrigins(earlier, later, agent, issues)
      checkEnvironment(earlier, later, agent, issues)
    }
  }
}

/** Threat: with two services at one origin, a request could get the credential of the wrong one. */
function checkOrigins(earlier: Service, later: Service, agent: Agent, issues: IssueList): void {
  for (const [index, target] of later.targets.entries()) {
    if (!earlier.targets.some(({ origin }) => sameOrigin(origin, target.origin))) continue
    issues.add(targetPath(later, index), {
      problem: `Services ${quote(earlier.name)} and ${quote(later.name)} are both at ${quote(describeOrigin(target.origin))}, and agent ${quote(agent.name)} may use both`,
      fix: 'Merge them into one service, or give them to different `agents`',
    })
  }
}

function targetPath({ name, targets }: Service, index: number): Path {
  return targets.length > 1 ? ['services', name, 'targets', index] : ['services', name, 'url']
}

function checkEnvironment(earlier: Service, later: Service, agent: Agent, issues: IssueList): void {
  for (const [name, template] of Object.entries(later.environment)) {
    const other = earlier.environment[name]
    const sameText = other === template && !/\{(url|base_url)\}/.test(template)
    if (other === undefined || sameText) continue
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
