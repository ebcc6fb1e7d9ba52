import type { BudgetVerdict } from '#firewall/ledger/exfiltration-budget.js'
import type { NamePolicy } from '#firewall/judge/name-policy.js'
import type { NameFeatures } from '#firewall/names/name-features.js'
import type { SandboxRef } from '#firewall/contracts/policy.js'
import type { Addresses, AddressRecord, ExtendedError } from './answer.js'
import type { DnsReason } from './replies.js'
import type { DnsEvent } from './events.js'
import type { RateLimit } from '#firewall/ledger/rate-limit.js'
import type { QueryLimiter } from '#firewall/ledger/query-limiter.js'
import type { DnsQuery } from './wire.js'

export type Transport = 'udp' | 'tcp'

/** The address of the gateway that a sandbox finds under a name; one for all names today. */
export type AddressPlan = (sandbox: SandboxRef, name: string) => Addresses

/** Where a query came from, as the socket says. */
export interface Peer {
  readonly address: string
  readonly port: number
  /** The gateway's own address that it was sent to, where the socket tells. */
  readonly localAddress?: string
}

/** Everything that the resolver derives from one policy file. Immutable, and replaced as a whole. */
export interface ResolverSnapshot {
  readonly namePolicy: NamePolicy
  /** Queries of one sandbox. */
  readonly rate: RateLimit
  /** Addresses by name, of hosts that sandboxes reach without the gateway. */
  readonly hosts: ReadonlyMap<string, Addresses>
}

/** All that a resolver needs. UDP and TCP of one gateway are given the same one. */
export interface ResolverContext {
  identify(peer: Peer): SandboxRef | null
  /** The snapshot in force. A query asks once, when it comes, and is decided by that one to its end. */
  snapshot(): ResolverSnapshot
  readonly limiter: QueryLimiter
  /** The gateway's address for an allowed name; the only one in an answer, apart from loopback and `hosts`. */
  readonly addressOf: AddressPlan
  /** Writes to the audit log; `done` is told that the record is there, or why it is not. Must not throw. */
  record(event: DnsEvent, done: (error: Error | null) => void): void
  /** Milliseconds since 1970. */
  now(): number
  /** The program log, for bugs and for an audit log that fails. Must not throw. */
  fail(error: unknown): void
}

/** How a query ends. */
export interface Decision {
  readonly verdict: 'allow' | 'deny'
  readonly reason: DnsReason | null
  readonly rule: string | null
  /** Null for silence. */
  readonly rcode: number | null
  /** The address to answer with, or null. */
  readonly address: AddressRecord | null
  readonly extended: ExtendedError | null
  /** False for all but a few of a flood's queries. */
  readonly recorded: boolean
}

/** One query on its way through the steps. */
export interface QueryFlow {
  readonly context: ResolverContext
  /** The policy that was in force when the query came. */
  readonly snapshot: ResolverSnapshot
  readonly query: DnsQuery
  readonly peer: Peer
  readonly transport: Transport
  readonly time: number
  sandbox: SandboxRef | null
  wildcard: string | null
  features: NameFeatures | null
  budget: BudgetVerdict | null
  decision: Decision | null
  response: Buffer | null
}

/** A step decides or passes on (null), as long as nothing was decided; or it acts on what was decided, and goes on. */
export type QueryStep =
  | { readonly name: string; decide(flow: QueryFlow): Decision | null }
  | { readonly name: string; act(flow: QueryFlow, decision: Decision, next: () => void): void }
