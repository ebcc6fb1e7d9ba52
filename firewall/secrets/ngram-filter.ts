/** Bytes of a gram. */
export const NGRAM = 4

/** Bits for each gram that is in: one in this many other grams is taken for one that is, at most. */
const BITS_PER_NGRAM = 32

/** Of two, the bits that there are at least: the nearest cache holds them, and few patterns are told apart better yet. */
const MIN_EXPONENT = 16

/**
 * Tells quickly where none of some byte patterns can be: it knows every run of four bytes that they have. A no is
 * certain; a yes is to be looked into.
 */
export class NgramFilter {
  /** By the hash of a gram, a bit. */
  readonly bits: Uint8Array
  /** What is left of 32 bits of hash, as `mayHold` takes it. */
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

  /** Whether a pattern may hold these four bytes, read as a little-endian number. */
  mightContain(ngram: number): boolean {
    const bit = this.#hash(ngram)
    return (((this.bits[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1
  }

  #hash(ngram: number): number {
    return Math.imul(ngram ^ (ngram >>> 15), 0x9e3779b1) >>> this.shift
  }
}
