import type { BudgetLimits } from '../ledger/exfiltration-budget.js'
import type { NameFeatureLimits } from './name-features.js'

/** What may stand in the open labels of a wildcard, and how much of it. */
export interface NameLimits {
  readonly features: NameFeatureLimits
  readonly budget: BudgetLimits
}

/** At most 256 bytes in ten minutes and 2 KiB a day, about 0.19 bit/s. */
const DEFAULT_BUDGET: BudgetLimits = { names: 16, bytes: 256, windowMs: 600_000, bytesPerDay: 2048 }

/**
 * Limits under names. What each refuses of real names and lets through of payloads is measured: docs/dns.md.
 *
 * - `default`: refuses 0.3 % of real names, and 99 % of what iodine sends.
 * - `strict`: for suffixes with a handful of ordinary names.
 * - `random-labels`: for suffixes whose real names look like payload, such as CloudFront distributions and buckets. The
 *   shape of a name says nothing there, so the budget alone holds, and it is smaller.
 */
export const NAME_PROFILES = {
  default: {
    features: { maxLength: 64, maxLabel: 40, maxEntropy: 4.2, maxTotalEntropy: 4.5, minEntropyLength: 16 },
    budget: DEFAULT_BUDGET,
  },
  strict: {
    features: { maxLength: 52, maxLabel: 32, maxEntropy: 4.0, maxTotalEntropy: 4.4, minEntropyLength: 16 },
    budget: { names: 8, bytes: 128, windowMs: 600_000, bytesPerDay: 512 },
  },
  'random-labels': {
    features: { maxLength: 64, maxLabel: 63, maxEntropy: 8, maxTotalEntropy: 8, minEntropyLength: 16 },
    budget: { names: 8, bytes: 128, windowMs: 600_000, bytesPerDay: 1024 },
  },
} as const satisfies Record<string, NameLimits>

export type NameProfile = keyof typeof NAME_PROFILES

export const DEFAULT_NAMES: NameLimits = NAME_PROFILES.default
