import { describeOrigin } from '#firewall/judge/describe.js'
import type { Agent, Destination, Service } from '#firewall/contracts/policy.js'
import { agentOfBoth } from './agents.js'
import { baseUrlVariable } from './environment.js'
import type { IssueList, Path } from './issue.js'
import { quote } from './redact-message.js'
import { sameOrigin } from './services.js'

/** Faults that lie between two services that one agent may use: only together do they say two things. */
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

/** Threat: with two services at one origin, the credential of the one could answer for the other. */
function checkOrigins(earlier: Service, later: Service, agent: Agent, issues: IssueList): void {
  for (const [index, target] of later.targets.entries()) {
    if (!earlier.targets.some(({ origin }) => sameOrigin(origin, target.origin))) continue
    issues.add(targetPath(later, index), {
      problem: `${quote(later.name)} and ${quote(earlier.name)} are both at ${quote(describeOrigin(target.origin))}, and agent ${quote(agent.name)} may use both`,
      fix: 'make them one service, or give them to different `agents`',
    })
  }
}

function targetPath({ name, targets }: Service, index: number): Path {
  return targets.length > 1 ? ['services', name, 'targets', index] : ['services', name, 'url']
}

function checkEnvironment(earlier: Service, later: Service, agent: Agent, issues: IssueList): void {
  for (const [name, template] of Object.entries(later.environment)) {
    const other = earlier.environment[name]
    const sameText = other === template && !/\{(url|route)\}/.test(template)
    if (other === undefined || sameText) continue
    const generated = name === baseUrlVariable(later.name)
    issues.add(
      generated ? ['services', later.name] : ['services', later.name, 'env', name],
      {
        problem: `the variable ${name} would have two values for agent ${quote(agent.name)}: of ${quote(earlier.name)} and of ${quote(later.name)}`,
        fix: generated ? 'rename one of the services' : 'choose different names in `env`',
      },
      'key',
    )
  }
}

/** Threat: an `allow` entry at the origin of a service would be a way to it past the service's rules. */
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
      problem: `${quote(entry.host.text)} already belongs to the service ${quote(owner.label)}`,
      fix: `remove the entry, and say in the \`rules\` of ${quote(owner.label)} what is allowed there`,
    })
  }
}
