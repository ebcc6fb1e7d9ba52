import { Readable } from 'node:stream'
import type { Injected } from '#firewall/contracts/credential.js'
import type { Ledger } from '#firewall/ledger/ledger.js'
import { deny, denyFailure, type Denial } from '../contracts/denial.js'
import { newKey } from '../message/websocket-handshake.js'
import { widenRange } from '../redaction/ranges.js'
import { reachOf } from '../redaction/search.js'
import { askSearchable } from '../redaction/searched-messages.js'
import { resolveUpstream, type ShownAs } from '../upstream/resolve-upstream.js'
import { sendTokenRequest } from '../upstream/token-request.js'
import { awaitApproval } from './await-approval.js'
import { denyMethods, EVALUATION_STEPS, readsGraphql, TARGET_STEPS } from './decision-steps.js'
import { required, type Exchange } from './exchange.js'
import { FormInspector, formKindOf } from './form-inspector.js'
import { readGraphql } from './graphql-step.js'
import { outgoingHead } from './outgoing-head.js'
import { decisionOf, headBytes } from './records.js'
import { RequestBody } from './request-body.js'
import { takeRoom } from './room.js'
import type { Step } from './step.js'

const takeRoomFor: Step = {
  name: 'the sandbox has room for one more open request',
  run: (exchange, { ledger }) => ensureRoom(exchange, ledger),
}

function ensureRoom(exchange: Exchange, ledger: Ledger): Denial | null {
  if (exchange.room !== null) return null
  const { limits } = exchange.snapshot.policy
  const room = takeRoom(ledger, required(exchange.sandbox).id, limits, headBytes(exchange))
  if ('reason' in room) return room
  exchange.room = room
  return null
}

const readOperations: Step = {
  name: 'read what a request asks for by GraphQL, where rules look at it',
  run(exchange, { ledger }) {
    if (!readsGraphql(exchange)) return null
    // What is held before the decision is counted like all that is held.
    return ensureRoom(exchange, ledger) ?? readGraphql(exchange)
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
      shownAs(exchange),
    )
    if ('reason' in upstream) return upstream
    exchange.upstream = upstream
    return null
  },
}

/** As whom the gateway comes. */
function shownAs({ injects, credential, downstream, origin }: Exchange): ShownAs {
  return {
    clientCertificate: injects ? (credential?.clientCertificate ?? null) : null,
    knowsHttp2: downstream.isHttp2 && origin?.scheme === 'http',
  }
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
  name: 'drop hop-by-hop and steering headers, and any value in the locations of the credential',
  run(exchange, { ledger }) {
    const { origin, path, downstream, method, sandbox, snapshot } = exchange
    const { headers, query, sent } = outgoingHead(exchange)
    if (downstream.upgrade !== null) headers['sec-websocket-key'] = newKey()
    // Whatever host this is: what comes back must be readable for redaction.
    if (snapshot.secretPatterns.current().bytes.length > 0) askSearchable(headers, snapshot.entityTags)
    if (downstream.hasBody) {
      const { maxRequestBytes } = snapshot.policy.http
      const reservation = ledger.memory.open(required(sandbox).id, snapshot.policy.limits.memory)
      const { readBody } = exchange
      exchange.body = new RequestBody(
        readBody === null ? downstream : { body: () => Readable.from(readBody) },
        headers,
        maxRequestBytes,
        reservation,
        inspectorOf(exchange),
      )
    }
    exchange.outgoing = {
      method,
      origin: required(origin),
      path: required(path).path,
      query,
      headers,
      body: exchange.body,
      sent,
      placeholders: required(sandbox).placeholders,
    }
    setRange(exchange)
    return null
  },
}

/** Each method that a field names is checked like that of the request. */
function inspectorOf(exchange: Exchange): FormInspector | null {
  const kind = formKindOf(exchange.method, exchange.headers)
  if (kind === null || kind === 'unreadable') return null
  return new FormInspector(kind, (method) => {
    const denial = denyMethods(exchange, [method])
    return denial === null ? null : { ...denial, detail: `a field of the form names the method ${method}` }
  })
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
    const denialOf = (failure: Injected) =>
      failure === null ? null : (exchange.body?.forbidden ?? denyFailure(failure, destination.id))
    return injected instanceof Promise ? injected.then(denialOf) : denialOf(injected)
  },
}

function tokenContextOf({ flow, connection, sandbox, service, snapshot }: Exchange) {
  const { policy, resolver, authorities, pools: upstreams } = snapshot
  const ways = { policy, resolver, authorities }
  return { requestId: flow.id, connection, sandbox: required(sandbox), service, upstreams, ...ways }
}

const widenRangeAgain: Step = {
  name: 'ask for a wider range, since a token that came just now may be longer than what was searched for before',
  run(exchange) {
    setRange(exchange)
    return null
  },
}

function setRange(exchange: Exchange): void {
  const reach = reachOf(exchange.snapshot.secretPatterns.current())
  const { by = -1 } = exchange.range ?? {}
  // Signatures may cover the range: once it is wide enough, it stays.
  if (reach > 0 && reach > by)
    exchange.range = widenRange(exchange.method, exchange.headers, required(exchange.outgoing).headers, reach)
}

/** A request, from the open connection to the moment before the first byte goes upstream; `forward` follows. */
export const REQUEST_STEPS: readonly Step[] = [
  ...TARGET_STEPS,
  readOperations,
  ...EVALUATION_STEPS,
  takeRoomFor,
  awaitApproval,
  resolveAddress,
  checkOpen,
  recordDecision,
  prepareRequest,
  injectCredential,
  widenRangeAgain,
]
