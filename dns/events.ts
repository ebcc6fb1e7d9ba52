import type { BudgetVerdict } from '#firewall/contracts/limits.js'
import type { NameFeatures } from '#firewall/contracts/names.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import { className, rcodeName, typeName } from './codes.js'
import type { DnsReason } from './replies.js'
import type { Decision, QueryFlow, Transport } from './flow.js'
import type { Peer } from '#firewall/contracts/peer.js'

/** What the audit log learns of one query, before it is answered. Plain data. */
export interface DnsEvent {
  /** Milliseconds since 1970. */
  readonly time: number
  /** Null when the query came from no sandbox that the gateway knows. */
  readonly sandbox: SandboxRef | null
  readonly client: Peer
  readonly transport: Transport
  /** The id in the query's header. */
  readonly id: number
  /** Null when the message held none that could be read. */
  readonly question: {
    /** Lower case, no trailing dot, empty for the root; a byte outside `[a-z0-9_-]` as `\DDD`. */
    readonly name: string
    /** `A`, `HTTPS`, `TYPE65280`. */
    readonly type: string
    /** `IN`, `CH`, `CLASS42`. */
    readonly class: string
  } | null
  readonly verdict: 'allow' | 'deny'
  /** Null for an allowed query. */
  readonly reason: DnsReason | null
  /** Id of the rule that decided, or the standard that did; null when nothing in the policy speaks of the name. */
  readonly rule: string | null
  /** The wildcard that matched, as written. */
  readonly wildcard: string | null
  /** Null when the name was not measured. */
  readonly features: NameFeatures | null
  /** True for a denied query that looks like data being carried out. */
  readonly suspicious: boolean
  /** `NOERROR`, `NXDOMAIN`; null when nothing is answered. */
  readonly rcode: string | null
  /** The addresses in the answer. */
  readonly answers: readonly string[]
  /** Null unless a wildcard was asked. */
  readonly budget: BudgetVerdict | null
  /** Queries of this sandbox that were over the rate limit, and got neither answer nor record, since its last record. */
  readonly dropped: number
}

export function eventOf(flow: QueryFlow, decision: Decision, dropped: number): DnsEvent {
  const { question } = flow.query
  return {
    time: flow.time,
    sandbox: flow.sandbox,
    client: flow.peer,
    transport: flow.transport,
    id: flow.query.id,
    question:
      question === null
        ? null
        : { name: question.name, type: typeName(question.type), class: className(question.class) },
    verdict: decision.verdict,
    reason: decision.reason,
    rule: decision.rule,
    wildcard: flow.wildcard,
    features: flow.features,
    suspicious: decision.verdict === 'deny' && flow.features?.signal != null,
    rcode: decision.rcode === null ? null : rcodeName(decision.rcode),
    answers: decision.address === null ? [] : [decision.address.text],
    budget: flow.budget,
    dropped,
  }
}
