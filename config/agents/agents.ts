import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import type { Agent, Destination } from '#firewall/contracts/policy.js'
import type { Service } from '#firewall/contracts/service.js'
import { nearest } from '#firewall/rules/nearest.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import type { PolicyFile } from '../schema/policy.js'

/** The only agent of a policy without `agents`: it may use everything that the policy lists. */
export const UNRESTRICTED_AGENT: Agent = { name: DEFAULT_AGENT, services: null, allow: null }

interface KnownNames {
  readonly services: readonly Service[]
  readonly allow: readonly Destination[]
  /** Names of parts with issues of their own; a reference to one of them is not another error. */
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
    const fix = 'Add an agent, such as `default: { services: all, allow: all }`, or remove `agents`'
    issues.add(['agents'], { problem: '`agents` is empty, so no agent has access to anything', fix }, 'key')
  }
  const accounts = new Map<string, string>()
  return agents.map(([name, { services, allow, kubernetes }]) => {
    const path: Path = ['agents', name]
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(name)) {
      const fix = 'Use letters, digits, `-` and `_`, beginning with a letter or digit'
      issues.add(path, { problem: `Invalid agent name ${quote(name)}`, fix }, 'key')
    }
    return {
      name,
      services:
        services === 'all' ? null : readServices(services ?? [], [...path, 'services'], known, issues),
      allow: allow === 'all' ? null : readAllow(allow ?? [], [...path, 'allow'], known, issues),
      ...(kubernetes !== undefined && {
        serviceAccounts: readServiceAccounts(kubernetes, name, accounts, issues),
      }),
    }
  })
}

/** A namespace is a DNS label, a service account a DNS name. */
const SERVICE_ACCOUNT = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\/[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/

/** @param taken the agents of those before, to which these are added */
function readServiceAccounts(
  accounts: readonly string[],
  agent: string,
  taken: Map<string, string>,
  issues: IssueList,
): readonly string[] {
  for (const [index, account] of accounts.entries()) {
    const path: Path = ['agents', agent, 'kubernetes', index]
    const other = taken.get(account)
    if (!SERVICE_ACCOUNT.test(account))
      issues.add(path, {
        problem: `${quote(account)} is not the service account of a namespace`,
        fix: 'Write one as `NAMESPACE/SERVICE-ACCOUNT`, such as `team-a/coder`; there are no wildcards',
      })
    else if (other !== undefined)
      issues.add(path, {
        problem: `The service account ${quote(account)} is already that of agent ${quote(other)}`,
        fix: 'Give each agent a service account of its own',
      })
    taken.set(account, agent)
  }
  return accounts
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
      problem: `Unknown service ${quote(name)}`,
      fix: suggest(name, all, 'add it to `services`'),
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
        problem: `Unknown host ${quote(text)}: no entry of \`allow\` has it`,
        fix: suggest(text, all, 'add it to `allow` in the same spelling'),
      })
    }
    return ids
  })
}

function suggest(text: string, known: readonly string[], otherwise: string): string {
  const near = nearest(text, known)
  return near === null
    ? `${otherwise.charAt(0).toUpperCase()}${otherwise.slice(1)}`
    : `Write ${quote(near)}, or ${otherwise}`
}

/** The first agent that may use both services; undefined if none may. */
export function agentOfBoth(agents: readonly Agent[], a: string, b: string): Agent | undefined {
  return agents.find(({ services }) => services === null || (services.includes(a) && services.includes(b)))
}
