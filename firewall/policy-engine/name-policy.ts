import type { NameDecision, Denied, NameAllowed } from '../contracts/verdict.js'
import type { PolicyEngine } from './policy-engine.js'
import type { ExfiltrationBudget } from '../ledger/exfiltration-budget.js'
import { measureName } from '../names/name-features.js'
import type { NameLimits } from '../contracts/names.js'
import type { SandboxRef } from '../contracts/identity.js'
import type { HoldReason, Holds } from '../contracts/holds.js'

/** Everything that checks of names need; the resolver and the proxy of a gateway share one. */
export interface NamePolicy {
  readonly policyEngine: PolicyEngine
  /** Limits of wildcards without limits of their own. */
  readonly limits: NameLimits
  readonly budget: ExfiltrationBudget
  /** What an operator holds. It comes before everything that the policy says. */
  readonly holds: Holds
}

/**
 * Checks a name in four steps: is its sandbox held, is it listed, does it look like encoded data, is there budget left. The resolver calls it for
 * every query, and the proxy for every Host, SNI and CONNECT name. Threat: the proxy resolves these names upstream, so a name
 * that carries data would reach the domain owner's name servers through either of them.
 *
 * An exact name cannot carry data, so only the labels that a wildcard matches are limited. The features of unlisted names are
 * measured for the log.
 *
 * @param charge false to check without charging the budget (`egress explain`)
 */
export function checkName(
  { policyEngine, limits: general, budget, holds }: NamePolicy,
  sandbox: SandboxRef,
  host: string,
  now: number,
  charge = true,
): NameDecision {
  const held = holdOn(holds, sandbox)
  const verdict: NameDecision['verdict'] =
    held === null
      ? policyEngine.evaluateName(sandbox.agent, host)
      : { allowed: false, reason: held, rule: null }
  const wildcard = verdict.allowed ? verdict.wildcard : null
  const limits = wildcard?.limits ?? general
  const features = measureName(wildcard?.wildcardLabels ?? host.split('.'), limits.features)
  if (!verdict.allowed || wildcard === null)
    return { verdict, wildcard: null, features, limits, budget: null }
  const { text } = wildcard
  if (features.signal !== null) {
    return { verdict: deny('name-looks-encoded', verdict), wildcard: text, features, limits, budget: null }
  }
  const spent = budget.check({
    sandbox: sandbox.id,
    wildcard: text,
    wildcardLabels: wildcard.wildcardLabels.join('.'),
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

/** Why nothing of this sandbox may pass, whatever it asks for; null if no operator holds it. */
export function holdOn({ all, agents, sandboxes }: Holds, { id, agent }: SandboxRef): HoldReason | null {
  if (all || sandboxes.has(id)) return 'sandbox-stopped'
  return agents.has(agent) ? 'agent-paused' : null
}

function deny(reason: 'name-looks-encoded' | 'name-budget', { rule }: NameAllowed): Denied {
  return { allowed: false, reason, rule }
}
