import type { Headers } from '#firewall/contracts/credential.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Origin } from '#firewall/contracts/origin.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { MemoryReservation } from '#firewall/ledger/memory-budget.js'
import type { HttpDecision } from './events.js'

/** A request that a rule asks about, exactly as it would be sent. */
export interface ApprovalRequest {
  /** SHA-256 of all that follows, but for the id of the request. */
  readonly key: string
  /** Id of the request that asks first. */
  readonly requestId: string
  readonly sandbox: Pick<RegisteredSandbox, 'id' | 'agent'>
  readonly kind: Extract<HttpDecision['kind'], 'request' | 'upgrade'>
  readonly method: string
  readonly origin: Origin
  /** Path and query. */
  readonly target: string
  /** Without those of the credential, and of the connection. */
  readonly headers: Headers
  readonly body: Buffer
  /** SHA-256 of the body, in hexadecimal. */
  readonly digest: string
  /** What it asks of an endpoint of GraphQL; null for other requests. */
  readonly operations: string | null
  /** The rules that ask. */
  readonly rules: readonly [Rule, ...Rule[]]
  readonly service: string | null
  /** Id of the credential that goes along, or null. */
  readonly credential: string | null
}

export type ApprovalAnswer =
  /** It may pass now, this once; whoever asks again is asked again. */
  | { readonly state: 'granted'; readonly id: string }
  | { readonly state: 'denied'; readonly id: string }
  /** @param expires milliseconds since 1970 */
  | { readonly state: 'pending'; readonly id: string; readonly expires: number }
  /** Too many wait already. */
  | { readonly state: 'full' }

/** Those who decide about requests. Survives every change of policy. */
export interface ApprovalDesk {
  /**
   * Says what was decided about a request, and has it decided if it was not asked before. Called again for the same request, it
   * answers about the same approval.
   *
   * @param expireMs how long it may wait
   * @param reserve is called once if something has to be kept of it; null if there is no memory
   * @throws AuditUnavailable, and then nothing has changed
   */
  submit(request: ApprovalRequest, expireMs: number, reserve: () => MemoryReservation | null): ApprovalAnswer
  /** Calls back once when it was decided, or has ended without; returns what takes it back. */
  onChange(id: string, listener: () => void): () => void
}
