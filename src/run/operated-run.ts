import type { Holds } from '#firewall/contracts/holds.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { Audit } from '../audit/audit.js'
import { EgressError } from '../common/errors.js'
import { runHoldsIn, runSocketIn } from '../common/state.js'
import { healthRoutes } from '../control/health.js'
import { HoldFile } from '../control/hold-file.js'
import { serveAdminLate } from '../control/late-listener.js'
import { Operator } from '../control/operator.js'
import { operatorRoutes } from '../control/operator-routes.js'
import type { AdminRoute } from '../control/route.js'
import type { SandboxCounts } from '../control/sandbox-counts.js'
import type { Gateway } from '../gateway/gateway.js'

export interface OperatedRunOptions {
  readonly sandbox: SandboxRef
  /** The command's first word. */
  readonly command: string
  readonly audit: Audit
  readonly counts: SandboxCounts
  /** The directory of this program's state, which is hidden from every sandbox. */
  readonly stateDirectory: string
  /** Ends the sandbox, in whatever state it is. */
  readonly end: () => void
  /** What else can be asked of this run. */
  readonly routes?: () => Promise<readonly AdminRoute[]>
  /** For the program's log. */
  readonly warn: (message: string) => void
  readonly fail: (error: unknown) => void
}

/** A run that an operator can list, pause and stop. */
export interface OperatedRun {
  /** Puts what is held in force in the gateway, from now on and before it serves. */
  attach(gateway: Pick<Gateway, 'hold'>): void
  /** Whether an operator has stopped it. */
  readonly isStopped: boolean
  close(): void
}

/**
 * Opens the admin socket of a run. Rejects with an EgressError if all runs are stopped.
 *
 * Whoever stops all runs writes the file first and asks every socket then; this opens the socket first and reads the file then.
 * So no run starts in between.
 */
export async function operateRun(options: OperatedRunOptions): Promise<OperatedRun> {
  const { sandbox, command, audit, counts, stateDirectory, end, warn, fail } = options
  const { routes = () => Promise.resolve([]) } = options
  const started = new Date().toISOString()
  const state: { gateway: Pick<Gateway, 'hold'> | null; isStopped: boolean; holds: Holds | null } = {
    gateway: null,
    isStopped: false,
    holds: null,
  }
  let ready: (operator: Operator) => void = () => undefined
  const operated = new Promise<Operator>((resolve) => (ready = resolve))
  const { id, agent } = sandbox
  const known = () => [{ id, agent, command, subnet: null, started_at: started, requests: counts.of(id) }]
  const served = async () => {
    const stop = () => {
      state.isStopped = true
      end()
    }
    return {
      routes: [
        ...healthRoutes([{ name: 'audit', problem: () => audit.problem() }], []),
        ...operatorRoutes(await operated, known, stop),
        ...(await routes()),
      ],
      fail,
    }
  }
  const listener = await serveAdminLate(runSocketIn(stateDirectory, id), served).catch((error: unknown) => {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    warn(`No admin socket (${code}), so operators cannot list, pause or stop this run`)
    return null
  })
  const operator = new Operator({
    holds: new HoldFile(runHoldsIn(stateDirectory)).read(),
    apply(holds) {
      state.holds = holds
      state.gateway?.hold(holds)
    },
    // The command of the operator keeps it, for all runs of this user.
    keep: () => undefined,
    sandboxes: () => [sandbox],
    hasAgent: (name) => name === agent,
    audit,
    now: Date.now,
  })
  ready(operator)
  try {
    operator.admit(sandbox, 'file')
  } catch (error) {
    listener?.close()
    throw error
  }
  if (operator.holds.agents.has(agent))
    warn(`The network of agent ${agent} is paused. Resume it with \`egress resume ${agent}\``)
  return {
    attach(gateway) {
      state.gateway = gateway
      if (state.holds !== null) gateway.hold(state.holds)
    },
    get isStopped() {
      return state.isStopped
    },
    close: () => listener?.close(),
  }
}

/** What the user of a run that was stopped is told. */
export function stoppedByOperator(): EgressError {
  return new EgressError({
    code: 'EGRESS_STOPPED',
    problem: 'An operator has stopped this sandbox',
    fix: 'Ask the operator why; `egress logs sandbox` has the record',
    exitCode: 137,
  })
}
