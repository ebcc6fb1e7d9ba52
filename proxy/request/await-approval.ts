import { createHash } from 'node:crypto'
import { ruleKey } from '#firewall/ledger/approvals.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { ProxyContext } from '../context/context.js'
import type { ApprovalAnswer, ApprovalRequest } from '../contracts/approvals.js'
import { deny, type Denial } from '../contracts/denial.js'
import { limitQuota } from './decision-steps.js'
import { required, type Exchange } from './exchange.js'
import { describeGraphql } from './graphql-step.js'
import { outgoingHead } from './outgoing-head.js'
import { readWhole } from './read-whole.js'
import { headBytes } from './records.js'
import type { Step } from './step.js'

/** Milliseconds in which a body must come whole: a stream that does not end cannot be shown to anybody. */
const BODY_TIMEOUT_MS = 30_000

/** Seconds after which a client that repeats requests of its own accord may do so. */
const RETRY_SECONDS = 15

/**
 * Holds a request that a rule asks about until a person has decided, for some seconds; then the client is told, and may send the
 * same request again. All of the body is read before anybody is asked, and these bytes are sent.
 *
 *     body read, digested ─▶ decided? ── granted ──▶ next step
 *                              │  ▲        denied ──▶ approval-denied
 *                       wait, at most `hold` ───────▶ approval-required, with an id
 */
export const awaitApproval: Step = {
  name: 'a person has approved the request, where a rule asks for that',
  run: (exchange, context) =>
    exchange.asks === null ? null : seekApproval(exchange, exchange.asks, context),
}

/** The rules that ask. */
type Asks = NonNullable<Exchange['asks']>

async function seekApproval(exchange: Exchange, asks: Asks, context: ProxyContext): Promise<Denial | null> {
  const [ask] = asks
  const { policy } = exchange.snapshot
  const { holdMs, expireMs, maxBodyBytes } = policy.approvals
  const unreadable = (detail: string) => deny('approval-unreadable', { rule: ask.id, detail })
  const body =
    exchange.readBody ??
    (await readWhole(
      exchange,
      maxBodyBytes,
      {
        tooLarge: unreadable(`it has more than ${String(maxBodyBytes)} bytes`),
        broken: unreadable(`it did not come whole within ${String(BODY_TIMEOUT_MS / 1000)} seconds`),
      },
      BODY_TIMEOUT_MS,
    ))
  if ('reason' in body) return body
  if (body.length > maxBodyBytes) return unreadable(`it has more than ${String(maxBodyBytes)} bytes`)
  exchange.readBody = body
  const request = requestOf(exchange, asks, body)
  const reserve = () => {
    const memory = context.ledger.memory.open(request.sandbox.id, policy.limits.memory)
    return memory.tryReserve(body.length + headBytes(exchange)) ? memory : null
  }
  const until = performance.now() + holdMs
  for (;;) {
    // What is decided is decided for the policy in force: the next attempt is.
    if (context.snapshot() !== exchange.snapshot) return changed(ask)
    // Looked at here, and used up by a request that passes.
    const over = limitQuota(exchange, context, false)
    if (over !== null) return over
    let answer: ApprovalAnswer
    try {
      answer = context.approvals.submit(request, expireMs, reserve)
    } catch {
      return deny('audit-unavailable')
    }
    if (answer.state === 'full') return deny('approval-limit', { rule: ask.id, retryAfter: RETRY_SECONDS })
    exchange.approval = answer.id
    if (answer.state === 'granted') return limitQuota(exchange, context, true)
    if (answer.state === 'denied') return deny('approval-denied', { rule: ask.id, approval: answer.id })
    const isDecided = await decided(answer.id, until - performance.now(), exchange, context)
    if (context.shutdown.hasStarted()) return deny('shutting-down')
    if (!isDecided || exchange.downstream.gone) return pending(ask, answer)
  }
}

/** While it was read, or waited. */
function changed(ask: Rule): Denial {
  const detail = 'The policy has changed meanwhile. Send the request again'
  return deny('approval-required', { rule: ask.id, detail, retryAfter: 1 })
}

function pending(ask: Rule, { id, expires }: Extract<ApprovalAnswer, { state: 'pending' }>): Denial {
  const time = new Date(expires).toISOString().slice(0, 19)
  return deny('approval-required', {
    rule: ask.id,
    approval: id,
    detail: `It waits as ${id} until ${time}Z, for an operator who runs \`egress approvals\`. Nothing was sent. Send exactly the same request again once it is approved`,
    retryAfter: RETRY_SECONDS,
  })
}

/** False if nothing was decided in so many milliseconds, or the client is gone. */
function decided(
  id: string,
  ms: number,
  { downstream }: Exchange,
  { approvals, shutdown }: ProxyContext,
): Promise<boolean> {
  if (ms <= 0) return Promise.resolve(false)
  return new Promise((resolve) => {
    const settle = (result: boolean) => {
      clearTimeout(timer)
      for (const forget of [forgetChange, forgetClient, forgetShutdown]) forget()
      resolve(result)
    }
    const timer = setTimeout(() => settle(false), ms)
    const forgetChange = approvals.onChange(id, () => settle(true))
    const forgetClient = downstream.onGone(() => settle(false))
    const forgetShutdown = shutdown.onStart(() => settle(false))
  })
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')

/** What is asked about: all that the upstream would see of it. */
function requestOf(exchange: Exchange, rules: Asks, body: Buffer): ApprovalRequest {
  const { flow, downstream, method, sandbox, origin, path, service, credential, injects } = exchange
  const { headers, query } = outgoingHead(exchange)
  // The gateway makes its own.
  delete headers['sec-websocket-key']
  const { id, agent } = required(sandbox)
  const asked = {
    kind: downstream.upgrade === null ? ('request' as const) : ('upgrade' as const),
    method,
    origin: required(origin),
    target: required(path).path + query,
    headers,
    digest: sha256(body),
    service,
    credential: injects ? (credential?.id ?? null) : null,
  }
  const { scheme, host, port } = asked.origin
  const sorted = Object.keys(headers)
    .sort()
    .map((name) => [name, headers[name]])
  const parts = [id, agent, asked.kind, method, scheme, host, port, asked.target, sorted]
  return {
    ...asked,
    key: sha256(
      JSON.stringify([...parts, asked.digest, body.length, service, asked.credential, rules.map(ruleKey)]),
    ),
    requestId: flow.id,
    sandbox: { id, agent },
    body,
    operations: describeGraphql(exchange),
    rules,
  }
}
