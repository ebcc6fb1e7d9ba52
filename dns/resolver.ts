import type { QueryFlow, QueryStep, Remote, ResolverContext, Transport } from './flow.js'
import { deny, QUERY_STEPS } from './steps.js'
import { parseQuery } from './wire.js'

/**
 *     bytes ──> parse ──> steps: judge ──> record ──> answer ──> bytes
 *                 └─ null: silence
 *
 * Never throws: a bug in a step is reported to `context.fail`, recorded, and answered with SERVFAIL.
 *
 * @returns null when nothing may be answered
 */
export function resolveQuery(
  bytes: Buffer,
  remote: Remote,
  transport: Transport,
  context: ResolverContext,
): Buffer | null {
  const query = parseQuery(bytes)
  if (query === null) return null
  const flow: QueryFlow = {
    context,
    query,
    remote,
    transport,
    time: context.now(),
    sandbox: null,
    wildcard: null,
    shape: null,
    budget: null,
    decision: null,
    response: null,
  }
  try {
    runSteps(flow, QUERY_STEPS)
  } catch (error) {
    context.fail(error)
    recover(flow)
  }
  return flow.response
}

function runSteps(flow: QueryFlow, steps: readonly QueryStep[]): void {
  for (const step of steps) {
    if ('decide' in step) flow.decision ??= step.decide(flow)
    else step.act(flow, (flow.decision ??= deny('internal')))
  }
}

/** Without its decision, the flow has only to be recorded and answered. */
function recover(flow: QueryFlow): void {
  flow.decision = deny('internal')
  flow.response = null
  try {
    runSteps(
      flow,
      QUERY_STEPS.filter((step) => 'act' in step),
    )
  } catch (error) {
    flow.context.fail(error)
    flow.response = null
  }
}
