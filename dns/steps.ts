import { parseHostname } from '#firewall/names/hostname.js'
import { checkName } from '#firewall/policy-engine/name-policy.js'
import { measureName } from '#firewall/names/name-features.js'
import { type Addresses, type AddressRecord, answerLimit, encodeAnswer } from './answer.js'
import { RCODE, TYPE } from './codes.js'
import { replyTo, type DnsReason } from './replies.js'
import { eventOf } from './events.js'
import type { Decision, DecisionStep, QueryFlow, QueryInquiry, QueryStep } from './flow.js'
import { localName } from './local-names.js'
import { labelsOf } from './wire.js'

/** What the policy says to a query. The first decision wins. */
const DECISION_STEPS: readonly DecisionStep[] = [
  { name: 'identify the sandbox', decide: identifySandbox },
  { name: 'limit its query rate', decide: limitRate },
  { name: 'reject unknown clients', decide: rejectUnknownClients },
  { name: 'one question, class IN, host-name bytes', decide: oneQuestion },
  { name: 'names that need no policy', decide: answerLocally },
  { name: 'check the name: listed, features, budget', decide: applyNamePolicy },
]

/**
 * Threat: a resolver that says nothing to a sandbox over its rate makes its programs wait for seconds and then fail; one that
 * denies at once makes them fail at once. So an answer comes later, up to a limit, and only what is beyond it is denied.
 */
export const PACE: QueryStep = { name: 'wait for a turn', act: pace }

/** The steps of a query, in order. No answer leaves before it is recorded. */
export const QUERY_STEPS: readonly QueryStep[] = [
  ...DECISION_STEPS,
  PACE,
  { name: 'record', act: record },
  { name: 'answer', act: answer },
]

/** The decision alone, for a query that nobody sent: nothing is recorded or answered. What is counted is the caller's ledger. */
export function decideQuery(inquiry: QueryInquiry): Decision {
  for (const step of DECISION_STEPS) {
    const decision = step.decide(inquiry)
    if (decision !== null) return decision
  }
  return deny('internal')
}

function identifySandbox(flow: QueryInquiry): null {
  flow.sandbox = flow.context.identify(flow.peer)
  return null
}

/** All unknown clients share one bucket, because they can choose the addresses that would tell them apart. */
function limitRate(flow: QueryInquiry): Decision | null {
  const turn = flow.context.limiter.take(flow.sandbox?.id ?? '', flow.snapshot.rate, flow.time)
  flow.waitMs = turn ?? 0
  return turn === null ? deny('rate-limited') : null
}

function rejectUnknownClients({ sandbox }: QueryInquiry): Decision | null {
  return sandbox === null ? deny('unknown-sandbox') : null
}

function oneQuestion(flow: QueryInquiry): Decision | null {
  const { error, question } = flow.query
  if (error === null) return null
  // Measured despite the error. Threat: a DNS tunnel that stays unnoticed by using a wrong class or EDNS version.
  if (question !== null) {
    flow.features = measureName(labelsOf(question.name), flow.snapshot.namePolicy.limits.features)
  }
  return deny(error)
}

function answerLocally({ query: { question }, snapshot }: QueryInquiry): Decision | null {
  if (question === null) return null
  const own = snapshot.hosts.get(question.name)
  if (own !== undefined) return allow('dns.hosts', addressFor(question.type, own))
  const local = localName(question.name)
  if (local === null) return null
  return local.kind === 'reverse'
    ? deny('reverse-name')
    : allow(local.rule, addressFor(question.type, local.addresses))
}

function applyNamePolicy(flow: QueryInquiry): Decision | null {
  const { context, snapshot, sandbox, query, time } = flow
  const { question } = query
  if (sandbox === null || question === null) return null
  const host = parseHostname(question.name)
  if (host === null) {
    // `1.2.3.4`, `-a.example.com`: valid in DNS, but never in a policy.
    flow.features = measureName(labelsOf(question.name), snapshot.namePolicy.limits.features)
    return deny('host-not-listed')
  }
  const { verdict, wildcard, features, budget } = checkName(snapshot.namePolicy, sandbox, host, time)
  flow.wildcard = wildcard
  flow.features = features
  flow.budget = budget
  if (!verdict.allowed) return deny(verdict.reason, verdict.rule)
  return allow(verdict.rule, addressFor(question.type, context.addressOf(sandbox, host)))
}

/**
 * HTTPS and SVCB records would let the upstream choose port, protocol and key (RFC 9460), and a client of the gateway needs
 * no other types, so all of them are empty. ANY gets one of the existing record sets (RFC 8482 section 4.1).
 */
function addressFor(type: number, { ipv4, ipv6 }: Addresses): AddressRecord | null {
  if (type === TYPE.AAAA) return ipv6
  if (type === TYPE.A) return ipv4
  return type === TYPE.ANY ? (ipv4 ?? ipv6) : null
}

function pace({ waitMs }: QueryFlow, _decision: Decision, next: () => void): void {
  if (waitMs === 0) next()
  else setTimeout(next, waitMs)
}

/** No record, no answer: if the audit log fails, the decision becomes SERVFAIL. */
function record(flow: QueryFlow, decision: Decision, next: () => void): void {
  const { context } = flow
  context.record(eventOf(flow, decision), (error) => {
    if (error !== null) {
      flow.decision = deny('audit-unavailable')
      context.fail(error)
    }
    next()
  })
}

function answer(flow: QueryFlow, { rcode, address, extended }: Decision, next: () => void): void {
  if (rcode !== null) {
    const limit = answerLimit(flow.query, flow.transport)
    flow.response = encodeAnswer(flow.query, { rcode, address, extended }, limit)
  }
  next()
}

export function deny(reason: DnsReason, rule: string | null = null): Decision {
  return { verdict: 'deny', reason, rule, address: null, ...replyTo(reason) }
}

function allow(rule: string, address: AddressRecord | null): Decision {
  return {
    verdict: 'allow',
    reason: null,
    rule,
    rcode: RCODE.NOERROR,
    address,
    extended: null,
  }
}
