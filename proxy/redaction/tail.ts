/** Bytes that are remembered, at least: twice what the longest secret has, a private key. */
const MIN_BYTES = 8_192

/** Chunks that are kept apart before they are copied into one: each may hold on to a larger piece of memory. */
const MAX_CHUNKS = 64

/** The last bytes that went by. Chunks are kept as they are, and copied only where they are many and small. */
export class Tail {
  #chunks: Buffer[] = []
  #bytes = 0

  add(chunk: Buffer): void {
    if (chunk.length === 0) return
    if (chunk.length >= MIN_BYTES) this.clear()
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    for (let [first] = this.#chunks; first !== undefined; [first] = this.#chunks) {
      if (this.#bytes - first.length < MIN_BYTES) break
      this.#bytes -= first.length
      this.#chunks.shift()
    }
    if (this.#chunks.length > MAX_CHUNKS) this.#chunks = [Buffer.concat(this.#chunks)]
  }

  /** @param least bytes that are needed, where they are more than the least that are remembered */
  read(least: number): Buffer {
    return Buffer.concat(this.#chunks).subarray(-Math.max(MIN_BYTES, least))
  }

  clear(): void {
    this.#chunks = []
    this.#bytes = 0
  }
}
