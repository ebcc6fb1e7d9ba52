import type { Denied, PolicyEngine, NameAllowed } from './policy-engine.js'
import type { BudgetVerdict, ExfiltrationBudget } from '../ledger/exfiltration-budget.js'
import { measureName, type NameFeatures } from '../names/name-features.js'
import type { NameLimits } from '../names/name-profiles.js'
import type { SandboxRef } from '../contracts/policy.js'

export interface NameDecision {
  readonly verdict: NameAllowed | Denied
  /** The wildcard that lists the name, as written, whether or not the name got through; else null. */
  readonly wildcard: string | null
  /** Length and entropy of the open labels under a wildcard, else of the whole name. */
  readonly features: NameFeatures
  /** The limits that hold for the name, or would under a wildcard. */
  readonly limits: NameLimits
  /** What the budget said, where a wildcard was asked. */
  readonly budget: BudgetVerdict | null
}

/** What the gateway knows when it checks names; one per gateway, shared by resolver and proxy. */
export interface NamePolicy {
  readonly policyEngine: PolicyEngine
  /** Where a wildcard has none of its own. */
  readonly limits: NameLimits
  readonly budget: ExfiltrationBudget
}

/**
 * Checks a name in three steps: is it listed, does it look like data, is there budget left. The resolver asks for every
 * query, and the proxy for every Host, SNI and CONNECT name, for those are what it resolves upstream: a name that
 * carries data must not get out by either way.
 *
 * An exact name carries nothing, since nothing is forwarded for it; only open labels of a wildcard are limited. The
 * shape of an unlisted name is measured for the log.
 *
 * @param charge false to ask without spending budget (`egress explain`)
 */
export function checkName(
  { policyEngine, limits: general, budget }: NamePolicy,
  sandbox: SandboxRef,
  host: string,
  now: number,
  charge = true,
): NameDecision {
  const verdict = policyEngine.evaluateName(sandbox.agent, host)
  const wildcard = verdict.allowed ? verdict.wildcard : null
  const limits = wildcard?.limits ?? general
  const features = measureName(wildcard?.wildcardLabels ?? host.split('.'), limits.features)
  if (!verdict.allowed || wildcard === null)
    return { verdict, wildcard: null, features, limits, budget: null }
  const { text } = wildcard
  if (features.signal !== null) {
    return { verdict: deny('name-looks-encoded', verdict), wildcard: text, features, limits, budget: null }
  }
  const open = wildcard.wildcardLabels.join('.')
  const spent = budget.check({
    sandbox: sandbox.id,
    wildcard: text,
    wildcardLabels: open,
    limits: limits.budget,
    now,
    charge,
  })
  return {
    verdict: spent.spent ? deny('name-budget', verdict) : verdict,
    wildcard: text,
    features,
    limits,
    budget: spent,
  }
}

function deny(reason: 'name-looks-encoded' | 'name-budget', { rule }: NameAllowed): Denied {
  return { allowed: false, reason, rule }
}
