import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Needles } from '#firewall/needles.js'
import type { ProxyContext } from './context.js'
import { sendDenial } from './denial.js'
import { refuse, type Binding, type Exchange, type Outcome, type Refusal } from './exchange.js'
import { collectHeaders } from './headers.js'
import { meterKey } from './meter-key.js'
import { closeOf, decisionOf } from './records.js'
import { REQUEST_STEPS } from './steps.js'
import { forward } from './upstream/forward.js'
import { forwardUpgrade } from './upstream/upgrade.js'

/** Takes one request through the steps, forwards it, and closes its record. Never rejects. */
export async function handleRequest(
  context: ProxyContext,
  binding: Binding,
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: { socket: Socket; head: Buffer } | null,
): Promise<void> {
  const exchange = newExchange(context, binding, request, response, upgrade)
  // A client may go away at any time; its absence shows where bytes are written, not here.
  request.on('error', () => undefined)
  response.on('error', () => undefined)
  context.shutdown.enter()
  try {
    const refusal = await runSteps(exchange, context)
    if (refusal !== null) {
      await (exchange.decided ? giveUp : deny)(exchange, context, refusal)
      return
    }
    const outcome = await (upgrade === null ? forward : forwardUpgrade)(exchange, context)
    spend(exchange, outcome, context)
    context.audit.close(closeOf(exchange, outcome, context.now()))
  } catch (error) {
    context.fail(error)
    await deny(exchange, context, refuse('internal'))
  } finally {
    exchange.body?.release()
    context.shutdown.leave()
  }
}

async function runSteps(exchange: Exchange, context: ProxyContext): Promise<Refusal | null> {
  for (const step of REQUEST_STEPS) {
    const result = step.run(exchange, context)
    const refusal = result instanceof Promise ? await result : result
    if (refusal !== null) return refusal
  }
  return null
}

/** Records the denial, then tells the sandbox. When it cannot be recorded, that is what the sandbox is told. */
async function deny(exchange: Exchange, context: ProxyContext, refusal: Refusal): Promise<void> {
  let answer = refusal
  try {
    if (refusal.reason !== 'audit-unavailable') {
      await context.audit.decide(decisionOf(exchange, context.now(), refusal))
    }
  } catch {
    answer = refuse('audit-unavailable')
  }
  if (exchange.response.headersSent) exchange.response.destroy()
  else sendDenial(exchange.response, answer, exchange.id)
}

/** Ends a request that was allowed and recorded as such, before anything of it was sent upstream. */
function giveUp(exchange: Exchange, context: ProxyContext, refusal: Refusal): Promise<void> {
  sendDenial(exchange.response, refusal, exchange.id)
  const status = exchange.response.statusCode
  const requestBytes = exchange.body?.bytes ?? 0
  const outcome = {
    refusal,
    aborted: null,
    status,
    requestBytes,
    responseBytes: 0,
    redactions: [],
    detail: null,
  }
  context.audit.close(closeOf(exchange, outcome, context.now()))
  return Promise.resolve()
}

/** What a request cost is known at its end: it was let through whole, and is paid for by those that follow. */
function spend(
  { sandbox, service }: Exchange,
  outcome: Outcome,
  { policy, quotas, now }: ProxyContext,
): void {
  const quota = policy.services.get(service ?? '')?.quota ?? null
  if (quota === null || sandbox === null) return
  quotas.spend(meterKey(sandbox.id, service), outcome.requestBytes + outcome.responseBytes, now())
}

function newExchange(
  context: ProxyContext,
  binding: Binding,
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: Exchange['upgrade'],
): Exchange {
  return {
    id: context.newId(),
    startedAt: context.now(),
    binding,
    request,
    response,
    method: request.method ?? '',
    headers: collectHeaders(request.rawHeaders),
    upgrade,
    sandbox: null,
    origin: null,
    target: null,
    service: null,
    path: null,
    verdict: null,
    credential: null,
    injects: false,
    keepsSessions: false,
    upstream: null,
    decided: false,
    body: null,
    needles: Needles.NONE,
    outgoing: null,
  }
}
