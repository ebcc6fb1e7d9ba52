import type { Peer } from '#firewall/contracts/peer.js'
import type { Reason } from '#firewall/contracts/reasons.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { Scheme } from '#firewall/contracts/origin.js'

/** The way that traffic came in. */
export type ListenerKind = 'transparent' | 'forward' | 'reverse'

/**
 * What was decided about a request, a CONNECT, a TLS hello, a tunnel, the look-up of a name under a wildcard or a request
 * of the gateway's own for a token: recorded before anything happens.
 */
export interface HttpDecision {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly id: string
  readonly sandbox: SandboxRef | null
  readonly peer: Peer
  readonly listener: ListenerKind
  readonly kind: 'request' | 'upgrade' | 'connect' | 'tls' | 'tunnel' | 'lookup' | 'token'
  readonly method: string | null
  readonly scheme: Scheme | null
  readonly host: string | null
  readonly port: number | null
  readonly path: string | null
  readonly query: string | null
  /** What path and query are together, before they were shortened for the record; null if they are whole. */
  readonly target?: { readonly bytes: number; readonly sha256: string } | null
  readonly verdict: 'allow' | 'deny'
  readonly reason: Reason | null
  /** What about this request the reason speaks of, or which request a token is for; null where there is no more to say. */
  readonly detail: string | null
  readonly rule: string | null
  /** Status of a denial's response; null while there is none. */
  readonly status: number | null
  readonly service: string | null
  /** Id of the credential that will be injected; never a value. */
  readonly credential: string | null
  /** The trace context that the sandbox sent, as it is; for observers: the record has none of it. */
  readonly traceparent?: string | null
  /** Id of the approval that the request waits for, or passes with; null or absent for others. */
  readonly approval?: string | null
  /** The upstream address that was checked and pinned. */
  readonly address: string | null
}

/** How a decided request ended. */
export interface HttpClose {
  readonly at: number
  readonly id: string
  readonly sandbox: SandboxRef
  /** As in its decision, so that one record tells what was sent where, and with what. Likewise the next two. */
  readonly host: string | null
  readonly service: string | null
  readonly credential: string | null
  readonly outcome: 'success' | 'failure'
  readonly reason: Reason | 'client-abort' | 'upstream-abort' | null
  readonly detail: string | null
  readonly status: number | null
  readonly requestBytes: number
  readonly responseBytes: number
  readonly durationMs: number
  /** For observers; the record has none of it. */
  readonly timing?: FlowTiming
  /** The secrets that were taken out of the response; empty for none. */
  readonly redactions: readonly Redaction[]
}

/** Where the time of something that was allowed went, in milliseconds. */
export interface FlowTiming {
  /** From its beginning to its recorded decision. */
  readonly decisionMs: number
  /** From sending it upstream to the head of the response; null where there was none. */
  readonly upstreamMs: number | null
}

export interface Redaction {
  /** Id of the credential; never a value. */
  readonly credential: string
  readonly count: number
}

/** The log. `decide` rejects when it cannot write, and then nothing may pass; `close` never throws. */
export interface HttpAudit {
  readonly decide: (event: HttpDecision) => Promise<void>
  readonly close: (event: HttpClose) => void
}
