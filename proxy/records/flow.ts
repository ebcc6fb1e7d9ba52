import type { HttpClose, HttpDecision } from '../contracts/events.js'
import type { Recorder } from '../contracts/recorder.js'
import type { Shutdown } from '../contracts/shutdown.js'

/** How something ended that was let through. Its id, sandbox and times are the flow's. */
export type FlowEnd = Pick<
  HttpClose,
  'outcome' | 'reason' | 'detail' | 'status' | 'requestBytes' | 'responseBytes' | 'redactions'
>

const BROKE: FlowEnd = {
  outcome: 'failure',
  reason: 'internal',
  detail: null,
  status: null,
  requestBytes: 0,
  responseBytes: 0,
  redactions: [],
}

/**
 * One thing that is decided, happens and ends: a request, an upgrade, a tunnel, a token request. Its decision is recorded
 * before it has an effect; one that was allowed gets one closing record, whatever becomes of it.
 */
export class Flow {
  readonly id: string
  readonly startedAt: number
  readonly #recorder: Recorder
  #open: HttpDecision | null = null
  #decidedAt = 0
  #upstreamMs: number | null = null

  constructor(recorder: Recorder) {
    this.#recorder = recorder
    this.id = recorder.newId()
    this.startedAt = recorder.now()
  }

  /** Allowed, recorded, and not yet closed: from here on a denial ends it, and is not a second decision. */
  get isOpen(): boolean {
    return this.#open !== null
  }

  /** Rejects when it cannot be recorded; then nothing may happen. */
  async decide(decision: HttpDecision): Promise<void> {
    await this.#recorder.audit.decide(decision)
    if (decision.verdict !== 'allow') return
    this.#open = decision
    this.#decidedAt = this.#recorder.now()
  }

  /** The upstream took so many milliseconds until its response began. */
  tookUpstream(ms: number): void {
    this.#upstreamMs = ms
  }

  /** Records the end. The first one counts; what was never allowed has none. */
  close(end: FlowEnd): void {
    const decision = this.#open
    if (decision === null || decision.sandbox === null) return
    this.#open = null
    const at = this.#recorder.now()
    // Field by field: this is done for each request, and a spread costs several times as much.
    this.#recorder.audit.close({
      at,
      id: this.id,
      sandbox: decision.sandbox,
      host: decision.host,
      service: decision.service,
      credential: decision.credential,
      outcome: end.outcome,
      reason: end.reason,
      detail: end.detail,
      status: end.status,
      requestBytes: end.requestBytes,
      responseBytes: end.responseBytes,
      durationMs: at - this.startedAt,
      timing: { decisionMs: this.#decidedAt - this.startedAt, upstreamMs: this.#upstreamMs },
      redactions: end.redactions,
    })
  }
}

/**
 * Runs a flow to its end. A gateway that shuts down waits for it from before its decision, since one that ends between
 * the two records would not wait for the second. A bug of ours closes the record, too, and is then thrown.
 */
export async function runFlow(
  shutdown: Shutdown,
  flow: Flow,
  run: (flow: Flow) => Promise<void>,
): Promise<void> {
  shutdown.trackRequest()
  try {
    await run(flow)
  } finally {
    flow.close(BROKE)
    shutdown.untrackRequest()
  }
}
