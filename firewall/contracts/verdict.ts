import type { BudgetVerdict } from './limits.js'
import type { NameFeatures, NameLimits } from './names.js'
import type { Destination } from './policy.js'
import type { Reason } from './reasons.js'
import type { Rule } from './rule.js'
import type { Service } from './service.js'

/**
 * A deny decision. `rule` is the id of the rule or destination that caused it, or null if the policy does not mention the
 * request.
 */
export interface Denied {
  readonly allowed: false
  readonly reason: Reason
  readonly rule: string | null
  /** What exactly was denied, where the request asks for several things; absent where it asks for one. */
  readonly detail?: string
}

export interface NameAllowed {
  readonly allowed: true
  /** Id of the destination that lists the name. */
  readonly rule: string
  /** The wildcard that matched, as written, with the labels that it matched; null for an exact name. */
  readonly wildcard: {
    readonly text: string
    readonly wildcardLabels: readonly string[]
    /** Its own limits on names, or null. */
    readonly limits: NameLimits | null
  } | null
}

/**
 * Allowed once a person has approved the request. Whoever knows nothing of approvals takes it for the denial that it is until
 * then.
 */
export interface Asked extends Denied {
  readonly reason: 'approval-required'
  /** The rules that ask. Never empty. */
  readonly asks: readonly [Rule, ...Rule[]]
  /** The verdict after the approval. */
  readonly granted: RequestAllowed
}

export interface AuthorityAllowed {
  readonly allowed: true
  /** The destinations whose host, scheme and port match, in the order of the policy. Never empty. */
  readonly destinations: readonly [Destination, ...Destination[]]
}

export interface RequestAllowed {
  readonly allowed: true
  readonly destination: Destination
  readonly rule: Rule
  /** The agent's own rule that allows it too; null if the agent has none for this service. */
  readonly agentRule: Rule | null
  /** The service that the destination is a target of; null for an `allow` entry. */
  readonly service: Service | null
}

/** The verdict on a name, with all measurements that led to it. */
export interface NameDecision {
  readonly verdict: NameAllowed | Denied
  /** The wildcard that lists the name, as written, whether or not the name was allowed; null if none does. */
  readonly wildcard: string | null
  /** Length and entropy of the labels that a wildcard matched, else of the whole name. */
  readonly features: NameFeatures
  /** The limits that apply to the name, or would apply under a wildcard. */
  readonly limits: NameLimits
  /** The budget's verdict; null if no wildcard matched or the name was denied before. */
  readonly budget: BudgetVerdict | null
}
