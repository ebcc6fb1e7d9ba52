import type { Headers, Injected } from '#firewall/contracts/credential.js'
import { checkName } from '#firewall/judge/name-policy.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { Overrides } from '#firewall/rules/http.js'
import { parseRequestTarget, type PathError, type RequestPath } from '#firewall/rules/request-path.js'
import { findPlaceholders } from '#firewall/judge/placeholders.js'
import type { ProxyContext } from '../context.js'
import { readTarget } from './read-target.js'
import { deny, denyFailure, required, type Exchange, type Denial } from './exchange.js'
import { endToEndHeaders, framingError, hasBody, overridesOf } from './headers.js'
import { limitKey } from '#firewall/ledger/limit-key.js'
import { decisionOf } from './records.js'
import { isSearchableRange } from '../redaction/redact.js'
import { RequestBody } from './request-body.js'
import { stripClientCredential } from './credential-locations.js'
import { sendTokenRequest } from '../upstream/token-request.js'
import { resolveUpstream } from '../upstream/resolve-upstream.js'

/** One step of a request: it refuses, or passes on. It may set the exchange's field that it is there to find out. */
export interface Step {
  readonly name: string
  run(exchange: Exchange, context: ProxyContext): Denial | null | Promise<Denial | null>
}

const identifySandbox: Step = {
  name: 'identify the sandbox by its connection',
  run(exchange) {
    exchange.sandbox = exchange.connection.sandbox
    return exchange.sandbox === null ? deny('unknown-sandbox') : null
  },
}

const checkFraming: Step = {
  name: 'refuse heads that can be read in two ways',
  run(exchange) {
    const detail = framingError(exchange.headers)
    return detail === null ? null : deny('bad-framing', { detail })
  },
}

const findTarget: Step = {
  name: 'read the target as the listener spells it',
  run: (exchange) => readTarget(exchange, exchange.snapshot.policy),
}

const checkHostsAgree: Step = {
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

const checkHostName: Step = {
  name: 'the name is listed, looks like a name and is within budget',
  run({ snapshot: { namePolicy }, sandbox, origin }, { now }) {
    const { verdict } = checkName(namePolicy, required(sandbox), required(origin).host, now())
    return verdict.allowed ? null : deny(verdict.reason, { rule: verdict.rule })
  },
}

const canonicalisePath: Step = {
  name: 'canonicalise the path',
  run(exchange) {
    const path = parseRequestTarget(required(exchange.target))
    if (typeof path === 'string') return deny(path)
    exchange.path = path
    return null
  },
}

const evaluatePolicy: Step = {
  name: 'a rule allows this method and path',
  run(exchange) {
    const overrides = readOverrides(exchange.headers)
    if (typeof overrides === 'string')
      return deny(overrides, { detail: 'in a header that names another path' })
    const { scheme, host, port } = required(exchange.origin)
    const verdict = exchange.snapshot.namePolicy.policyEngine.evaluateRequest({
      agent: required(exchange.sandbox).agent,
      scheme,
      host,
      port,
      method: exchange.method,
      path: required(exchange.path),
      service: exchange.service,
      overrides,
    })
    if (!verdict.allowed) return deny(verdict.reason, { rule: verdict.rule })
    exchange.verdict = verdict
    const { service } = verdict
    exchange.service = service?.name ?? null
    exchange.credential = service?.credential ?? null
    exchange.keepsSessions = exchange.credential !== null && service?.sessionHeaders === 'drop'
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

const limitRate: Step = {
  name: 'the service is not asked too often',
  run({ sandbox, verdict }, { ledger, now }) {
    const { service, destination } = required(verdict)
    if (service?.rate == null) return null
    const waitMs = ledger.rates.take(limitKey(required(sandbox).id, service.name), service.rate, now())
    if (waitMs === 0) return null
    return deny('rate-limited', { rule: destination.id, retryAfter: Math.ceil(waitMs / 1000) })
  },
}

const limitQuota: Step = {
  name: 'the quota of the service is not used up',
  run({ sandbox, verdict, headers }, { ledger, now }) {
    const { service, destination } = required(verdict)
    if (service?.quota == null) return null
    const announced = Number(headers['content-length'] ?? 0)
    const key = limitKey(required(sandbox).id, service.name)
    const waitMs = ledger.quotas.take(key, service.quota, announced, now())
    if (waitMs === 0) return null
    return deny('quota-exceeded', { rule: destination.id, retryAfter: Math.ceil(waitMs / 1000) })
  },
}

const limitSize: Step = {
  name: 'the announced body is within the limit',
  run({ headers, snapshot: { policy } }) {
    return Number(headers['content-length'] ?? 0) > policy.http.maxRequestBytes ? deny('too-large') : null
  },
}

const checkPlaceholders: Step = {
  name: 'no placeholder stands where it has no business',
  run(exchange) {
    const { headers, credential, path, sandbox } = exchange
    const { service, destination } = required(exchange.verdict)
    const { misplaced, inLocation } = findPlaceholders({
      headers,
      path: required(path).path,
      query: required(path).query,
      placeholders: required(sandbox).placeholders,
      own: Object.keys(service?.placeholders ?? {}),
      locations: service?.locations ?? {},
    })
    exchange.injects = credential !== null && (service?.injectWhen !== 'on_placeholder' || inLocation)
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
  async run(exchange, { audit, now }) {
    try {
      await audit.decide(decisionOf(exchange, now(), null))
      exchange.decided = true
      return null
    } catch {
      return deny('audit-unavailable')
    }
  },
}

const prepareRequest: Step = {
  name: 'drop hop-by-hop headers and what stands in the locations of the credential',
  run(exchange, { ledger }) {
    const { origin, path, credential, request, response, method, sandbox, snapshot } = exchange
    const { service } = required(exchange.verdict)
    const { host, port, scheme } = required(origin)
    const { path: pathname, query } = required(path)
    const headers = endToEndHeaders(exchange.headers)
    delete headers['x-sandbox-target']
    headers['host'] = port === (scheme === 'https' ? 443 : 80) ? host : `${host}:${String(port)}`
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
      exchange.body = new RequestBody(request, response, headers, maxRequestBytes, reservation)
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
      send: (request) => sendTokenRequest(request, { exchange, credential, destination }, context),
    })
    const policyEngine = (failure: Injected) =>
      failure === null ? null : denyFailure(failure, destination.id)
    return injected instanceof Promise ? injected.then(policyEngine) : policyEngine(injected)
  },
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

/** A request, from the open connection to the moment before the first byte goes upstream; `forward` follows. */
export const REQUEST_STEPS: readonly Step[] = [
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
  resolveAddress,
  checkOpen,
  recordDecision,
  prepareRequest,
  injectCredential,
  choosePatterns,
]
