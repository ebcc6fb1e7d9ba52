import { RateLimiter } from './rate-limit.js'
import type { RateLimit } from '../contracts/limits.js'

/** Milliseconds between two records of the same flood. */
const FLOOD_RECORD_MS = 1000

interface Flood {
  dropped: number
  recorded: number
}

/** `pass`: answer it. `note`: drop it and write a record. `drop`: drop it and count it. */
export type RateVerdict = 'pass' | 'note' | 'drop'

/** One per gateway, shared by UDP and TCP. Its size is bounded by the number of sandboxes; see `prune`. */
export class QueryLimiter {
  readonly #buckets = new RateLimiter()
  readonly #floods = new Map<string, Flood>()

  /** Takes one query of this sandbox. `now` in milliseconds. */
  take(sandbox: string, rate: RateLimit, now: number): RateVerdict {
    if (this.#buckets.take(sandbox, rate, now) === 0) return 'pass'
    const flood = this.#floods.get(sandbox) ?? { dropped: 0, recorded: -Infinity }
    this.#floods.set(sandbox, flood)
    // The absolute difference. Otherwise a clock set backwards would suppress flood records until it catches up.
    if (Math.abs(now - flood.recorded) >= FLOOD_RECORD_MS) {
      flood.recorded = now
      return 'note'
    }
    flood.dropped += 1
    return 'drop'
  }

  /** Queries dropped without a record since `settle`. */
  dropped(sandbox: string): number {
    return this.#floods.get(sandbox)?.dropped ?? 0
  }

  /** So many of them stand in a record now. */
  settle(sandbox: string, dropped: number): void {
    const flood = this.#floods.get(sandbox)
    if (flood !== undefined) flood.dropped -= dropped
  }

  /** Drops the state of sandboxes that are gone. */
  prune(isActive: (sandbox: string) => boolean): void {
    this.#buckets.prune(isActive)
    for (const sandbox of this.#floods.keys()) if (!isActive(sandbox)) this.#floods.delete(sandbox)
  }
}
