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

  /**
   * Takes one token, also one that is not there yet, as long as no more than `debt` are owed.
   *
   * @returns the milliseconds until the token is there; null when it was not taken
   */
  takeAhead(key: string, limit: RateLimit, now: number, debt: number): number | null {
    const bucket = this.#buckets.get(key) ?? { tokens: limit.burst, updated: now }
    const earned = (Math.max(now - bucket.updated, 0) / 1000) * limit.perSecond
    const tokens = Math.min(bucket.tokens + earned, limit.burst)
    if (tokens - 1 < -debt) return null
    bucket.tokens = tokens - 1
    bucket.updated = now
    this.#buckets.set(key, bucket)
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / limit.perSecond) * 1000)
  }

  /** Takes so many tokens, whether they are there or not: what was used before anybody knew how much it is. */
  draw(key: string, limit: RateLimit, count: number, now: number): void {
    const bucket = this.#buckets.get(key) ?? { tokens: limit.burst, updated: now }
    const earned = (Math.max(now - bucket.updated, 0) / 1000) * limit.perSecond
    bucket.tokens = Math.min(bucket.tokens + earned, limit.burst) - count
    bucket.updated = now
    this.#buckets.set(key, bucket)
  }

  /** Drops the buckets that are full by now: a new one is the same. */
  forgetFull(limit: RateLimit, now: number): void {
    for (const [key, { tokens, updated }] of this.#buckets) {
      if (tokens + ((now - updated) / 1000) * limit.perSecond >= limit.burst) this.#buckets.delete(key)
    }
  }

  /** Drops the buckets of what is gone. */
  prune(isActive: (key: string) => boolean): void {
    for (const key of this.#buckets.keys()) if (!isActive(key)) this.#buckets.delete(key)
  }
}
