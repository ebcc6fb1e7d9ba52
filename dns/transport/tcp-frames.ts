import { MAX_QUERY, MIN_QUERY } from '../wire.js'

/** Size of the length field before every message, in bytes (RFC 1035 section 4.2.2). */
const PREFIX = 2

/** Extracts messages from a byte stream, however it is split (RFC 7766 section 8). Buffers one chunk and one message. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
  }

  /**
   * @returns the next message; null if it is not complete yet; `invalid` if its length is impossible for a query. After
   *   that, the stream has no more messages, because only the sender's word says where the next one begins.
   */
  next(): Buffer | null | 'invalid' {
    const bytes = this.#bytes
    if (bytes.length < PREFIX) return null
    const length = bytes.readUInt16BE(0)
    if (length < MIN_QUERY || length > MAX_QUERY) return 'invalid'
    if (bytes.length < PREFIX + length) return null
    this.#bytes = bytes.subarray(PREFIX + length)
    return bytes.subarray(PREFIX, PREFIX + length)
  }
}

/** A message with its length in one buffer, so that both leave in one segment (RFC 7766 section 8). */
export function frame(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX + message.length)
  framed.writeUInt16BE(message.length, 0)
  message.copy(framed, PREFIX)
  return framed
}
