/** Bytes of an n-gram. */
export const NGRAM = 4

/** Filter size in bits per n-gram. At most one in this many absent n-grams is a false positive. */
const BITS_PER_NGRAM = 32

/**
 * Minimum filter size, as a power of two (2^16 bits = 8 KiB). It fits in the L1 cache and lowers the false-positive rate for
 * small pattern sets.
 */
const MIN_EXPONENT = 16

/**
 * An n-gram Bloom filter with one hash: contains every run of four bytes of the patterns. False is certain; true must be
 * checked.
 */
export class NgramFilter {
  /** One bit per hash value of an n-gram. */
  readonly bits: Uint8Array
  /** Bits by which a 32-bit hash is shifted right to index `bits`. */
  readonly shift: number

  constructor(patterns: readonly Uint8Array[]) {
    const ngrams = patterns.reduce((sum, { length }) => sum + Math.max(length - NGRAM + 1, 0), 1)
    const exponent = Math.min(Math.max(Math.ceil(Math.log2(ngrams * BITS_PER_NGRAM)), MIN_EXPONENT), 31)
    this.bits = new Uint8Array(2 ** (exponent - 3))
    this.shift = 32 - exponent
    for (const pattern of patterns) {
      const view = new DataView(pattern.buffer, pattern.byteOffset, pattern.length)
      for (let at = 0; at + NGRAM <= pattern.length; at += 1) {
        const bit = this.#hash(view.getInt32(at, true))
        this.bits[bit >>> 3] = (this.bits[bit >>> 3] ?? 0) | (1 << (bit & 7))
      }
    }
  }

  /** True if a pattern may contain these four bytes, read as a little-endian number. */
  mightContain(ngram: number): boolean {
    const bit = this.#hash(ngram)
    return (((this.bits[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1
  }

  #hash(ngram: number): number {
    return Math.imul(ngram ^ (ngram >>> 15), 0x9e3779b1) >>> this.shift
  }
}
