import type { Credential, Headers, OutgoingRequest } from '#firewall/contracts/credential.js'
import type { Origin } from '#firewall/contracts/origin.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { RequestAllowed } from '#firewall/contracts/verdict.js'
import type { GraphqlContent } from '#firewall/policy-engine/graphql-endpoints.js'
import type { RequestPath } from '#firewall/rules/request-path.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { DecisionSnapshot } from '../context/decision-snapshot.js'
import type { ProxySnapshot } from '../context/snapshot.js'
import type { ConnectionInfo } from '../contracts/connection.js'
import type { Denial } from '../contracts/denial.js'
import type { HttpClose } from '../contracts/events.js'
import type { Downstream } from '../downstream/downstream.js'
import type { Flow } from '../records/flow.js'
import type { WidenedRange } from '../redaction/ranges.js'
import type { ResolvedUpstream } from '../upstream/upstream.js'
import type { RequestBody } from './request-body.js'
import type { Room } from './room.js'

/** A connection as its requests see it. */
export interface RequestConnection extends ConnectionInfo {
  /** A name that the connection was let through for, by this snapshot: it was checked and paid for, and is not again. */
  readonly checkedName: { readonly host: string; readonly snapshot: DecisionSnapshot } | null
}

/**
 * What a request asks, with what the steps up to the decision find out about it: plain values, no socket. What a step finds
 * out stands in a field of its own, null until then.
 */
export interface Inquiry {
  readonly connection: RequestConnection
  /** The policy that was in force when the request came: it decides all of it. */
  readonly snapshot: DecisionSnapshot
  /** False for a question that nobody asks in earnest: rates, quotas and budgets are looked at and left as they are. */
  readonly charge: boolean
  readonly method: string
  /** The request target as it was sent. */
  readonly requestTarget: string
  /** By lower-case name, as the sandbox sent them. */
  readonly headers: Headers

  sandbox: RegisteredSandbox | null
  origin: Origin | null
  /** The path and query before they were canonicalised. */
  target: string | null
  /** Set by the base-URL listener, then by the rule that allows the request. */
  service: string | null
  path: RequestPath | null
  /** What the request asks of an endpoint of GraphQL; null for other requests, and where the body was not read. */
  graphql: GraphqlContent | null
  verdict: RequestAllowed | null
  /** The rules for which a person must approve the request before it is sent; null for none. */
  asks: readonly [Rule, ...Rule[]] | null
  credential: Credential | null
  /**
   * True if the credential is injected. If the service has a credential, its locations are cleared and the response is
   * redacted in either case.
   */
  injects: boolean
  /** Whether sessions that the upstream hands out stay here. */
  keepsSessions: boolean
}

/** One request on its way through the steps. They know nothing of listeners and protocols. */
export interface Exchange extends Inquiry {
  readonly snapshot: ProxySnapshot
  readonly flow: Flow
  readonly downstream: Downstream

  /** Id of the approval that it waits for, or passes with; null for others. */
  approval: string | null
  /** Taken until the exchange is over. */
  room: Room | null
  upstream: ResolvedUpstream | null
  /** The body, where it was read whole before the decision; null for one that is passed on as it comes. */
  readBody: Buffer | null
  body: RequestBody | null
  /** A range that is asked for wider than the client did; null for none. */
  range: WidenedRange | null
  /** What goes upstream. */
  outgoing: OutgoingRequest | null
}

/** A question before its first step. */
export function newInquiry(
  asked: Pick<Inquiry, 'connection' | 'snapshot' | 'charge' | 'method' | 'requestTarget' | 'headers'>,
): Inquiry {
  const { connection, snapshot, charge, method, requestTarget, headers } = asked
  return {
    connection,
    snapshot,
    charge,
    method,
    requestTarget,
    headers,
    sandbox: null,
    origin: null,
    target: null,
    service: null,
    path: null,
    graphql: null,
    verdict: null,
    asks: null,
    credential: null,
    injects: false,
    keepsSessions: false,
  }
}

/** A request before its first step. Written out, for copying an inquiry costs every request more than all of its early steps. */
export function newExchange(
  connection: RequestConnection,
  snapshot: ProxySnapshot,
  flow: Flow,
  downstream: Downstream,
): Exchange {
  return {
    connection,
    snapshot,
    flow,
    downstream,
    charge: true,
    method: downstream.method,
    requestTarget: downstream.target,
    headers: downstream.headers,
    sandbox: null,
    origin: null,
    target: null,
    service: null,
    path: null,
    graphql: null,
    verdict: null,
    asks: null,
    credential: null,
    injects: false,
    keepsSessions: false,
    approval: null,
    room: null,
    upstream: null,
    readBody: null,
    body: null,
    range: null,
    outgoing: null,
  }
}

/** How forwarding ended. */
export interface ForwardResult {
  readonly denial: Denial | null
  /** Set when one side went away in the middle. */
  readonly aborted: 'client-abort' | 'upstream-abort' | null
  readonly status: number | null
  readonly requestBytes: number
  readonly responseBytes: number
  readonly redactions: HttpClose['redactions']
  readonly detail: string | null
}

/** Whether a policy has brought the first secret of all: what was let in before it was prepared for no search. */
export function isFirstSecret({ bytes }: SecretPatterns, { snapshot }: Exchange): boolean {
  return bytes.length > 0 && snapshot.secretPatterns.current().bytes.length === 0
}

/** A field that an earlier step has set; otherwise the steps stand in the wrong order. */
export function required<T>(value: T | null): T {
  if (value === null) throw new Error('a step ran before the one that it needs')
  return value
}
