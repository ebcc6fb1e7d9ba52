const BLOCK = 16_384

/**
 * Bytes that are kept for later. Threat: a body whose every byte comes alone; kept as it came, each would take some hundred
 * bytes of memory.
 */
export class ByteBlocks {
  readonly #blocks: Buffer[] = []
  /** Bytes of the last block that are taken. */
  #taken = BLOCK

  get length(): number {
    return this.#blocks.length * BLOCK - (BLOCK - this.#taken)
  }

  append(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#taken === BLOCK) {
        this.#blocks.push(Buffer.allocUnsafeSlow(BLOCK))
        this.#taken = 0
      }
      const copied = chunk.copy(this.#blocks.at(-1) ?? chunk, this.#taken, at)
      this.#taken += copied
      at += copied
    }
  }

  pieces(): readonly Buffer[] {
    return this.#blocks.map((block, i) =>
      i === this.#blocks.length - 1 ? block.subarray(0, this.#taken) : block,
    )
  }

  concat(): Buffer {
    return Buffer.concat(this.pieces())
  }
}
