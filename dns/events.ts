import type { BudgetVerdict } from '#firewall/contracts/limits.js'
import type { NameFeatures } from '#firewall/contracts/names.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import { className, rcodeName, typeName } from './codes.js'
import type { DnsReason } from './replies.js'
import type { Decision, QueryFlow, Transport } from './flow.js'
import type { Peer } from '#firewall/contracts/peer.js'

/** The audit record of one query, written before the answer. Plain data. */
export interface DnsEvent {
  /** Milliseconds since 1970. */
  readonly time: number
  /** Null if the query did not come from a known sandbox. */
  readonly sandbox: SandboxRef | null
  readonly client: Peer
  readonly transport: Transport
  /** The id in the query's header. */
  readonly id: number
  /** Null if the message contained no readable question. */
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
  /** Id of the rule, or the standard, that decided; null if the policy does not mention the name. */
  readonly rule: string | null
  /** The wildcard that matched, as written. */
  readonly wildcard: string | null
  /** Null if the name was not measured. */
  readonly features: NameFeatures | null
  /** True for a denied query that looks like data exfiltration. */
  readonly suspicious: boolean
  /** `NOERROR`, `NXDOMAIN`; null if the query gets no answer. */
  readonly rcode: string | null
  /** The addresses in the answer. */
  readonly answers: readonly string[]
  /** Null unless a wildcard matched. */
  readonly budget: BudgetVerdict | null
}

export function eventOf(flow: QueryFlow, decision: Decision): DnsEvent {
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
  }
}
