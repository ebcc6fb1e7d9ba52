import type { RateLimit } from '../contracts/limits.js'

interface Bucket {
  tokens: number
  updated: number
}

/** Token buckets by key. Their number is bounded by sandboxes times services; see `prune`. */
export class RateLimiter {
  readonly #buckets = new Map<string, Bucket>()

  /**
   * Takes one token. Returns 0, or the milliseconds until there is one. `now` in milliseconds.
   *
   * @param charge false to ask without taking it
   */
  take(key: string, limit: RateLimit, now: number, charge = true): number {
    const bucket = this.#buckets.get(key) ?? { tokens: limit.burst, updated: now }
    const earned = (Math.max(now - bucket.updated, 0) / 1000) * limit.perSecond
    const tokens = Math.min(bucket.tokens + earned, limit.burst)
    const waitMs = tokens < 1 ? Math.ceil(((1 - tokens) / limit.perSecond) * 1000) : 0
    if (!charge) return waitMs
    bucket.tokens = waitMs === 0 ? tokens - 1 : tokens
    bucket.updated = now
    this.#buckets.set(key, bucket)
    return waitMs
  }

  /** Drops the buckets of what is gone. */
  prune(isActive: (key: string) => boolean): void {
    for (const key of this.#buckets.keys()) if (!isActive(key)) this.#buckets.delete(key)
  }
}
