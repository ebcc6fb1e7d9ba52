import type { Holds } from '#firewall/contracts/holds.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import { holdOn } from '#firewall/policy-engine/name-policy.js'
import type { EgressError } from '../common/errors.js'
import type { Operator } from './operator.js'
import { errorResponse, json, type AdminRequest, type AdminResponse, type AdminRoute } from './route.js'
import type { RequestCounts } from './sandbox-counts.js'

/** A sandbox as `GET /sandboxes` has it. */
export interface ListedSandbox {
  readonly id: string
  readonly agent: string
  /** The command's first word; empty for a fixed network. */
  readonly command: string
  /** Its network, such as `10.231.0.8/29`; null where it has the gateway for itself. */
  readonly subnet: string | null
  /** ISO 8601; null for a fixed network. */
  readonly started_at: string | null
  readonly state: SandboxState
  readonly requests: RequestCounts
}

export type SandboxState = 'running' | 'paused' | 'stopped'

export type KnownSandbox = Omit<ListedSandbox, 'state'>

export interface SandboxList {
  readonly sandboxes: readonly ListedSandbox[]
  /** Whether all are stopped, and new ones refused. */
  readonly all_stopped: boolean
  /** The agents whose network is paused. */
  readonly paused_agents: readonly string[]
}

/**
 * @param sandboxes those that are there
 * @param ended called after one was stopped, or with null after all were
 */
export function operatorRoutes(
  operator: Operator,
  sandboxes: () => readonly KnownSandbox[],
  ended: (id: string | null) => void = () => undefined,
): AdminRoute[] {
  const list = (): SandboxList => {
    const { holds } = operator
    return {
      sandboxes: withStates(sandboxes(), holds),
      all_stopped: holds.all,
      paused_agents: [...holds.agents],
    }
  }
  const post = (path: AdminRoute['path'], act: (request: AdminRequest) => void): AdminRoute => ({
    method: 'POST',
    path,
    handle: (request) => answerTo(() => act(request), list),
  })
  return [
    { method: 'GET', path: '/sandboxes', handle: () => json(list()) },
    post('/sandboxes/:id/stop', ({ params: { id = '' }, access }) => {
      try {
        operator.stop(id, accessOf(access))
      } finally {
        if (operator.holds.sandboxes.has(id)) ended(id)
      }
    }),
    post('/stop', ({ access }) => {
      try {
        operator.stopAll(accessOf(access))
      } finally {
        ended(null)
      }
    }),
    post('/start', ({ access }) => operator.start(accessOf(access))),
    post('/agents/:agent/pause', ({ params: { agent = '' }, access }) => {
      operator.pause(agent, accessOf(access))
    }),
    post('/agents/:agent/resume', ({ params: { agent = '' }, access }) => {
      operator.resume(agent, accessOf(access))
    }),
  ]
}

const accessOf = (access: AdminRequest['access']) => (access === 'token' ? 'token' : 'socket')

function answerTo(act: () => void, list: () => SandboxList): AdminResponse {
  try {
    act()
  } catch (error) {
    const { code } = error as Partial<EgressError>
    if (code === 'EGRESS_UNKNOWN_SANDBOX' || code === 'EGRESS_UNKNOWN_AGENT') return errorResponse(error, 404)
    throw error
  }
  return json(list())
}

/** Each with what an operator has done to it. */
export function withStates<Sandbox extends SandboxRef>(
  sandboxes: readonly Sandbox[],
  holds: Holds,
): (Sandbox & { readonly state: SandboxState })[] {
  return sandboxes.map((one) => {
    const held = holdOn(holds, one)
    return { ...one, state: held === null ? 'running' : STATES[held] }
  })
}

const STATES = { 'sandbox-stopped': 'stopped', 'agent-paused': 'paused' } as const
