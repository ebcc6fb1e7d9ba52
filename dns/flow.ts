import type { Peer } from '#firewall/contracts/peer.js'
import type { BudgetVerdict } from '#firewall/contracts/limits.js'
import type { NamePolicy } from '#firewall/judge/name-policy.js'
import type { NameFeatures } from '#firewall/contracts/names.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { Addresses, AddressRecord, ExtendedError } from './answer.js'
import type { DnsReason } from './replies.js'
import type { DnsEvent } from './events.js'
import type { RateLimit } from '#firewall/contracts/limits.js'
import type { QueryLimiter } from '#firewall/ledger/query-limiter.js'
import type { DnsQuery } from './wire.js'

export type Transport = 'udp' | 'tcp'

/** The address of the gateway that a sandbox finds under a name; one for all names today. */
export type AddressPlan = (sandbox: SandboxRef, name: string) => Addresses

/** All that a resolver needs. UDP and TCP of one gateway are given the same one. */
export interface ResolverContext {
  identify(peer: Peer): SandboxRef | null
  readonly namePolicy: NamePolicy
  readonly limiter: QueryLimiter
  /** Queries of one sandbox. */
  readonly rate: RateLimit
  /** The gateway's address for an allowed name; the only one in an answer, apart from loopback and `hosts`. */
  readonly addressOf: AddressPlan
  /** Addresses by name, of hosts that sandboxes reach without the gateway. */
  readonly hosts: ReadonlyMap<string, Addresses>
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
