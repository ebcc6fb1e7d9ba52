import { RateLimiter } from './rate-limit.js'
import type { RateLimit } from '../contracts/limits.js'

/**
 * How late an answer may be, in milliseconds, and how many of one sandbox wait at once. A parallel build asks for many names
 * at once and waits for each; it slows down and nothing fails. A stub resolver asks again after seconds, so this is short.
 */
const MAX_WAIT_MS = 1_000
const MAX_WAITING = 256

/** When a query is answered: `null` for not at all, which is to say with a denial and at once. */
export type QueryTurn = number | null

/** One per gateway, shared by UDP and TCP. Its size is bounded by the number of sandboxes; see `prune`. */
export class QueryLimiter {
  readonly #buckets = new RateLimiter()

  /**
   * Takes one query of this sandbox. A query that may wait has its token already, so that none is overtaken for ever.
   *
   * @param now milliseconds
   * @returns the milliseconds that its answer waits; null if the sandbox is too far over its rate
   */
  take(sandbox: string, rate: RateLimit, now: number): QueryTurn {
    const debt = Math.min((rate.perSecond * MAX_WAIT_MS) / 1000, MAX_WAITING)
    return this.#buckets.takeAhead(sandbox, rate, now, debt)
  }

  /** Drops the state of sandboxes that are gone. */
  prune(isActive: (sandbox: string) => boolean): void {
    this.#buckets.prune(isActive)
  }
}
