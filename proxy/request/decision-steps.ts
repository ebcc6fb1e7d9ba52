import { checkName } from '#firewall/policy-engine/name-policy.js'
import { findPlaceholders } from '#firewall/policy-engine/placeholders.js'
import type { RequestInput } from '#firewall/policy-engine/policy-engine.js'
import type { Ledger } from '#firewall/ledger/ledger.js'
import { limitKey } from '#firewall/ledger/limit-key.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { deny, type Denial } from '../contracts/denial.js'
import { framingError } from '../message/headers.js'
import { required, type Inquiry } from './exchange.js'
import { formKindOf } from './form-inspector.js'
import { exceededLimit } from './head-limits.js'
import { readTarget } from './read-target.js'
import { headBytes } from './records.js'
import { overridesIn } from './steering-headers.js'

/** What a step up to the decision may know beside the question. */
export interface DecisionContext {
  readonly ledger: Pick<Ledger, 'rates' | 'quotas'>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** A step up to the decision: it changes nothing but the inquiry and, where the inquiry is to be charged, what is counted. */
export interface DecisionStep {
  readonly name: string
  run(inquiry: Inquiry, context: DecisionContext): Denial | null
}

const identifySandbox: DecisionStep = {
  name: 'identify the sandbox by its connection',
  run(inquiry) {
    inquiry.sandbox = inquiry.connection.sandbox
    return inquiry.sandbox === null ? deny('unknown-sandbox') : null
  },
}

const limitHead: DecisionStep = {
  name: 'count the parts of the head before anything is done with them',
  run({ requestTarget, headers }) {
    const detail = exceededLimit(requestTarget, headers)
    return detail === null ? null : deny('head-too-complex', { detail })
  },
}

const checkFraming: DecisionStep = {
  name: 'refuse heads that can be read in two ways',
  run(inquiry) {
    const detail = framingError(inquiry.headers)
    return detail === null ? null : deny('bad-framing', { detail })
  },
}

const findTarget: DecisionStep = {
  name: 'read the target as the listener spells it',
  run: (inquiry) => readTarget(inquiry, inquiry.snapshot.policy),
}

const checkHostsAgree: DecisionStep = {
  name: 'the request names what the connection is bound to',
  run({ connection, origin: named }) {
    const origin = required(named)
    const agrees =
      (connection.host ?? origin.host) === origin.host &&
      (connection.port ?? origin.port) === origin.port &&
      (connection.scheme ?? origin.scheme) === origin.scheme
    return agrees ? null : deny('host-mismatch')
  },
}

const checkHostName: DecisionStep = {
  name: 'the name is listed, looks like a name and is within budget',
  run({ connection: { checkedName }, snapshot, sandbox, origin, charge }, { now }) {
    const { host } = required(origin)
    if (checkedName !== null && checkedName.host === host && checkedName.snapshot === snapshot) return null
    const { verdict } = checkName(snapshot.namePolicy, required(sandbox), host, now(), charge)
    return verdict.allowed ? null : deny(verdict.reason, { rule: verdict.rule })
  },
}

const canonicalisePath: DecisionStep = {
  name: 'canonicalise the path',
  run(inquiry) {
    const path = parseRequestTarget(required(inquiry.target))
    if (typeof path === 'string') return deny(path)
    inquiry.path = path
    return null
  },
}

function inputOf(inquiry: Inquiry, overrides: readonly string[]): RequestInput {
  const { scheme, host, port } = required(inquiry.origin)
  return {
    agent: required(inquiry.sandbox).agent,
    scheme,
    host,
    port,
    method: inquiry.method,
    path: required(inquiry.path),
    service: inquiry.service,
    overrides,
    contentType: inquiry.headers['content-type'],
    graphql: inquiry.graphql,
  }
}

function evaluate(inquiry: Inquiry, overrides: readonly string[]) {
  return inquiry.snapshot.namePolicy.policyEngine.evaluateRequest(inputOf(inquiry, overrides))
}

/** Whether the rules look at the body of this request, which is an operation of GraphQL to them. After `TARGET_STEPS`. */
export function readsGraphql(inquiry: Inquiry): boolean {
  return inquiry.snapshot.namePolicy.policyEngine.readsGraphql(inputOf(inquiry, []))
}

/** For what is found in a body, when the request itself was allowed: may it use these methods as well? */
export function denyMethods(inquiry: Inquiry, methods: readonly string[]): Denial | null {
  const verdict = evaluate(inquiry, methods)
  if (verdict.allowed) return null
  if (!('asks' in verdict)) return deny(verdict.reason, { rule: verdict.rule })
  // All of the body was shown to the person who approved the request for these rules. For others, nobody was asked.
  const others = verdict.asks.find((rule) => inquiry.asks?.includes(rule) !== true)
  return others === undefined ? null : deny('denied-by-rule', { rule: others.id })
}

const checkForm: DecisionStep = {
  name: 'the fields of a form can be read',
  run: ({ method, headers }) =>
    formKindOf(method, headers) === 'unreadable' ? deny('form-unreadable') : null,
}

const evaluatePolicy: DecisionStep = {
  name: 'a rule allows this method and path',
  run(inquiry) {
    const verdict = evaluate(inquiry, overridesIn(inquiry.headers))
    const isAsked = 'asks' in verdict
    if (!verdict.allowed && !isAsked) {
      const { reason, rule, detail = null } = verdict
      // What the rules would say of what it stands for cannot be known.
      if (required(inquiry.path).isEncodedTwice && reason === 'ambiguous-path')
        return deny('path-double-encoding', { rule })
      return deny(reason, { rule, detail })
    }
    const granted = isAsked ? verdict.granted : verdict
    inquiry.verdict = granted
    inquiry.asks = isAsked ? verdict.asks : null
    const { service } = granted
    inquiry.service = service?.name ?? null
    inquiry.credential = service?.credential ?? null
    inquiry.keepsSessions = inquiry.credential !== null && service?.sessionHeaders === 'drop'
    return null
  },
}

const limitRate: DecisionStep = {
  name: 'the service is not asked too often',
  run({ sandbox, verdict, charge }, { ledger, now }) {
    const { service, destination } = required(verdict)
    if (service?.rate == null) return null
    const key = limitKey(required(sandbox).id, service.name)
    const waitMs = ledger.rates.take(key, service.rate, now(), charge)
    if (waitMs === 0) return null
    return deny('rate-limited', { rule: destination.id, retryAfter: Math.ceil(waitMs / 1000) })
  },
}

const checkQuota: DecisionStep = {
  name: 'the quota of the service is not used up',
  // A request that must be approved is charged once it is.
  run: (inquiry, context) => limitQuota(inquiry, context, inquiry.charge && inquiry.asks === null),
}

/** @param charge whether the request is counted */
export function limitQuota(
  inquiry: Inquiry,
  { ledger, now }: DecisionContext,
  charge: boolean,
): Denial | null {
  const { sandbox, verdict, headers } = inquiry
  const { service, destination } = required(verdict)
  if (service?.quota == null) return null
  const announced = headBytes(inquiry) + Number(headers['content-length'] ?? 0)
  const key = limitKey(required(sandbox).id, service.name)
  const waitMs = ledger.quotas.take(key, service.quota, announced, now(), charge)
  if (waitMs === 0) return null
  return deny('quota-exceeded', { rule: destination.id, retryAfter: Math.ceil(waitMs / 1000) })
}

const limitSize: DecisionStep = {
  name: 'the announced body is within the limit',
  run({ headers, snapshot: { policy } }) {
    return Number(headers['content-length'] ?? 0) > policy.http.maxRequestBytes ? deny('too-large') : null
  },
}

const checkPlaceholders: DecisionStep = {
  name: 'no placeholder stands where it has no business',
  run(inquiry) {
    const { headers, credential, path, sandbox } = inquiry
    const { service, destination } = required(inquiry.verdict)
    const { misplaced, inLocation } = findPlaceholders({
      headers,
      path: required(path).path,
      query: required(path).query,
      placeholders: required(sandbox).placeholders,
      own: Object.keys(service?.placeholders ?? {}),
      locations: service?.locations ?? {},
    })
    inquiry.injects = credential !== null && (service?.injectWhen !== 'on_placeholder' || inLocation)
    if (misplaced === null) return null
    const detail = `the placeholder of ${misplaced.secret} in ${misplaced.place}`
    return deny('placeholder-misplaced', { rule: destination.id, detail })
  },
}

/** What a request is for: who asks, and which path of which host. */
export const TARGET_STEPS: readonly DecisionStep[] = [
  identifySandbox,
  limitHead,
  checkFraming,
  findTarget,
  checkHostsAgree,
  checkHostName,
  canonicalisePath,
]

/** Whether it may. What it asks of an endpoint of GraphQL is known before these. */
export const EVALUATION_STEPS: readonly DecisionStep[] = [
  evaluatePolicy,
  checkForm,
  limitRate,
  limitSize,
  checkPlaceholders,
  checkQuota,
]

/**
 * What the policy says to a request: pure but for what is counted, and that only where `inquiry.charge` says so. Whoever wants
 * to know what would happen to a request runs these over `newInquiry({ …, charge: false })`, up to the first denial.
 */
export const DECISION_STEPS: readonly DecisionStep[] = [...TARGET_STEPS, ...EVALUATION_STEPS]

/** Runs the decision alone: null when the request would be allowed as far as the policy goes. */
export function decideInquiry(inquiry: Inquiry, context: DecisionContext): Denial | null {
  return runSteps(DECISION_STEPS, inquiry, context)
}

/** Up to the first denial. */
export function runSteps(
  steps: readonly DecisionStep[],
  inquiry: Inquiry,
  context: DecisionContext,
): Denial | null {
  for (const step of steps) {
    const denial = step.run(inquiry, context)
    if (denial !== null) return denial
  }
  return null
}
