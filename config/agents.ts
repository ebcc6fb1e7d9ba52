import { DEFAULT_AGENT, type Agent, type Destination, type Service } from '#firewall/contracts/policy.js'
import type { IssueList, Path } from './issue.js'
import { nearest } from './nearest.js'
import type { PolicyFile } from './schema.js'
import { quote } from './redact-message.js'

/** The one agent of a policy that names none: it may use everything that the policy lists. */
export const UNRESTRICTED_AGENT: Agent = { name: DEFAULT_AGENT, services: null, allow: null }

interface KnownNames {
  readonly services: readonly Service[]
  readonly allow: readonly Destination[]
  /** Names of parts that have issues of their own; naming them is no further fault. */
  readonly broken: ReadonlySet<string>
}

/** Reads `agents`: names of services, and hosts of `allow` as they are written there. */
export function buildAgents(
  file: PolicyFile['agents'],
  known: KnownNames,
  issues: IssueList,
): readonly Agent[] {
  if (file === undefined) return [UNRESTRICTED_AGENT]
  const agents = Object.entries(file)
  if (agents.length === 0 && ![...known.broken].some((part) => part.startsWith('agents.'))) {
    const fix = 'name an agent, such as `default: { services: all, allow: all }`, or remove `agents`'
    issues.add(['agents'], { problem: '`agents` names no agent, so nobody may use anything', fix }, 'key')
  }
  return agents.map(([name, { services, allow }]) => {
    const path: Path = ['agents', name]
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(name)) {
      const fix = 'use letters, digits, `-` and `_`'
      issues.add(path, { problem: `${quote(name)} cannot be the name of an agent`, fix }, 'key')
    }
    return {
      name,
      services:
        services === 'all' ? null : readServices(services ?? [], [...path, 'services'], known, issues),
      allow: allow === 'all' ? null : readAllow(allow ?? [], [...path, 'allow'], known, issues),
    }
  })
}

function readServices(
  names: readonly string[],
  path: Path,
  known: KnownNames,
  issues: IssueList,
): readonly string[] {
  const all = known.services.map(({ name }) => name)
  for (const [index, name] of names.entries()) {
    if (all.includes(name) || known.broken.has(`services.${name}`) || known.broken.has('services')) continue
    issues.add([...path, index], {
      problem: `there is no service ${quote(name)}`,
      fix: suggest(name, all, 'declare it under `services`'),
    })
  }
  return names
}

function readAllow(
  hosts: readonly string[],
  path: Path,
  known: KnownNames,
  issues: IssueList,
): readonly string[] {
  const all = [...new Set(known.allow.map(({ host }) => host.text))]
  return hosts.flatMap((text, index) => {
    const ids = known.allow.filter(({ host }) => host.text === text.toLowerCase()).map(({ id }) => id)
    if (ids.length === 0 && !known.broken.has('allow')) {
      issues.add([...path, index], {
        problem: `no entry of \`allow\` has the host ${quote(text)}`,
        fix: suggest(text, all, 'add it to `allow`, and write it here as it stands there'),
      })
    }
    return ids
  })
}

function suggest(text: string, known: readonly string[], otherwise: string): string {
  const near = nearest(text, known)
  return near === null ? otherwise : `write ${quote(near)}, or ${otherwise}`
}

/** The first agent that may use both; undefined when none may. */
export function agentOfBoth(agents: readonly Agent[], a: string, b: string): Agent | undefined {
  return agents.find(({ services }) => services === null || (services.includes(a) && services.includes(b)))
}
