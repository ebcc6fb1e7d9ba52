import { availableParallelism } from 'node:os'
import type { Policy } from '#firewall/contracts/policy.js'
import { HIDDEN } from '#config/issues/redact-message.js'
import type { Audit } from '../audit/audit.js'
import { chooseAgent } from '../common/choose-agent.js'
import { bootId } from '../common/boot-id.js'
import { makePlaceholders, sandboxEnvironment } from '../common/environment.js'
import { EgressError, usage } from '../common/errors.js'
import type { Operator } from '../control/operator.js'
import type { KnownSandbox } from '../control/operator-routes.js'
import { json, type AdminRoute } from '../control/route.js'
import type { SandboxStart } from '../events/events.js'
import { readLabels } from '../common/labels.js'
import { NO_REQUESTS, type RequestCounts } from '../control/sandbox-counts.js'
import { RUN_BITS, type Registration, type SandboxRegistry } from './registry.js'
import { hostIn, parseSubnet, subnetText, type Subnet } from './subnet.js'

export interface AdminContext {
  /** The policy in force. */
  readonly policy: () => Policy
  readonly registry: SandboxRegistry
  readonly audit: Pick<Audit, 'sandbox'>
  /** Removes all counters of a sandbox. */
  readonly drop: (sandbox: string) => void
  readonly now: () => number
  /** SHA-256 of the policy in force; null if there is no file. */
  readonly policyHash: () => string | null
}

/** Adds an operation that only the gateway's own process has. */
export interface AdminOptions extends AdminContext {
  /** Whether new sandboxes are taken. */
  readonly operator: Pick<Operator, 'admit'>
  /** Processes the reports of sandboxes that have ended. */
  readonly readEnded: () => void
}

/** The routes that runs use: to register their sandbox, and to get the environment of a fixed network. */
export function sandboxRoutes(context: AdminOptions): AdminRoute[] {
  return [
    {
      method: 'POST',
      path: '/sandboxes',
      handle({ body }) {
        context.readEnded()
        return json(addSandbox(readNewSandbox(body), context), 201)
      },
    },
    {
      method: 'GET',
      path: '/environment/:network',
      handle: ({ params }) => json({ environment: environmentOf(params['network'] ?? '', context) }),
    },
  ]
}

/** The sandboxes that are registered, then the fixed networks, then those of another source. */
export function knownSandboxes(
  registry: SandboxRegistry,
  requestsOf: (id: string) => RequestCounts = () => NO_REQUESTS,
): KnownSandbox[] {
  const registered = registry.list().map((one) => ({
    id: one.id,
    agent: one.agent,
    command: one.command,
    subnet: one.subnet,
    started_at: registry.since(one),
  }))
  const fixed = registry.fixedNetworks.map(({ subnet, identity }) => ({
    id: identity.id,
    agent: identity.agent,
    command: '',
    subnet: subnetText(subnet),
    started_at: null,
  }))
  const sourced = (registry.source?.list() ?? []).map((one) => ({
    id: one.id,
    agent: one.agent,
    command: one.command,
    subnet: one.address,
    started_at: one.since,
  }))
  return [...registered, ...fixed, ...sourced].map((one) => ({ ...one, requests: requestsOf(one.id) }))
}

/** A sandbox as a run announces it. */
export interface NewSandbox {
  readonly id: string
  readonly subnet: string
  /** Empty: the default agent. */
  readonly agent: string
  /** The command's first word. */
  readonly command: string
  /** Absent from runs of older versions. */
  readonly start: Omit<SandboxStart, 'policyHash'> | null
  readonly labels: readonly string[]
}

/** What a run learns of its registration. */
export interface AddedSandbox {
  /** Processors of the engine's machine. */
  readonly processors: number
  readonly environment: Readonly<Record<string, string>>
}

function readNewSandbox(body: unknown): NewSandbox {
  const { id, subnet, agent = '', command = '', ...more } = (body ?? {}) as Readonly<Record<string, unknown>>
  const labels = readLabels(more['labels'] ?? [])
  if (typeof id !== 'string' || typeof subnet !== 'string' || labels === null) throw invalidSandbox()
  return {
    id,
    subnet,
    agent: String(agent),
    command: String(command),
    start: readStart(more['start']),
    labels,
  }
}

/** Characters of one field of a start; a record must not grow with what somebody calls a directory. */
const MAX_FIELD = 8_192

function readStart(value: unknown): NewSandbox['start'] {
  if (typeof value !== 'object' || value === null) return null
  const { user, image, directory, commandLine } = value as Readonly<Record<string, unknown>>
  const text = (field: unknown) => (typeof field === 'string' ? field.slice(0, MAX_FIELD) : '')
  return {
    user: text(user),
    image: typeof image === 'string' ? text(image) : null,
    directory: text(directory),
    commandLine: text(commandLine),
  }
}

function invalidSandbox(): EgressError {
  return usage('Invalid sandbox id or network', 'Start sandboxes with ./sandbox-run', 125)
}

/**
 * Records the sandbox before it registers it, so that no sandbox is active without a record.
 *
 * @throws EgressError, AuditUnavailable
 */
function addSandbox(
  { id, subnet, agent: named, command, start, labels }: NewSandbox,
  { policy: inForce, policyHash, registry, audit, operator, now }: AdminOptions,
): AddedSandbox {
  const network = parseSubnet(subnet)
  if (!/^sb-[0-9a-f]{10}$/.test(id) || network?.bits !== RUN_BITS) throw invalidSandbox()
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
  const sandbox = { id, agent, labels }
  operator.admit(sandbox, 'file')
  const registration: Registration = {
    ...sandbox,
    subnet,
    command,
    boot: bootId(),
    placeholders: makePlaceholders(policy, agent),
  }
  const told =
    start === null
      ? {}
      : {
          start: {
            ...start,
            commandLine: policy.secrets.reduce(
              (text, { secret }) => secret.hideIn(text, HIDDEN),
              start.commandLine,
            ),
            policyHash: policyHash(),
          },
        }
  audit.sandbox({ at: now(), sandbox, action: 'sandbox-start', command, exitCode: null, ...told })
  registry.add(registration)
  return {
    processors: availableParallelism(),
    environment: sandboxEnvironment(policy, registration, ownAddresses(network)),
  }
}

/**
 * Records the end, then removes the registration. An unknown id is ignored: a clean-up may report the same end twice.
 *
 * @throws AuditUnavailable
 */
export function endSandbox(
  id: string,
  exitCode: number | null,
  { registry, audit, drop, now }: Omit<AdminContext, 'policy' | 'policyHash'>,
): void {
  const registration = registry.find(id)
  if (registration === null) return
  const { command } = registration
  // Only what identifies it gets into a record.
  audit.sandbox({ at: now(), sandbox: registration, action: 'sandbox-end', command, exitCode })
  registry.remove(registration)
  drop(id)
}

/** The environment of an agent that sandbox-run does not start; stable across calls, because the agent may ask again. */
function environmentOf(
  network: string,
  { policy, registry }: AdminContext,
): Readonly<Record<string, string>> {
  const fixed = registry.fixed(network)
  if (fixed !== null) return sandboxEnvironment(policy(), fixed.identity, [subnetText(fixed.subnet)])
  throw usage(
    `Unknown network \`${network}\``,
    'Use the NAME part of an EGRESS_NETWORK_NAME variable of the gateway, in lower case',
  )
}

function agentOf(named: string, policy: Policy): string {
  return chooseAgent(named === '' ? undefined : named, policy.agents)
}

const ownAddresses = (network: Subnet): string[] => [hostIn(network, 'sandbox'), subnetText(network)]
