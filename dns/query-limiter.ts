import { RateLimiter, type RateLimit } from '#firewall/rate-limit.js'

/**
 * Queries per sandbox. A parallel build or a browser asks some dozens at once, and a second's worth of 200 is far above
 * what programs sustain; every query is a line in the audit log, so this also bounds how fast a sandbox can fill a disk.
 */
export const DEFAULT_QUERY_RATE: RateLimit = { perSecond: 200, burst: 400 }

/** Milliseconds between two records of the same flood. */
const FLOOD_RECORD_MS = 1000

interface Flood {
  dropped: number
  recorded: number
}

/** `pass`: answer it. `note`: drop it and write a record. `drop`: drop it and count it. */
export type RateVerdict = 'pass' | 'note' | 'drop'

/** One per gate, shared by UDP and TCP. Its size is bounded by the number of sandboxes; see `forget`. */
export class QueryLimiter {
  readonly #rate: RateLimit
  readonly #buckets = new RateLimiter()
  readonly #floods = new Map<string, Flood>()

  constructor(rate: RateLimit = DEFAULT_QUERY_RATE) {
    this.#rate = rate
  }

  /** Takes one query of this sandbox. `now` in milliseconds. */
  take(sandbox: string, now: number): RateVerdict {
    if (this.#buckets.take(keyOf(sandbox), this.#rate, now) === 0) return 'pass'
    const flood = this.#floods.get(sandbox) ?? { dropped: 0, recorded: -Infinity }
    this.#floods.set(sandbox, flood)
    // Either direction: a clock that was set back must not silence the records until it has caught up.
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

  /** The count stands in a record now. */
  settle(sandbox: string): void {
    const flood = this.#floods.get(sandbox)
    if (flood !== undefined) flood.dropped = 0
  }

  /** Drops a sandbox that is gone. */
  forget(sandbox: string): void {
    this.#buckets.forget(keyOf(sandbox))
    this.#floods.delete(sandbox)
  }
}

/** Ends in a byte that no id holds: `RateLimiter.forget` goes by prefix, and `a` must not take `ab` along. */
function keyOf(sandbox: string): string {
  return `${sandbox}\0`
}
