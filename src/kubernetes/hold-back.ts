import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { EgressError, EXIT } from '../common/errors.js'

/** A place that no pod of an agent may reach. */
export interface Canary {
  readonly what: string
  readonly host: string
  readonly port: number
}

export interface HoldBackOptions {
  /** Of the same host as the canaries', and allowed: it tells a refusal from a network or a gateway that is not there yet. */
  readonly allowed: Canary
  readonly canaries: readonly Canary[]
  /** Milliseconds until it is given up. */
  readonly patienceMs: number
  /** Times in a row that every canary must be refused. */
  readonly times?: number
  /** Milliseconds after which a connection counts as refused: some networks drop what they forbid. */
  readonly refusedAfterMs?: number
  readonly pauseMs?: number
}

/** How long it took, for who measures. */
export interface HeldBack {
  readonly attempts: number
  /** Attempts that reached a canary: the moment that a pod without this would have been open. */
  readonly reached: number
}

const TIMES = 5
const REFUSED_AFTER_MS = 1_000
const PAUSE_MS = 200

/**
 * Waits until the network policy of this pod is in force. A policy takes effect some time after a pod's network exists, and
 * nothing says when. So what it forbids is tried until it was refused several times running, each between two connections to
 * the same gateway that were not.
 *
 * @throws EgressError when that does not happen
 */
export async function holdBack({
  allowed,
  canaries,
  patienceMs,
  times = TIMES,
  refusedAfterMs = REFUSED_AFTER_MS,
  pauseMs = PAUSE_MS,
}: HoldBackOptions): Promise<HeldBack> {
  const until = performance.now() + patienceMs
  const reaches = ({ host, port }: Canary) => canConnect(host, port, refusedAfterMs)
  let attempts = 0
  let reached = 0
  let last: Canary | null = null
  let isThere = false
  for (let row = 0; row < times;) {
    if (performance.now() > until)
      throw last === null || !isThere ? absent(allowed) : notEnforced(last, attempts)
    attempts += 1
    const before = await reaches(allowed)
    const open = await Promise.all(canaries.map(async (canary) => ((await reaches(canary)) ? canary : null)))
    const after = before && (await reaches(allowed))
    isThere ||= after
    const found = open.find((canary) => canary !== null) ?? null
    if (found !== null) {
      reached += 1
      last = found
    }
    row = found === null && after ? row + 1 : 0
    await sleep(row === 0 ? pauseMs : pauseMs / 4)
  }
  return { attempts, reached }
}

/** Whether a connection is accepted. Whatever happens to it then, the packets have been there and back. */
export function canConnect(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const done = (isOpen: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(isOpen)
    }
    const timer = setTimeout(() => done(false), timeoutMs)
    socket.once('connect', () => done(true))
    socket.once('error', () => done(false))
  })
}

function notEnforced({ what, host, port }: Canary, attempts: number): EgressError {
  return new EgressError({
    code: 'EGRESS_NOT_ENFORCED',
    problem: `This pod can reach ${what} (${host}:${String(port)}), which its network policy must forbid, after ${String(attempts)} attempts; the agent is not started`,
    fix: 'Check that the NetworkPolicy of the chart is in this namespace and selects this pod, and that the network of the cluster enforces policies',
    exitCode: EXIT.failed,
  })
}

function absent({ host, port }: Canary): EgressError {
  return new EgressError({
    code: 'EGRESS_NO_GATEWAY',
    problem: `The gateway does not answer at ${host}:${String(port)}; the agent is not started`,
    fix: 'Check that dnsConfig of this pod has the ClusterIP of a shard, that the shard is ready, and that the NetworkPolicy allows its ports',
    exitCode: EXIT.failed,
  })
}
