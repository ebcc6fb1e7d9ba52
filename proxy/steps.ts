import type { Headers, Injected } from '#firewall/credential.js'
import { admitName } from '#firewall/name-admission.js'
import type { Needles } from '#firewall/needles.js'
import type { Overrides } from '#firewall/judge.js'
import { parseRequestTarget, type PathFault, type RequestPath } from '#firewall/request-path.js'
import { findStandIns } from '#firewall/stand-ins.js'
import type { ProxyContext } from './context.js'
import { readTarget } from './doors/read-target.js'
import { refuse, refuseFault, settled, type Exchange, type Refusal } from './exchange.js'
import { endToEndHeaders, framingFault, hasBody, overridesOf } from './headers.js'
import { meterKey } from './meter-key.js'
import { decisionOf } from './records.js'
import { isSearchableRange } from './redact.js'
import { RequestBody } from './request-body.js'
import { emptySlots } from './slots.js'
import { sendGateRequest } from './upstream/gate-request.js'
import { pinAddresses } from './upstream/pin.js'

/** One step of a request: it refuses, or passes on. It may set the exchange's field that it is there to find out. */
export interface Step {
  readonly name: string
  run(exchange: Exchange, context: ProxyContext): Refusal | null | Promise<Refusal | null>
}

const identifySandbox: Step = {
  name: 'identify the sandbox by its connection',
  run(exchange) {
    exchange.sandbox = exchange.binding.sandbox
    return exchange.sandbox === null ? refuse('unknown-sandbox') : null
  },
}

const checkFraming: Step = {
  name: 'refuse heads that can be read in two ways',
  run(exchange) {
    const detail = framingFault(exchange.headers)
    return detail === null ? null : refuse('bad-framing', { detail })
  },
}

const findTarget: Step = {
  name: 'read the target as the door spells it',
  run: (exchange, { policy }) => readTarget(exchange, policy),
}

const checkIdentity: Step = {
  name: 'the request names what the connection is bound to',
  run({ binding, origin: named }) {
    const origin = settled(named)
    const agrees =
      (binding.host ?? origin.host) === origin.host &&
      (binding.port ?? origin.port) === origin.port &&
      (binding.scheme ?? origin.scheme) === origin.scheme
    return agrees ? null : refuse('identity-mismatch')
  },
}

const judgeName: Step = {
  name: 'the name is listed, looks like a name and is within budget',
  run(exchange, { names, now }) {
    const { verdict } = admitName(names, settled(exchange.sandbox), settled(exchange.origin).host, now())
    return verdict.allowed ? null : refuse(verdict.reason, { rule: verdict.rule })
  },
}

const canonicalisePath: Step = {
  name: 'canonicalise the path',
  run(exchange) {
    const path = parseRequestTarget(settled(exchange.target))
    if (typeof path === 'string') return refuse(path)
    exchange.path = path
    return null
  },
}

const judgeRequest: Step = {
  name: 'a rule allows this method and path',
  run(exchange, { names, policy }) {
    const overrides = readOverrides(exchange.headers)
    if (typeof overrides === 'string')
      return refuse(overrides, { detail: 'in a header that names another path' })
    const { scheme, host, port } = settled(exchange.origin)
    const verdict = names.judge.judgeRequest({
      agent: settled(exchange.sandbox).agent,
      scheme,
      host,
      port,
      method: exchange.method,
      path: settled(exchange.path),
      service: exchange.service,
      overrides,
    })
    if (!verdict.allowed) return refuse(verdict.reason, { rule: verdict.rule })
    exchange.verdict = verdict
    exchange.service = verdict.destination.service
    const service = policy.services.get(exchange.service ?? '')
    exchange.credential = service?.credential ?? null
    exchange.keepsSessions = exchange.credential !== null && service?.sessions === 'drop'
    return null
  },
}

function readOverrides(headers: Headers): Overrides | PathFault | null {
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
  run(exchange, { policy, limiter, now }) {
    const rate = policy.services.get(exchange.service ?? '')?.rate ?? null
    if (rate === null) return null
    const waitMs = limiter.take(meterKey(settled(exchange.sandbox).id, exchange.service), rate, now())
    if (waitMs === 0) return null
    const { destination } = settled(exchange.verdict)
    return refuse('rate-limited', { rule: destination.id, retryAfter: Math.ceil(waitMs / 1000) })
  },
}

const limitQuota: Step = {
  name: 'the quota of the service is not used up',
  run({ sandbox, service, verdict, headers }, { policy, quotas, now }) {
    const quota = policy.services.get(service ?? '')?.quota ?? null
    if (quota === null) return null
    const announced = Number(headers['content-length'] ?? 0)
    const waitMs = quotas.take(meterKey(settled(sandbox).id, service), quota, announced, now())
    if (waitMs === 0) return null
    const { destination } = settled(verdict)
    return refuse('quota-exceeded', { rule: destination.id, retryAfter: Math.ceil(waitMs / 1000) })
  },
}

const limitSize: Step = {
  name: 'the announced body is within the limit',
  run({ headers }, { policy }) {
    return Number(headers['content-length'] ?? 0) > policy.http.maxRequestBytes ? refuse('too-large') : null
  },
}

const checkStandIns: Step = {
  name: 'no stand-in stands where it has no business',
  run(exchange, { policy }) {
    const { headers, credential, verdict, path, sandbox } = exchange
    const service = policy.services.get(exchange.service ?? '')
    const { misplaced, inSlot } = findStandIns({
      headers,
      path: settled(path).path,
      query: settled(path).query,
      standIns: settled(sandbox).standIns,
      own: Object.keys(service?.dummies ?? {}),
      slots: service?.slots ?? {},
    })
    exchange.injects = credential !== null && (service?.injectWhen !== 'stand-in' || inSlot)
    if (misplaced === null) return null
    const detail = `the stand-in of ${misplaced.secret} in ${misplaced.place}`
    return refuse('stand-in-misplaced', { rule: settled(verdict).destination.id, detail })
  },
}

const pinAddress: Step = {
  name: 'resolve the upstream, judge every address, pin them',
  async run(exchange, context) {
    const upstream = await pinAddresses(
      context,
      exchange.binding,
      settled(exchange.origin),
      settled(exchange.verdict).destination,
    )
    if ('reason' in upstream) return upstream
    const shown = exchange.injects ? exchange.credential?.clientCertificate : null
    exchange.upstream = { ...upstream, clientCertificate: shown ?? null }
    return null
  },
}

const checkOpen: Step = {
  name: 'the gate is not shutting down',
  run: (_exchange, { shutdown }) => (shutdown.hasBegun() ? refuse('shutting-down') : null),
}

const recordDecision: Step = {
  name: 'write the decision to the audit log',
  async run(exchange, { audit, now }) {
    try {
      await audit.decide(decisionOf(exchange, now(), null))
      exchange.decided = true
      return null
    } catch {
      return refuse('audit-unavailable')
    }
  },
}

const prepareRequest: Step = {
  name: 'drop hop-by-hop headers and what stands in the slots of the credential',
  run(exchange, { policy, needles, heldBodies }) {
    const { origin, path, credential, request, response, method, sandbox } = exchange
    const service = policy.services.get(exchange.service ?? '')
    const { host, port, scheme } = settled(origin)
    const { path: pathname, query } = settled(path)
    const headers = endToEndHeaders(exchange.headers)
    delete headers['x-sandbox-target']
    headers['host'] = port === (scheme === 'https' ? 443 : 80) ? host : `${host}:${String(port)}`
    const sent = { headers: { ...headers }, query }
    if (credential !== null) {
      // What comes back must be readable for redaction.
      headers['accept-encoding'] = 'identity'
      delete headers['sec-websocket-extensions']
      dropShortRange(headers, needles.of(settled(sandbox).agent))
    }
    if (hasBody(exchange.headers)) {
      const holding = heldBodies.open(settled(sandbox).id)
      exchange.body = new RequestBody(request, response, headers, policy.http.maxRequestBytes, holding)
    }
    exchange.outgoing = {
      method,
      origin: settled(origin),
      path: pathname,
      query: service === undefined ? query : emptySlots(service.slots, headers, query),
      headers,
      body: exchange.body,
      sent,
      standIns: settled(sandbox).standIns,
    }
    return null
  },
}

const injectCredential: Step = {
  name: 'put the real credential in, last',
  run(exchange, context) {
    const { credential, injects, outgoing, verdict } = exchange
    if (credential === null || !injects) return null
    const { destination } = settled(verdict)
    const injected = credential.inject(settled(outgoing), {
      now: context.now,
      send: (request) => sendGateRequest(request, { exchange, credential, destination }, context),
    })
    const judge = (fault: Injected) => (fault === null ? null : refuseFault(fault, destination.id))
    return injected instanceof Promise ? injected.then(judge) : judge(injected)
  },
}

const chooseNeedles: Step = {
  name: 'choose what the response is searched for: a token that came just now, too',
  run(exchange, { needles }) {
    if (exchange.credential === null) return null
    exchange.needles = needles.of(settled(exchange.sandbox).agent)
    // The new token may be longer than what was looked for before.
    dropShortRange(settled(exchange.outgoing).headers, exchange.needles)
    return null
  },
}

/** A server may always answer with the whole (RFC 9110 section 14.2). */
function dropShortRange(headers: Headers, needles: Needles): void {
  if (!isSearchableRange(headers['range'], needles)) delete headers['range']
}

/** A request, from the open connection to the moment before the first byte goes upstream; `forward` follows. */
export const REQUEST_STEPS: readonly Step[] = [
  identifySandbox,
  checkFraming,
  findTarget,
  checkIdentity,
  judgeName,
  canonicalisePath,
  judgeRequest,
  limitRate,
  limitSize,
  checkStandIns,
  limitQuota,
  pinAddress,
  checkOpen,
  recordDecision,
  prepareRequest,
  injectCredential,
  chooseNeedles,
]
