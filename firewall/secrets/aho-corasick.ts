/**
 * Finds many byte patterns in one pass, in amortised constant time per byte for any input (Aho and Corasick, Efficient string
 * matching, 1975). A state is the longest suffix of the input that is a prefix of a pattern; 0 is the empty one.
 */
export class AhoCorasick {
  /** Length in bytes of the prefix that a state stands for. */
  readonly depth: Uint32Array
  /**
   * Length of the longest input suffix that the next byte could still extend to a match. Smaller than `depth` in states where a
   * pattern has just ended.
   */
  readonly pendingLength: Uint32Array
  /** Index of the longest pattern that ends in a state; -1 for none. */
  readonly output: Int32Array
  /** Lengths of the patterns, by index. */
  readonly lengths: readonly number[]
  readonly longest: number
  readonly shortest: number
  readonly #failure: Int32Array
  /** Edges from the root, by byte: nearly every step takes one of them. */
  readonly #first = new Int32Array(256)
  /** Edges of the trie, in a hash table with open addressing: keys are `state * 256 + byte`, values the next state; 0 is free. */
  readonly #keys: Uint32Array
  readonly #targets: Int32Array
  readonly #mask: number
  #states = 1

  constructor(patterns: readonly Uint8Array[]) {
    const most = patterns.reduce((sum, { length }) => sum + length, 1)
    this.lengths = patterns.map(({ length }) => length)
    this.longest = this.lengths.reduce((most, length) => Math.max(most, length), 0)
    this.shortest = this.lengths.reduce((least, length) => Math.min(least, length), Infinity)
    this.#mask = 2 ** Math.ceil(Math.log2(most * 2)) - 1
    this.#keys = new Uint32Array(this.#mask + 1)
    this.#targets = new Int32Array(this.#mask + 1)
    this.depth = new Uint32Array(most)
    this.pendingLength = new Uint32Array(most)
    this.output = new Int32Array(most).fill(-1)
    this.#failure = new Int32Array(most)
    const parents = new Int32Array(most)
    const bytes = new Uint8Array(most)
    patterns.forEach((pattern, index) => this.#insert(pattern, index, parents, bytes))
    this.#link(parents, bytes)
  }

  /** The state after one more byte. */
  next(state: number, byte: number): number {
    for (let from = state; from !== 0; from = this.#failure[from] ?? 0) {
      const to = this.#targets[this.#bucket(from, byte)] ?? 0
      if (to !== 0) return to
    }
    return this.#first[byte] ?? 0
  }

  /** `pendingLength` of the state, limited to suffixes of at most `most` bytes. */
  pendingWithin(state: number, most: number): number {
    let from = state
    while ((this.pendingLength[from] ?? 0) > most) from = this.#failure[from] ?? 0
    return this.pendingLength[from] ?? 0
  }

  #bucket(state: number, byte: number): number {
    const key = state * 256 + byte
    let bucket = (Math.imul(key, 0x9e3779b1) >>> 8) & this.#mask
    while (this.#targets[bucket] !== 0 && this.#keys[bucket] !== key) bucket = (bucket + 1) & this.#mask
    return bucket
  }

  #insert(pattern: Uint8Array, index: number, parents: Int32Array, bytes: Uint8Array): void {
    let state = 0
    for (const byte of pattern) {
      const bucket = this.#bucket(state, byte)
      let to = this.#targets[bucket] ?? 0
      if (to === 0) {
        to = this.#states
        this.#states += 1
        this.#keys[bucket] = state * 256 + byte
        this.#targets[bucket] = to
        this.depth[to] = (this.depth[state] ?? 0) + 1
        parents[to] = state
        this.pendingLength[state] = this.depth[state] ?? 0
        bytes[to] = byte
        if (state === 0) this.#first[byte] = to
      }
      state = to
    }
    if (state !== 0) this.output[state] = index
  }

  /** Breadth first: the failure link of a state leads to a shallower one. */
  #link(parents: Int32Array, bytes: Uint8Array): void {
    const byDepth: number[][] = Array.from({ length: this.longest + 1 }, () => [])
    for (let state = 1; state < this.#states; state += 1) byDepth[this.depth[state] ?? 0]?.push(state)
    for (const state of byDepth.flat()) {
      const parent = parents[state] ?? 0
      const to = parent === 0 ? 0 : this.next(this.#failure[parent] ?? 0, bytes[state] ?? 0)
      this.#failure[state] = to
      if (this.pendingLength[state] === 0) this.pendingLength[state] = this.pendingLength[to] ?? 0
      if (this.output[state] === -1) this.output[state] = this.output[to] ?? -1
    }
  }
}
