import type { BudgetVerdict } from '#firewall/leak-budget.js'
import type { NameGate } from '#firewall/name-admission.js'
import type { Shape } from '#firewall/name-shape.js'
import type { SandboxIdentity } from '#firewall/policy.js'
import type { ExtendedError } from './answer.js'
import type { DnsReason } from './denials.js'
import type { DnsEvent } from './events.js'
import type { QueryLimiter } from './query-limiter.js'
import type { DnsQuery } from './wire.js'

export type Transport = 'udp' | 'tcp'

/** Where a query came from, as the socket says. */
export interface Remote {
  readonly address: string
  readonly port: number
}

/** All that a resolver needs. UDP and TCP of one gate are given the same one. */
export interface ResolverContext {
  identify(remote: Remote): SandboxIdentity | null
  readonly gate: NameGate
  readonly limiter: QueryLimiter
  /** The gate's own addresses: the only ones that an answer ever holds, loopback for `localhost` apart. */
  readonly address: { readonly ipv4: string; readonly ipv6: string | null }
  /** Writes to the audit log, and has written when it returns. Throws when it cannot. */
  record(event: DnsEvent): void
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
  readonly address: string | null
  readonly extended: ExtendedError | null
  /** False for all but a few of a flood's queries. */
  readonly recorded: boolean
}

/** One query on its way through the steps. */
export interface QueryFlow {
  readonly context: ResolverContext
  readonly query: DnsQuery
  readonly remote: Remote
  readonly transport: Transport
  readonly time: number
  sandbox: SandboxIdentity | null
  wildcard: string | null
  shape: Shape | null
  budget: BudgetVerdict | null
  decision: Decision | null
  response: Buffer | null
}

/** A step decides or passes on (null), as long as nothing was decided; or it acts on what was decided. */
export type QueryStep =
  | { readonly name: string; decide(flow: QueryFlow): Decision | null }
  | { readonly name: string; act(flow: QueryFlow, decision: Decision): void }
