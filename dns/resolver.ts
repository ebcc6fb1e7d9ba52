import type { QueryFlow, QueryStep, ResolverContext, Transport } from './flow.js'
import type { Peer } from '#firewall/contracts/peer.js'
import { deny, PACE, QUERY_STEPS } from './steps.js'
import { parseQuery } from './wire.js'

/** Steps that still run after a step has thrown: the query is recorded and answered (with SERVFAIL), not evaluated again. */
const LAST_STEPS = QUERY_STEPS.filter((step) => 'act' in step && step !== PACE)

/**
 *     bytes ──> parse ──> steps: check ──> record ──> answer ──> bytes
 *                 └─ null: no answer
 *
 * Never throws: a bug in a step is reported to `context.fail`, recorded, and answered with SERVFAIL.
 *
 * @param reply called once, now or after the record is written; with null to send no answer
 */
export function resolveQuery(
  bytes: Buffer,
  peer: Peer,
  transport: Transport,
  context: ResolverContext,
  reply: (response: Buffer | null) => void,
): void {
  const query = parseQuery(bytes)
  if (query === null) {
    reply(null)
    return
  }
  const flow: QueryFlow = {
    context,
    snapshot: context.snapshot(),
    query,
    peer,
    transport,
    time: context.now(),
    sandbox: null,
    waitMs: 0,
    wildcard: null,
    features: null,
    budget: null,
    decision: null,
    response: null,
  }
  const recover = (): void => {
    flow.decision = deny('internal')
    flow.response = null
    runSteps(flow, LAST_STEPS, 0, reply, () => reply(null))
  }
  runSteps(flow, QUERY_STEPS, 0, reply, recover)
}

function runSteps(
  flow: QueryFlow,
  steps: readonly QueryStep[],
  from: number,
  reply: (response: Buffer | null) => void,
  recover: () => void,
): void {
  try {
    for (let index = from; index < steps.length; index += 1) {
      const step = steps[index]
      if (step === undefined) break
      if ('decide' in step) {
        flow.decision ??= step.decide(flow)
      } else {
        step.act(flow, (flow.decision ??= deny('internal')), () =>
          runSteps(flow, steps, index + 1, reply, recover),
        )
        return
      }
    }
  } catch (error) {
    flow.context.fail(error)
    recover()
    return
  }
  reply(flow.response)
}
