import type { Peer } from '#firewall/contracts/peer.js'
import type { BudgetVerdict } from '#firewall/contracts/limits.js'
import type { NamePolicy } from '#firewall/policy-engine/name-policy.js'
import type { NameFeatures } from '#firewall/contracts/names.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { Addresses, AddressRecord, ExtendedError } from './answer.js'
import type { DnsReason } from './replies.js'
import type { DnsEvent } from './events.js'
import type { RateLimit } from '#firewall/contracts/limits.js'
import type { QueryLimiter } from '#firewall/ledger/query-limiter.js'
import type { DnsQuery } from './wire.js'

export type Transport = 'udp' | 'tcp'

/** The gateway's address for a name, as this sandbox sees it. Today the same for all names. */
export type AddressPlan = (sandbox: SandboxRef, name: string) => Addresses

/** Everything that the resolver derives from one policy file. Immutable, and replaced as a whole. */
export interface ResolverSnapshot {
  readonly namePolicy: NamePolicy
  /** Query rate limit of one sandbox. */
  readonly rate: RateLimit
  /** Addresses, by name, of hosts that sandboxes reach without the gateway. */
  readonly hosts: ReadonlyMap<string, Addresses>
}

/** Everything that a resolver needs. UDP and TCP of one gateway share it. */
export interface ResolverContext {
  identify(peer: Peer): SandboxRef | null
  /** The snapshot in force. A query asks once, when it comes, and is decided by that one to its end. */
  snapshot(): ResolverSnapshot
  readonly limiter: QueryLimiter
  /** The gateway's address for an allowed name. Answers contain no other address, apart from loopback and `hosts`. */
  readonly addressOf: AddressPlan
  /** Writes to the audit log, then calls `done` with null or the error. Must not throw. */
  record(event: DnsEvent, done: (error: Error | null) => void): void
  /** Milliseconds since 1970. */
  now(): number
  /** Reports a bug or an audit log failure to the program log. Must not throw. */
  fail(error: unknown): void
}

/** The decision about a query. */
export interface Decision {
  readonly verdict: 'allow' | 'deny'
  readonly reason: DnsReason | null
  readonly rule: string | null
  /** Null to send no answer. */
  readonly rcode: number | null
  /** The address to answer with, or null. */
  readonly address: AddressRecord | null
  readonly extended: ExtendedError | null
}

/** What a decision needs: neither a log nor a socket. */
export type DecisionContext = Pick<ResolverContext, 'identify' | 'limiter' | 'addressOf'>

/** A query, with what the steps up to the decision find out about it. */
export interface QueryInquiry {
  readonly context: DecisionContext
  /** The policy that was in force when the query came. */
  readonly snapshot: ResolverSnapshot
  readonly query: DnsQuery
  readonly peer: Peer
  readonly transport: Transport
  readonly time: number
  sandbox: SandboxRef | null
  /** Milliseconds that the answer waits, because the sandbox asks faster than it may. */
  waitMs: number
  wildcard: string | null
  features: NameFeatures | null
  budget: BudgetVerdict | null
}

/** A query before its first step. Not for the resolver itself, where copying an object costs a tenth of a query. */
export function newInquiry(
  given: Pick<QueryInquiry, 'context' | 'snapshot' | 'query' | 'peer' | 'transport' | 'time'>,
): QueryInquiry {
  return { ...given, sandbox: null, waitMs: 0, wildcard: null, features: null, budget: null }
}

/** One query on its way through all steps. */
export interface QueryFlow extends QueryInquiry {
  readonly context: ResolverContext
  decision: Decision | null
  response: Buffer | null
}

/** Decides, or returns null to pass the query on. It changes nothing but the inquiry and what is counted. */
export interface DecisionStep {
  readonly name: string
  decide(inquiry: QueryInquiry): Decision | null
}

/** A step decides, or returns null to pass the query on; steps that act run after the decision, with it. */
export type QueryStep =
  DecisionStep | { readonly name: string; act(flow: QueryFlow, decision: Decision, next: () => void): void }
