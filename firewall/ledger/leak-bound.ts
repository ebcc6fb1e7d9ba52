import type { BudgetLimits } from '../contracts/limits.js'

const DAY_MS = 86_400_000

/** Characters of the labels that a wildcard matches: `a` to `z`, digits, hyphen, underscore, and the dot between labels. */
const CHARACTERS = 39

/** Moments of a day at which a new name may be looked up: the proxy waits for the next full second. */
const MOMENTS = 86_400

/**
 * Upper bound for what one sandbox can tell the name servers behind one wildcard in a day, in bits: the logarithm of the number
 * of days that they can tell apart. Such a day is a list of names, each with the second of its look-up. With n names of B bytes
 * in all, there are 39^B ways to choose the characters, C(B - 1, n - 1) to cut them into names, which also is their order, and
 * C(T + n, n) to spread them over T seconds. Look-ups after the first follow from it and from the answers.
 */
export function leakBoundBits(budget: BudgetLimits): number {
  const windows = Math.ceil(DAY_MS / budget.windowMs) + 1
  const bytes = Math.min(budget.bytesPerDay, budget.bytes * windows)
  const names = Math.min(bytes, budget.names * windows)
  let most = 0
  let cuts = 0
  let moments = 0
  for (let n = 1; n <= names; n += 1) {
    // C(a, n) from C(a, n - 1).
    if (n > 1) cuts += Math.log2((bytes - n + 1) / (n - 1))
    moments += Math.log2((MOMENTS + n) / n)
    most = Math.max(most, cuts + moments)
  }
  return names === 0 ? 0 : Math.ceil(bytes * Math.log2(CHARACTERS) + most)
}
