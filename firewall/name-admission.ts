import type { Denied, Judge, NameAllowed } from './judge.js'
import type { BudgetVerdict, LeakBudget } from './leak-budget.js'
import { judgeShape, type Shape } from './name-shape.js'
import type { NameLimits } from './name-profiles.js'
import type { SandboxIdentity } from './policy.js'

export interface NameAdmission {
  readonly verdict: NameAllowed | Denied
  /** The wildcard that lists the name, as written, whether or not the name got through; else null. */
  readonly wildcard: string | null
  /** Length and entropy of the open labels under a wildcard, else of the whole name. */
  readonly shape: Shape
  /** The limits that hold for the name, or would under a wildcard. */
  readonly limits: NameLimits
  /** What the budget said, where a wildcard was asked. */
  readonly budget: BudgetVerdict | null
}

/** What the gate knows when it judges names; one per gate, shared by resolver and proxy. */
export interface NameGate {
  readonly judge: Judge
  /** Where a wildcard has none of its own. */
  readonly limits: NameLimits
  readonly budget: LeakBudget
}

/**
 * Judges a name in three steps: is it listed, does it look like data, is there budget left. The resolver asks for every
 * query, and the proxy for every Host, SNI and CONNECT name, for those are what it resolves upstream: a name that
 * carries data must not get out by either way.
 *
 * An exact name carries nothing, since nothing is forwarded for it; only open labels of a wildcard are limited. The
 * shape of an unlisted name is measured for the log.
 *
 * @param charge false to ask without spending budget (`egress explain`)
 */
export function admitName(
  { judge, limits: general, budget }: NameGate,
  sandbox: SandboxIdentity,
  host: string,
  now: number,
  charge = true,
): NameAdmission {
  const verdict = judge.judgeName(sandbox.agent, host)
  const wildcard = verdict.allowed ? verdict.wildcard : null
  const limits = wildcard?.limits ?? general
  const shape = judgeShape(wildcard?.open ?? host.split('.'), limits.shape)
  if (!verdict.allowed || wildcard === null) return { verdict, wildcard: null, shape, limits, budget: null }
  const { text } = wildcard
  if (shape.signal !== null) {
    return { verdict: deny('name-shape', verdict), wildcard: text, shape, limits, budget: null }
  }
  const open = wildcard.open.join('.')
  const spent = budget.judge({
    sandbox: sandbox.id,
    wildcard: text,
    open,
    limits: limits.budget,
    now,
    charge,
  })
  return {
    verdict: spent.spent ? deny('name-budget', verdict) : verdict,
    wildcard: text,
    shape,
    limits,
    budget: spent,
  }
}

function deny(reason: 'name-shape' | 'name-budget', { rule }: NameAllowed): Denied {
  return { allowed: false, reason, rule }
}
