import type { ShareLimit } from '../contracts/limits.js'
import { FairShare } from './fair-share.js'

/** The sandbox, or the gateway for all of them, holds as much as it may. */
export class MemoryExceeded extends Error {
  readonly code = 'EGRESS_MEMORY_LIMIT'
}

/**
 * Counts the bytes that are held for each sandbox: what its connections and requests take at most, bodies that are held whole
 * to be signed or changed, requests that were sent ahead, windows of decoders. Threat: a sandbox has the gateway hold ever
 * more, until it is out of memory and ends, for all sandboxes.
 */
export class MemoryBudget {
  readonly #share = new FairShare()

  /** Bytes of all sandboxes. */
  get total(): number {
    return this.#share.total
  }

  /** Bytes of one sandbox. */
  of(sandbox: string): number {
    return this.#share.of(sandbox)
  }

  /** For one thing that holds memory. */
  open(sandbox: string, limit: ShareLimit): MemoryReservation {
    const share = this.#share
    let reserved = 0
    const tryReserve = (bytes: number): boolean => {
      if (!share.take(sandbox, bytes, limit)) return false
      reserved += bytes
      return true
    }
    return {
      tryReserve,
      reserve(bytes) {
        if (!tryReserve(bytes)) throw new MemoryExceeded()
      },
      release(bytes = reserved) {
        const given = Math.min(bytes, reserved)
        reserved -= given
        share.giveBack(sandbox, given)
      },
    }
  }
}

export interface MemoryReservation {
  /** Reserves so many bytes more; false, and none of them, when there is no room. */
  tryReserve(bytes: number): boolean
  /** The same. @throws MemoryExceeded */
  reserve(bytes: number): void
  /** So many are held no more; unless said otherwise, all. */
  release(bytes?: number): void
}
