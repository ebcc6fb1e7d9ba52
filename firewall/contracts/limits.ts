/** A token bucket: `perSecond` tokens are added per second, up to `burst`. */
export interface RateLimit {
  readonly perSecond: number
  readonly burst: number
}

/** What one sandbox may use of one service in a window; null for no limit. */
export interface Quota {
  readonly requests: number | null
  /** Bytes of request and response bodies. */
  readonly bytes: number | null
  readonly windowMs: number
}

/**
 * How much data a sandbox may send out through the labels that one wildcard matches. A single name does not show whether
 * it carries five bytes of data or is a real name, so the number of different names counts.
 */
export interface BudgetLimits {
  /** New names in any window. */
  readonly names: number
  /** Bytes of new names' wildcard labels in any window. */
  readonly bytes: number
  /**
   * Length of the sliding window, in milliseconds: any interval of this length sees at most the limit, and any interval of
   * twice this length at most twice the limit.
   */
  readonly windowMs: number
  /** Bytes of new names' wildcard labels in any 24 hours. */
  readonly bytesPerDay: number
}

export type BudgetVerdict =
  | { readonly spent: false; readonly namesLeft: number; readonly bytesLeft: number }
  /** `limit` is the one that is used up; `retryMs` the milliseconds until there is room again. */
  | { readonly spent: true; readonly limit: 'names' | 'bytes' | 'bytes-per-day'; readonly retryMs: number }

/** How much of one thing a sandbox may hold at once, and all sandboxes together. */
export interface ShareLimit {
  readonly own: number
  readonly all: number
}

/** What sandboxes may hold of the gateway at once; above it they are told `busy`. */
export interface SandboxLimits {
  /** Connections to the proxy. */
  readonly connections: ShareLimit
  /** Requests, WebSockets and tunnels that are open. */
  readonly requests: ShareLimit
  /** Bytes of memory. */
  readonly memory: ShareLimit
  /** New certificates of one sandbox. */
  readonly certificates: RateLimit
}
