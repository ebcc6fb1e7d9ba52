import type { BudgetLimits } from '../contracts/limits.js'
import type { NameLimits } from '../contracts/names.js'

/** At most 256 bytes per ten minutes and 2 KiB per day, about 0.19 bit/s. */
const DEFAULT_BUDGET: BudgetLimits = { names: 16, bytes: 256, windowMs: 600_000, bytesPerDay: 2048 }

/**
 * Limits by profile name. docs/dns.md has measurements of the real names that each denies and the payloads that each allows.
 *
 * - `default`: denies 0.3 % of real names, and 99 % of the names that iodine sends.
 * - `strict`: for suffixes with few, ordinary names.
 * - `random-labels`: for suffixes whose real names look like encoded data, such as CloudFront distributions and buckets. The
 *   features of a name tell nothing there, so only the budget limits them, and it is smaller.
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
