import { ByteBlocks } from '../message/byte-blocks.js'

/** Reads lines and byte counts from a stream. Buffers no more than the caller asks for. */
export class ByteReader {
  readonly #source: AsyncIterator<Buffer>
  #buffered: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next line without its CRLF, as latin1; null if there is none within `limit` bytes. */
  async line(limit: number): Promise<string | null> {
    for (;;) {
      const end = this.#buffered.indexOf('\r\n', 0, 'latin1')
      // One more byte, which may be the CR.
      if (end > limit || (end < 0 && this.#buffered.length > limit + 1)) return null
      if (end >= 0) {
        const line = this.#buffered.toString('latin1', 0, end)
        this.#buffered = this.#buffered.subarray(end + 2)
        return line
      }
      const more = await this.#pull()
      if (more === null) return null
      this.#buffered = Buffer.concat([this.#buffered, more])
    }
  }

  /** Exactly `count` bytes, in pieces; null if the stream ends earlier. */
  async pieces(count: number): Promise<readonly Buffer[] | null> {
    const blocks = new ByteBlocks()
    for (let missing = count; missing > 0;) {
      const next = this.#buffered.length > 0 ? this.#buffered : await this.#pull()
      if (next === null) return null
      blocks.append(next.subarray(0, missing))
      this.#buffered = next.subarray(missing)
      missing -= Math.min(missing, next.length)
    }
    return blocks.pieces()
  }

  async ended(): Promise<boolean> {
    while (this.#buffered.length === 0) {
      const more = await this.#pull()
      if (more === null) return true
      this.#buffered = more
    }
    return false
  }

  async #pull(): Promise<Buffer | null> {
    const next = await this.#source.next()
    return next.done === true ? null : next.value
  }
}
