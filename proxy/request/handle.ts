import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { ProxyContext } from '../context.js'
import { sendDenial } from '../downstream/denial.js'
import { deny, type ConnectionContext, type Exchange, type ForwardResult, type Denial } from './exchange.js'
import { collectHeaders } from './headers.js'
import { limitKey } from '#firewall/ledger/limit-key.js'
import { closeOf, decisionOf } from './records.js'
import { REQUEST_STEPS } from './steps.js'
import { forward } from '../upstream/forward.js'
import { forwardUpgrade } from '../upstream/upgrade.js'

/** Takes one request through the steps, forwards it, and closes its record. Never rejects. */
export async function handleRequest(
  context: ProxyContext,
  connection: ConnectionContext,
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: { socket: Socket; head: Buffer } | null,
): Promise<void> {
  const exchange = newExchange(context, connection, request, response, upgrade)
  // A client may go away at any time; its absence shows where bytes are written, not here.
  request.on('error', () => undefined)
  response.on('error', () => undefined)
  context.shutdown.trackRequest()
  try {
    const denial = await runSteps(exchange, context)
    if (denial !== null) {
      await (exchange.decided ? failRequest : denyRequest)(exchange, context, denial)
      return
    }
    const result = await (upgrade === null ? forward : forwardUpgrade)(exchange, context)
    spend(exchange, result, context)
    context.audit.close(closeOf(exchange, result, context.now()))
  } catch (error) {
    context.fail(error)
    await denyRequest(exchange, context, deny('internal'))
  } finally {
    exchange.body?.release()
    context.shutdown.untrackRequest()
  }
}

async function runSteps(exchange: Exchange, context: ProxyContext): Promise<Denial | null> {
  for (const step of REQUEST_STEPS) {
    const result = step.run(exchange, context)
    const denial = result instanceof Promise ? await result : result
    if (denial !== null) return denial
  }
  return null
}

/** Records the denial, then tells the sandbox. When it cannot be recorded, that is what the sandbox is told. */
async function denyRequest(exchange: Exchange, context: ProxyContext, denial: Denial): Promise<void> {
  let answer = denial
  try {
    if (denial.reason !== 'audit-unavailable') {
      await context.audit.decide(decisionOf(exchange, context.now(), denial))
    }
  } catch {
    answer = deny('audit-unavailable')
  }
  if (exchange.response.headersSent) exchange.response.destroy()
  else sendDenial(exchange.response, answer, exchange.id)
}

/** Ends a request that was allowed and recorded as such, before anything of it was sent upstream. */
function failRequest(exchange: Exchange, context: ProxyContext, denial: Denial): Promise<void> {
  sendDenial(exchange.response, denial, exchange.id)
  const status = exchange.response.statusCode
  const requestBytes = exchange.body?.bytes ?? 0
  const result = {
    denial,
    aborted: null,
    status,
    requestBytes,
    responseBytes: 0,
    redactions: [],
    detail: null,
  }
  context.audit.close(closeOf(exchange, result, context.now()))
  return Promise.resolve()
}

/** What a request cost is known at its end: it was let through whole, and is paid for by those that follow. */
function spend({ sandbox, verdict }: Exchange, result: ForwardResult, { ledger, now }: ProxyContext): void {
  const service = verdict?.service ?? null
  if (service?.quota == null || sandbox === null) return
  ledger.quotas.spend(limitKey(sandbox.id, service.name), result.requestBytes + result.responseBytes, now())
}

function newExchange(
  context: ProxyContext,
  connection: ConnectionContext,
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: Exchange['upgrade'],
): Exchange {
  return {
    id: context.newId(),
    startedAt: context.now(),
    connection,
    snapshot: context.snapshot(),
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
    secretPatterns: SecretPatterns.NONE,
    outgoing: null,
  }
}
