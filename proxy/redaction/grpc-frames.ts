/** A flag and four bytes of length stand before each message of gRPC ("Length-Prefixed-Message"). */
const HEAD_BYTES = 5

/** The message is compressed. */
export const COMPRESSED = 0x01
/** Of gRPC-Web: these are the trailers. */
export const TRAILERS = 0x80
/** Of Connect: this is the end of the stream. */
export const LAST = 0x02

export interface GrpcHead {
  readonly flags: number
  /** Bytes of the message. */
  readonly length: number
}

/** Follows the frames of a stream, however they are cut into chunks. */
export class GrpcFrames {
  readonly #bytes = Buffer.alloc(HEAD_BYTES)
  #taken = 0
  #left = 0
  #head: GrpcHead | null = null

  /** The head of the message that is being read; null between messages, and while the head is not whole. */
  get head(): GrpcHead | null {
    return this.#head
  }

  /** Whether nothing of a message came that is not whole. */
  get isBetween(): boolean {
    return this.#taken === 0 && this.#head === null
  }

  /** Takes what belongs together, no more: a head, or as much of a message as is there. Returns how many bytes that is. */
  take(bytes: Buffer): number {
    if (this.#head !== null) {
      const taken = Math.min(this.#left, bytes.length)
      this.#left -= taken
      if (this.#left === 0) this.#head = null
      return taken
    }
    const taken = bytes.copy(this.#bytes, this.#taken, 0, HEAD_BYTES - this.#taken)
    this.#taken += taken
    if (this.#taken === HEAD_BYTES) {
      this.#taken = 0
      this.#left = this.#bytes.readUInt32BE(1)
      this.#head = { flags: this.#bytes[0] ?? 0, length: this.#left }
    }
    return taken
  }

  /** An empty message is over with its head. */
  endEmpty(): boolean {
    if (this.#head === null || this.#head.length > 0) return false
    this.#head = null
    return true
  }
}

export function grpcHead({ flags, length }: GrpcHead): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head[0] = flags
  head.writeUInt32BE(length, 1)
  return head
}
