import { availableParallelism } from 'node:os'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Policy } from '#firewall/contracts/policy.js'
import type { Audit } from '../audit/audit.js'
import { chooseAgent } from '../common/choose-agent.js'
import { makePlaceholders, sandboxEnvironment } from '../common/environment.js'
import { EgressError } from '../common/errors.js'
import type { AdminRequest } from '../control/admin-protocol.js'
import { RUN_BITS, type Registration, type SandboxRegistry } from './registry.js'
import { hostIn, parseSubnet, subnetText, type Subnet } from './subnet.js'

export interface AdminContext {
  /** The policy in force. */
  readonly policy: () => Policy
  readonly registry: SandboxRegistry
  readonly audit: Pick<Audit, 'sandbox' | 'problem'>
  /** Removes all counters of a sandbox. */
  readonly drop: (sandbox: string) => void
  readonly now: () => number
}

/** Adds an operation that only the gateway's own process has. */
export interface AdminOptions extends AdminContext {
  /** Processes the reports of sandboxes that have ended. */
  readonly readEnded: () => void
}

/** Answers the requests of a run to the gateway. */
export function sandboxAdmin({
  readEnded,
  ...context
}: AdminOptions): (request: Exclude<AdminRequest, { do: 'reload' }>) => readonly string[] {
  return (request) => {
    readEnded()
    switch (request.do) {
      case 'health': {
        const problem = context.audit.problem()
        if (problem !== null) throw problem
        return []
      }
      case 'list':
        return context.registry.list().map(({ id, subnet, agent }) => `${id} ${subnet} ${agent}`)
      case 'add':
        return add(request, context)
      case 'environment':
        return environmentOf(request.network, context)
    }
  }
}

/**
 * Records the sandbox before it registers it, so that no sandbox is active without a record. Returns a comment line with the
 * number of processors of the engine's machine, then the environment of the sandbox.
 */
function add(
  { id, subnet, agent: named, command }: Extract<AdminRequest, { do: 'add' }>,
  { policy: inForce, registry, audit, now }: AdminContext,
): readonly string[] {
  const network = parseSubnet(subnet)
  if (!/^sb-[0-9a-f]{10}$/.test(id) || network?.bits !== RUN_BITS) {
    throw new EgressError({
      code: 'EGRESS_USAGE',
      problem: 'Invalid sandbox id or network',
      fix: 'Start sandboxes with ./sandbox-run',
      exitCode: 125,
    })
  }
  // The engine creates the network at the same time. Until then, only this check prevents two sandboxes with the same network.
  if (registry.holder(subnet) !== null) {
    throw new EgressError({
      code: 'EGRESS_NETWORK',
      problem: `The network ${subnet} overlaps with that of another sandbox`,
      fix: 'Choose another network',
      exitCode: 125,
    })
  }
  const policy = inForce()
  const agent = agentOf(named, policy)
  const registration: Registration = {
    id,
    subnet,
    agent,
    command,
    placeholders: makePlaceholders(policy, agent),
  }
  audit.sandbox({ at: now(), sandbox: { id, agent }, action: 'sandbox-start', command, exitCode: null })
  registry.add(registration)
  return [
    `# processors ${String(availableParallelism())}`,
    ...environmentLines(policy, registration, ownAddresses(network)),
  ]
}

/**
 * Records the end, then removes the registration. An unknown id is ignored: a clean-up may report the same end twice.
 *
 * @throws AuditUnavailable
 */
export function endSandbox(
  id: string,
  exitCode: number | null,
  { registry, audit, drop, now }: Omit<AdminContext, 'policy'>,
): void {
  const registration = registry.find(id)
  if (registration === null) return
  const { agent, command } = registration
  audit.sandbox({ at: now(), sandbox: { id, agent }, action: 'sandbox-end', command, exitCode })
  registry.remove(registration)
  drop(id)
}

/** The environment of an agent that sandbox-run does not start; stable across calls, because the agent may ask again. */
function environmentOf(network: string, { policy, registry }: AdminContext): readonly string[] {
  const fixed = registry.fixed(network)
  if (fixed !== null) return environmentLines(policy(), fixed.identity, [subnetText(fixed.subnet)])
  throw new EgressError({
    code: 'EGRESS_USAGE',
    problem: `Unknown network \`${network}\``,
    fix: 'Use the NAME part of an EGRESS_NETWORK_NAME variable of the gateway, in lower case',
    exitCode: 2,
  })
}

function agentOf(named: string, policy: Policy): string {
  return chooseAgent(named === '' ? undefined : named, policy.agents)
}

const ownAddresses = (network: Subnet): string[] => [hostIn(network, 'sandbox'), subnetText(network)]

/** Lines in the format of `--env-file`. Values contain no control bytes, because the policy loader rejects them. */
function environmentLines(
  policy: Policy,
  sandbox: Pick<RegisteredSandbox, 'agent' | 'placeholders'>,
  addresses: readonly string[],
): readonly string[] {
  return Object.entries(sandboxEnvironment(policy, sandbox, addresses)).map(
    ([name, value]) => `${name}=${value}`,
  )
}
