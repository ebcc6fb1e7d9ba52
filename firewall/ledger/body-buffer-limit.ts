const MIB = 1024 ** 2

/** Bytes that are held of one sandbox's request bodies, and of all together: a gateway on Docker has 1 GiB. */
const OF_ONE = 64 * MIB
const OF_ALL = 256 * MIB

/** The gateway holds as much as it may. */
export class BufferLimitExceeded extends Error {
  readonly code = 'EGRESS_BUFFER_LIMIT'
}

/**
 * Counts the request bodies that are held whole, to be signed or changed. Threat: a sandbox sends many, each a little
 * shorter than one may be and never to its end, until the gateway is out of memory and ends, for all sandboxes.
 */
export class BodyBufferLimit {
  readonly #bytes = new Map<string, number>()
  #total = 0

  /** Bytes of all sandboxes. */
  get total(): number {
    return this.#total
  }

  /** For the body of one request. */
  open(sandbox: string): BufferReservation {
    let reserved = 0
    const add = (bytes: number) => {
      const own = (this.#bytes.get(sandbox) ?? 0) + bytes
      if (bytes > 0 && (own > OF_ONE || this.#total + bytes > OF_ALL)) throw new BufferLimitExceeded()
      if (own > 0) this.#bytes.set(sandbox, own)
      else this.#bytes.delete(sandbox)
      this.#total += bytes
      reserved += bytes
    }
    return { reserve: add, release: (bytes = reserved) => add(-Math.min(bytes, reserved)) }
  }
}

export interface BufferReservation {
  /** Reserves so many bytes more. @throws BufferLimitExceeded, and reserves none of them */
  reserve(bytes: number): void
  /** So many were sent; unless said otherwise, all there are, or they never will be. */
  release(bytes?: number): void
}
