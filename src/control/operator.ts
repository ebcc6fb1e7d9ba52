import type { Holds } from '#firewall/contracts/holds.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { Audit } from '../audit/audit.js'
import { EgressError, EXIT } from '../common/errors.js'
import type { OperatorEvent } from '../events/events.js'

/** The gateway that an operator stops and pauses. */
export interface OperatorOptions {
  /** What is held at the start. */
  readonly holds: Holds
  /** Puts it in force, immediately. Must not throw. */
  readonly apply: (holds: Holds) => void
  /** Keeps it over a restart. Throws if it cannot. */
  readonly keep: (holds: Holds) => void
  /** The sandboxes that are there. */
  readonly sandboxes: () => readonly SandboxRef[]
  /** Whether the policy in force has this agent. */
  readonly hasAgent: (agent: string) => boolean
  readonly audit: Pick<Audit, 'operator'>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

type Access = OperatorEvent['access']
type Told = Pick<OperatorEvent, 'action'> & Partial<OperatorEvent>

/**
 * What an operator can do to agents that run. Holding takes effect at once, and what cannot be recorded or kept is an error
 * after that: a full disk must not keep anybody from stopping an agent. Letting go is recorded first.
 */
export class Operator {
  readonly #options: OperatorOptions
  #holds: Holds

  constructor(options: OperatorOptions) {
    this.#options = options
    this.#holds = options.holds
    options.apply(options.holds)
  }

  get holds(): Holds {
    return this.#holds
  }

  /** @throws EgressError, AuditUnavailable; likewise the others */
  pause(agent: string, access: Access): void {
    this.#checkAgent(agent)
    const agents = new Set([...this.#holds.agents, agent])
    this.#hold({ ...this.#holds, agents }, { action: 'agent-paused', agent, access })
  }

  resume(agent: string, access: Access): void {
    if (!this.#holds.agents.has(agent)) this.#checkAgent(agent)
    const agents = new Set([...this.#holds.agents].filter((one) => one !== agent))
    this.#letGo({ ...this.#holds, agents }, { action: 'agent-resumed', agent, access })
  }

  stop(id: string, access: Access): void {
    const sandbox = this.#options.sandboxes().find((one) => one.id === id)
    if (sandbox === undefined)
      throw new EgressError({
        code: 'EGRESS_UNKNOWN_SANDBOX',
        problem: `No sandbox \`${id}\` is running`,
        fix: 'List those that are with `egress sandboxes`',
        exitCode: EXIT.failed,
      })
    const sandboxes = new Set([...this.#holds.sandboxes, id])
    this.#hold({ ...this.#holds, sandboxes }, { action: 'sandbox-stopped', sandbox, access })
  }

  /** Stops every sandbox, and refuses new ones until `start`. */
  stopAll(access: Access): void {
    this.#hold({ ...this.#holds, all: true }, { action: 'all-stopped', access })
  }

  /** Lifts `stopAll`. Sandboxes that were there meanwhile work again, but those that were stopped alone. */
  start(access: Access): void {
    this.#letGo({ ...this.#holds, all: false }, { action: 'all-started', access })
  }

  /**
   * For a new sandbox.
   *
   * @throws EgressError, after it was recorded, while all are stopped
   */
  admit(sandbox: SandboxRef, access: Access): void {
    if (!this.#holds.all) return
    this.#record({ action: 'sandbox-refused', sandbox, access })
    throw stoppedError()
  }

  /** The sandbox has ended. Its id is not used again. */
  forget(id: string): void {
    if (!this.#holds.sandboxes.has(id)) return
    const sandboxes = new Set([...this.#holds.sandboxes].filter((one) => one !== id))
    this.#holds = { ...this.#holds, sandboxes }
    this.#options.apply(this.#holds)
    this.#options.keep(this.#holds)
  }

  #checkAgent(agent: string): void {
    if (this.#options.hasAgent(agent)) return
    throw new EgressError({
      code: 'EGRESS_UNKNOWN_AGENT',
      problem: `The policy has no agent \`${agent}\``,
      fix: 'List the agents with `egress check`',
      exitCode: EXIT.failed,
    })
  }

  #hold(holds: Holds, told: Told): void {
    this.#holds = holds
    this.#options.apply(holds)
    try {
      this.#record(told)
    } finally {
      this.#options.keep(holds)
    }
  }

  #letGo(holds: Holds, told: Told): void {
    this.#record(told)
    this.#options.keep(holds)
    this.#holds = holds
    this.#options.apply(holds)
  }

  #record(told: Told): void {
    const { audit, now } = this.#options
    audit.operator({ sandbox: null, agent: null, access: 'socket', ...told, at: now() })
  }
}

/** The two lines for whoever starts a run meanwhile. */
export function stoppedError(): EgressError {
  return new EgressError({
    code: 'EGRESS_STOPPED',
    problem: 'An operator has stopped all sandboxes, so no new one is started',
    fix: 'Ask the operator, or lift it with `egress start`',
    exitCode: 125,
  })
}
