import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type {
  Credential,
  Headers,
  InjectionFailure,
  OutgoingRequest,
} from '#firewall/contracts/credential.js'
import type { RequestAllowed } from '#firewall/contracts/verdict.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { Origin, Scheme } from '#firewall/contracts/origin.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Reason } from '#firewall/contracts/reasons.js'
import type { RequestPath } from '#firewall/rules/request-path.js'
import type { ListenerKind, Redaction } from '../events.js'
import type { Peer } from '#firewall/contracts/peer.js'
import type { RequestBody } from './request-body.js'
import type { ProxySnapshot } from '../snapshot.js'
import type { ResolvedUpstream } from '../upstream/pools.js'

/** What is known of a connection before any request on it was read. Every request must agree with it. */
export interface ConnectionInfo {
  readonly listener: ListenerKind
  readonly sandbox: RegisteredSandbox | null
  readonly peer: Peer
  /** From TLS server name or CONNECT; null where only the request can say. */
  readonly host: string | null
  readonly scheme: Scheme | null
  readonly port: number | null
}

export interface ConnectionContext extends ConnectionInfo {
  /** The policy that was in force when the connection was opened. */
  readonly snapshot: ProxySnapshot
}

/** No, with its reason. What the agent is told is made from this in one place: `denial.ts`. */
export interface Denial {
  readonly reason: Reason
  readonly rule: string | null
  readonly detail: string | null
  /** Seconds, for `Retry-After`. */
  readonly retryAfter: number | null
}

export function deny(
  reason: Reason,
  { rule = null, detail = null, retryAfter = null }: Partial<Omit<Denial, 'reason'>> = {},
): Denial {
  return { reason, rule, detail, retryAfter }
}

/** Seconds: what is held is sent as soon as it is there. */
const BUSY_SECONDS = 1

export function denyFailure({ reason, detail }: InjectionFailure, rule: string | null): Denial {
  return deny(reason, { rule, detail, retryAfter: reason === 'busy' ? BUSY_SECONDS : null })
}

/**
 * One request on its way through the steps. What a step finds out stands in a field of its own, null until then. The
 * steps know nothing of listeners: HTTP/2 would be one more reader that makes exchanges.
 */
export interface Exchange {
  readonly id: string
  readonly startedAt: number
  readonly connection: ConnectionInfo
  /** The policy that was in force when the request came: it decides all of it. */
  readonly snapshot: ProxySnapshot
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly method: string
  /** By lower-case name, as the sandbox sent them. */
  readonly headers: Headers
  /** The socket and what was read past the head, when the sandbox asks for a WebSocket. */
  readonly upgrade: { readonly socket: Socket; readonly head: Buffer } | null

  sandbox: RegisteredSandbox | null
  origin: Origin | null
  /** The path and query before they were canonicalised. */
  target: string | null
  /** Set by the base-URL listener. */
  service: string | null
  path: RequestPath | null
  verdict: RequestAllowed | null
  credential: Credential | null
  /** Whether this request gets the credential, and not only what guards it: its locations emptied, its answer searched. */
  injects: boolean
  /** Whether sessions that the upstream hands out stay here. */
  keepsSessions: boolean
  upstream: ResolvedUpstream | null
  /** Set once the decision was recorded: from then on a refusal ends the request, and is no second decision. */
  decided: boolean
  body: RequestBody | null
  /** What the response is searched for. */
  secretPatterns: SecretPatterns
  /** What goes upstream. */
  outgoing: OutgoingRequest | null
}

/** How forwarding ended. */
export interface ForwardResult {
  readonly denial: Denial | null
  /** Set when one side went away in the middle. */
  readonly aborted: 'client-abort' | 'upstream-abort' | null
  readonly status: number | null
  readonly requestBytes: number
  readonly responseBytes: number
  readonly redactions: readonly Redaction[]
  readonly detail: string | null
}

/** A field that an earlier step has set; otherwise the steps stand in the wrong order. */
export function required<T>(value: T | null): T {
  if (value === null) throw new Error('a step ran before the one that it needs')
  return value
}
