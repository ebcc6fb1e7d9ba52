import type { Quota } from '../contracts/limits.js'

interface Window {
  readonly ends: number
  /** Milliseconds from its first request to its end. */
  readonly length: number
  requests: number
  bytes: number
}

/** Windows that are kept before those that have ended are looked for. */
const MAX_KEPT = 4_096

/**
 * Counts requests and bytes by key, in windows that begin with the first request. A request is counted when it is let
 * through; its bytes when it has ended, for nobody knows them before: it passes whole, and those that follow are refused.
 */
export class QuotaCounter {
  readonly #windows = new Map<string, Window>()

  /**
   * Counts one request. `now` in milliseconds.
   *
   * @param announced bytes of the body that the request says it has
   * @param charge false to ask without counting it
   * @returns 0, or the milliseconds until the window ends
   */
  take(key: string, quota: Quota, announced: number, now: number, charge = true): number {
    const window = charge ? this.#windowOf(key, quota, now) : this.#presentOf(key, quota, now)
    const over =
      (quota.requests !== null && window.requests >= quota.requests) ||
      (quota.bytes !== null && (window.bytes >= quota.bytes || window.bytes + announced > quota.bytes))
    if (over) return window.ends - now
    if (charge) window.requests += 1
    return 0
  }

  /**
   * Charges the bytes of a finished request to the current window, even if the request started in an earlier one. If no
   * window is open, they are not counted.
   */
  spend(key: string, bytes: number, now: number): void {
    const window = this.#windows.get(key)
    if (window !== undefined && window.ends > now) window.bytes += bytes
  }

  /** Drops the windows of what is gone. */
  prune(isActive: (key: string) => boolean): void {
    for (const key of this.#windows.keys()) if (!isActive(key)) this.#windows.delete(key)
  }

  #windowOf(key: string, quota: Quota, now: number): Window {
    const window = this.#presentOf(key, quota, now)
    if (this.#windows.get(key) === window) return window
    if (this.#windows.size >= MAX_KEPT) this.#dropEnded(now)
    this.#windows.set(key, window)
    return window
  }

  /** The window that is open, or one that could be opened now. */
  #presentOf(key: string, { windowMs }: Quota, now: number): Window {
    const present = this.#windows.get(key)
    // A clock that was set back must not make a window longer than it is.
    if (present === undefined || present.ends <= now || present.ends - now > present.length)
      return { ends: now + windowMs, length: windowMs, requests: 0, bytes: 0 }
    // A new policy may have shorter windows: what was counted counts on.
    return present.ends - now <= windowMs ? present : { ...present, ends: now + windowMs, length: windowMs }
  }

  #dropEnded(now: number): void {
    for (const [key, { ends }] of this.#windows) if (ends <= now) this.#windows.delete(key)
  }
}
