import { NO_HOLDS } from '#firewall/contracts/holds.js'
import type { Policy } from '#firewall/contracts/policy.js'
import type { Ledger } from '#firewall/ledger/ledger.js'
import type { NamePolicy } from '#firewall/policy-engine/name-policy.js'
import { PolicyEngine } from '#firewall/policy-engine/policy-engine.js'
import { RULE_KINDS } from '#firewall/rules/index.js'

/** The part of a snapshot that decides. Nothing in it connects, so that a question to the policy loads nothing that does. */
export interface DecisionSnapshot {
  readonly policy: Policy
  /** The policy engine, with the exfiltration budget that outlives it. */
  readonly namePolicy: NamePolicy
}

/**
 * @param previous keeps its holds
 * @param observes whether hosts that the policy does not list pass without credentials
 */
export function createDecisionSnapshot(
  policy: Policy,
  ledger: Ledger,
  previous: DecisionSnapshot | null = null,
  observes = false,
): DecisionSnapshot {
  return {
    policy,
    namePolicy: {
      policyEngine: new PolicyEngine(policy, RULE_KINDS, observes),
      limits: policy.dns.nameLimits,
      budget: ledger.names,
      holds: previous?.namePolicy.holds ?? NO_HOLDS,
    },
  }
}
