import { MAX_QUERY, MIN_QUERY } from '../wire.js'

/** Bytes of the length that precedes every message (RFC 1035 section 4.2.2). */
const PREFIX = 2

/** Takes messages out of a byte stream, however it was cut (RFC 7766 section 8). Holds one chunk and one message. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
  }

  /**
   * @returns the next message; null when there is none yet; `refused` when the length is one that no query has. After
   *   that the stream has no more messages: where the next would begin is the sender's claim.
   */
  next(): Buffer | null | 'refused' {
    const bytes = this.#bytes
    if (bytes.length < PREFIX) return null
    const length = bytes.readUInt16BE(0)
    if (length < MIN_QUERY || length > MAX_QUERY) return 'refused'
    if (bytes.length < PREFIX + length) return null
    this.#bytes = bytes.subarray(PREFIX + length)
    return bytes.subarray(PREFIX, PREFIX + length)
  }
}

/** A message with its length. In one piece, so that it leaves in one segment (RFC 7766 section 8). */
export function frame(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX + message.length)
  framed.writeUInt16BE(message.length, 0)
  message.copy(framed, PREFIX)
  return framed
}
