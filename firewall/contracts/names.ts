import type { BudgetLimits } from './limits.js'

/** `host` matches itself; `*.suffix` one more label; `**.suffix` one or more. A wildcard never matches its suffix. */
export type HostPattern =
  | { readonly kind: 'exact'; readonly host: string; readonly text: string }
  | {
      readonly kind: 'wildcard'
      readonly suffix: string
      /** True for `**`. */
      readonly recursive: boolean
      readonly text: string
    }

/** Limits on the labels that a wildcard matches. Measured against real names: docs/dns.md. */
export interface NameFeatureLimits {
  /** Characters of all wildcard labels together, dots included. */
  readonly maxLength: number
  /** Characters of one label. */
  readonly maxLabel: number
  /** Shannon entropy of one label in bits per character; checked from `minEntropyLength` characters on. */
  readonly maxEntropy: number
  /** Shannon entropy of all wildcard labels together, for data that was cut into short labels. */
  readonly maxTotalEntropy: number
  /** Shorter text is not measured: n characters never exceed log2(n) bits. */
  readonly minEntropyLength: number
}

/** The feature that gave a name away. */
export type NameSignal = 'bytes' | 'length' | 'label-length' | 'entropy'

/** Measurements of a name; both numbers go into every audit record. */
export interface NameFeatures {
  /** Characters, dots included. */
  readonly length: number
  /** Shannon entropy of the characters without dots, in bits per character. */
  readonly entropy: number
  /** The first signal that fired, or null. */
  readonly signal: NameSignal | null
}

/** Limits on the labels that a wildcard matches: what they may look like, and how many new ones are allowed. */
export interface NameLimits {
  readonly features: NameFeatureLimits
  readonly budget: BudgetLimits
}
