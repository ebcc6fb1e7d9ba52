import { limitKey } from '#firewall/ledger/limit-key.js'
import type { ProxyContext } from '../context/context.js'
import { deny, type Denial } from '../contracts/denial.js'
import type { Downstream } from '../downstream/downstream.js'
import { Flow, runFlow } from '../records/flow.js'
import { newExchange, type Exchange, type ForwardResult, type RequestConnection } from './exchange.js'
import { forward } from './forward.js'
import { decisionOf, endOf, headBytes } from './records.js'
import { REQUEST_STEPS } from './steps.js'
import { forwardUpgrade } from './upgrade.js'

/** Takes one request through the steps, forwards it, and closes its record. Never rejects. */
export function handleRequest(
  context: ProxyContext,
  connection: RequestConnection,
  downstream: Downstream,
): Promise<void> {
  const exchange = newExchange(connection, context.snapshot(), new Flow(context), downstream)
  return runFlow(context.shutdown, exchange.flow, async () => {
    try {
      const denial = await runSteps(exchange, context)
      if (denial !== null) {
        await refuse(exchange, context, denial)
        return
      }
      const result = await (downstream.upgrade === null ? forward : forwardUpgrade)(exchange, context)
      spend(exchange, result, context)
      exchange.flow.close(endOf(result))
    } catch (error) {
      context.fail(error)
      await refuse(exchange, context, deny('internal'))
    } finally {
      exchange.body?.release()
      exchange.room?.leave()
    }
  })
}

async function runSteps(exchange: Exchange, context: ProxyContext): Promise<Denial | null> {
  for (const step of REQUEST_STEPS) {
    const result = step.run(exchange, context)
    const denial = result instanceof Promise ? await result : result
    if (denial !== null) return denial
  }
  return null
}

/**
 * Records the denial, then tells the sandbox. When it cannot be recorded, that is what the sandbox is told. A request that
 * was recorded as allowed ends with it instead, before anything of it was sent upstream.
 */
async function refuse(exchange: Exchange, context: ProxyContext, denial: Denial): Promise<void> {
  const { downstream, flow } = exchange
  if (flow.isOpen) {
    const status = tell(downstream, denial, flow.id)
    const requestBytes = exchange.body?.bytes ?? 0
    const none = { aborted: null, responseBytes: 0, redactions: [], detail: null }
    flow.close(endOf({ ...none, denial, status, requestBytes }))
    return
  }
  let told = denial
  try {
    if (denial.reason !== 'audit-unavailable') await flow.decide(decisionOf(exchange, context.now(), denial))
  } catch {
    told = deny('audit-unavailable')
  }
  tell(downstream, told, flow.id)
}

/** The status that the client is told; null where it is too late to tell it anything. */
function tell(downstream: Downstream, denial: Denial, id: string): number | null {
  if (!downstream.begun) return downstream.deny(denial, id)
  downstream.destroy()
  return null
}

/** What a request cost is known at its end: it was let through whole, and is paid for by those that follow. */
function spend(exchange: Exchange, result: ForwardResult, { ledger, now }: ProxyContext): void {
  const { sandbox, verdict } = exchange
  const service = verdict?.service ?? null
  if (service?.quota == null || sandbox === null) return
  const bytes = headBytes(exchange) + result.requestBytes + result.responseBytes
  ledger.quotas.spend(limitKey(sandbox.id, service.name), bytes, now())
}
