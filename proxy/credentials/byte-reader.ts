import { ByteBlocks } from '../message/byte-blocks.js'

/** Takes a stream of bytes apart, holding no more of it than was asked for. */
export class ByteReader {
  readonly #source: AsyncIterator<Buffer>
  #held: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next line without its CRLF, as latin1; null when there is none within `limit` bytes. */
  async line(limit: number): Promise<string | null> {
    for (;;) {
      const end = this.#held.indexOf('\r\n', 0, 'latin1')
      // One byte more: it may be the CR.
      if (end > limit || (end < 0 && this.#held.length > limit + 1)) return null
      if (end >= 0) {
        const line = this.#held.toString('latin1', 0, end)
        this.#held = this.#held.subarray(end + 2)
        return line
      }
      const more = await this.#pull()
      if (more === null) return null
      this.#held = Buffer.concat([this.#held, more])
    }
  }

  /** Exactly `count` bytes, in pieces; null when the stream ends before. */
  async pieces(count: number): Promise<readonly Buffer[] | null> {
    const blocks = new ByteBlocks()
    for (let missing = count; missing > 0;) {
      const next = this.#held.length > 0 ? this.#held : await this.#pull()
      if (next === null) return null
      blocks.append(next.subarray(0, missing))
      this.#held = next.subarray(missing)
      missing -= Math.min(missing, next.length)
    }
    return blocks.pieces()
  }

  async ended(): Promise<boolean> {
    while (this.#held.length === 0) {
      const more = await this.#pull()
      if (more === null) return true
      this.#held = more
    }
    return false
  }

  async #pull(): Promise<Buffer | null> {
    const next = await this.#source.next()
    return next.done === true ? null : next.value
  }
}
