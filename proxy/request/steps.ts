import type { Headers, Injected } from '#firewall/contracts/credential.js'
import { checkName } from '#firewall/judge/name-policy.js'
import { findPlaceholders } from '#firewall/judge/placeholders.js'
import type { Overrides } from '#firewall/rules/http.js'
import type { Ledger } from '#firewall/ledger/ledger.js'
import { limitKey } from '#firewall/ledger/limit-key.js'
import { authorityText } from '#firewall/names/default-port.js'
import { parseRequestTarget, type PathError, type RequestPath } from '#firewall/rules/request-path.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { ProxyContext } from '../context/context.js'
import { deny, denyFailure, type Denial } from '../contracts/denial.js'
import { endToEndHeaders, framingError, hasBody, overridesOf } from '../message/headers.js'
import { isSearchableRange } from '../redaction/redact.js'
import { resolveUpstream } from '../upstream/resolve-upstream.js'
import { sendTokenRequest } from '../upstream/token-request.js'
import { stripClientCredential } from './credential-locations.js'
import { required, type Exchange, type Inquiry } from './exchange.js'
import { readTarget } from './read-target.js'
import { decisionOf } from './records.js'
import { RequestBody } from './request-body.js'

/** One step of a request: it refuses, or passes on. It may set the exchange's field that it is there to find out. */
export interface Step {
  readonly name: string
  run(exchange: Exchange, context: ProxyContext): Denial | null | Promise<Denial | null>
}

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

const evaluatePolicy: DecisionStep = {
  name: 'a rule allows this method and path',
  run(inquiry) {
    const overrides = readOverrides(inquiry.headers)
    if (typeof overrides === 'string')
      return deny(overrides, { detail: 'in a header that names another path' })
    const { scheme, host, port } = required(inquiry.origin)
    const verdict = inquiry.snapshot.namePolicy.policyEngine.evaluateRequest({
      agent: required(inquiry.sandbox).agent,
      scheme,
      host,
      port,
      method: inquiry.method,
      path: required(inquiry.path),
      service: inquiry.service,
      overrides,
    })
    if (!verdict.allowed) return deny(verdict.reason, { rule: verdict.rule })
    inquiry.verdict = verdict
    const { service } = verdict
    inquiry.service = service?.name ?? null
    inquiry.credential = service?.credential ?? null
    inquiry.keepsSessions = inquiry.credential !== null && service?.sessionHeaders === 'drop'
    return null
  },
}

function readOverrides(headers: Headers): Overrides | PathError | null {
  const named = overridesOf(headers)
  if (named === null) return null
  const paths: RequestPath[] = []
  for (const target of named.targets) {
    const path = parseRequestTarget(target)
    if (typeof path === 'string') return path
    paths.push(path)
  }
  return { methods: named.methods, paths }
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

const limitQuota: DecisionStep = {
  name: 'the quota of the service is not used up',
  run({ sandbox, verdict, headers, charge }, { ledger, now }) {
    const { service, destination } = required(verdict)
    if (service?.quota == null) return null
    const announced = Number(headers['content-length'] ?? 0)
    const key = limitKey(required(sandbox).id, service.name)
    const waitMs = ledger.quotas.take(key, service.quota, announced, now(), charge)
    if (waitMs === 0) return null
    return deny('quota-exceeded', { rule: destination.id, retryAfter: Math.ceil(waitMs / 1000) })
  },
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

const resolveAddress: Step = {
  name: 'resolve the upstream, check every address, pin them',
  async run(exchange, context) {
    const upstream = await resolveUpstream(
      context,
      exchange.snapshot,
      exchange.connection,
      required(exchange.origin),
      required(exchange.verdict).destination,
    )
    if ('reason' in upstream) return upstream
    const shown = exchange.injects ? exchange.credential?.clientCertificate : null
    exchange.upstream = { ...upstream, clientCertificate: shown ?? null }
    return null
  },
}

const checkOpen: Step = {
  name: 'the gateway is not shutting down',
  run: (_exchange, { shutdown }) => (shutdown.hasStarted() ? deny('shutting-down') : null),
}

const recordDecision: Step = {
  name: 'write the decision to the audit log',
  async run(exchange, { now }) {
    try {
      await exchange.flow.decide(decisionOf(exchange, now(), null))
      return null
    } catch {
      return deny('audit-unavailable')
    }
  },
}

const prepareRequest: Step = {
  name: 'drop hop-by-hop headers and what stands in the locations of the credential',
  run(exchange, { ledger }) {
    const { origin, path, credential, downstream, method, sandbox, snapshot } = exchange
    const { service } = required(exchange.verdict)
    const { host, port, scheme } = required(origin)
    const { path: pathname, query } = required(path)
    const headers = endToEndHeaders(exchange.headers)
    delete headers['x-sandbox-target']
    headers['host'] = authorityText(scheme, host, port)
    const sent = { headers: { ...headers }, query }
    if (credential !== null) {
      // What comes back must be readable for redaction.
      headers['accept-encoding'] = 'identity'
      delete headers['sec-websocket-extensions']
      dropShortRange(headers, snapshot.secretPatterns.of(required(sandbox).agent))
    }
    if (hasBody(exchange.headers)) {
      const { maxRequestBytes } = snapshot.policy.http
      const reservation = ledger.bodyBuffers.open(required(sandbox).id)
      exchange.body = new RequestBody(downstream, headers, maxRequestBytes, reservation)
    }
    exchange.outgoing = {
      method,
      origin: required(origin),
      path: pathname,
      query: service === null ? query : stripClientCredential(service.locations, headers, query),
      headers,
      body: exchange.body,
      sent,
      placeholders: required(sandbox).placeholders,
    }
    return null
  },
}

const injectCredential: Step = {
  name: 'put the real credential in, last',
  run(exchange, context) {
    const { credential, injects, outgoing, verdict } = exchange
    if (credential === null || !injects) return null
    const { destination } = required(verdict)
    const injected = credential.inject(required(outgoing), {
      now: context.now,
      send: (request) =>
        sendTokenRequest(request, { ...tokenContextOf(exchange), credential, destination }, context),
    })
    const denialOf = (failure: Injected) => (failure === null ? null : denyFailure(failure, destination.id))
    return injected instanceof Promise ? injected.then(denialOf) : denialOf(injected)
  },
}

function tokenContextOf({ flow, connection, sandbox, service, snapshot }: Exchange) {
  const { policy, resolver, pools: upstreams } = snapshot
  return { requestId: flow.id, connection, sandbox: required(sandbox), service, policy, resolver, upstreams }
}

const choosePatterns: Step = {
  name: 'choose what the response is searched for: a token that came just now, too',
  run(exchange) {
    if (exchange.credential === null) return null
    exchange.secretPatterns = exchange.snapshot.secretPatterns.of(required(exchange.sandbox).agent)
    // The new token may be longer than what was looked for before.
    dropShortRange(required(exchange.outgoing).headers, exchange.secretPatterns)
    return null
  },
}

/** A server may always answer with the whole (RFC 9110 section 14.2). */
function dropShortRange(headers: Headers, secretPatterns: SecretPatterns): void {
  if (!isSearchableRange(headers['range'], secretPatterns)) delete headers['range']
}

/**
 * What the policy says to a request: pure but for what is counted, and that only where `inquiry.charge` says so. Whoever wants
 * to know what would happen to a request runs these over `newInquiry({ …, charge: false })`, up to the first denial.
 */
export const DECISION_STEPS: readonly DecisionStep[] = [
  identifySandbox,
  checkFraming,
  findTarget,
  checkHostsAgree,
  checkHostName,
  canonicalisePath,
  evaluatePolicy,
  limitRate,
  limitSize,
  checkPlaceholders,
  limitQuota,
]

/** A request, from the open connection to the moment before the first byte goes upstream; `forward` follows. */
export const REQUEST_STEPS: readonly Step[] = [
  ...DECISION_STEPS,
  resolveAddress,
  checkOpen,
  recordDecision,
  prepareRequest,
  injectCredential,
  choosePatterns,
]

/** Runs the decision alone: null when the request would be allowed as far as the policy goes. */
export function decideInquiry(inquiry: Inquiry, context: DecisionContext): Denial | null {
  for (const step of DECISION_STEPS) {
    const denial = step.run(inquiry, context)
    if (denial !== null) return denial
  }
  return null
}
