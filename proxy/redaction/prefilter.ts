import { readFileSync } from 'node:fs'
import { CLASSES } from './characters.js'
import type { Decoder } from './decoder.js'
import { SPECIALS, usualEscapes, verdictsOf } from './escapes.js'

/** Bytes of a text that are searched at once, at most. */
export const CAPACITY = 2 ** 18

/** Zeros around a text: blocks of sixteen are read whole, and a byte before the first. */
const MARGIN = 64

// Where everything is in the memory. The decoded text comes before the text, so that one view has both.
const SPECIAL_TABLE = 0
const STATE = 16
const DECODED = MARGIN
const TEXT = DECODED + CAPACITY + 2 * MARGIN
const PLACES = TEXT + CAPACITY + MARGIN
const VERDICTS = PLACES + 4 * (CAPACITY + MARGIN)
const VERDICT_BYTES = 33 * 256
const ESCAPES = VERDICTS + CLASSES.length * VERDICT_BYTES
const NOTES = ESCAPES + 4 * 256
const FILTERS = NOTES + 12 * CAPACITY

/** Bytes of filters beyond which all are forgotten, to be copied again as they are asked for. */
const MAX_FILTERS = 2 ** 25
const PAGE = 2 ** 16

/** Windows for each bucket of a filter, on average; one in thirty thousand other windows is taken for one of them. */
const WINDOWS_PER_BUCKET = 1.5
/** Buckets of the smallest filter, as a power of two. */
const MIN_EXPONENT = 9

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): void }
  readonly mark: (text: number, end: number, specials: number, places: number, verdicts: number) => number
  readonly decode: (
    text: number,
    end: number,
    output: number,
    list: number,
    notes: number,
    tables: number,
    state: number,
  ) => void
  readonly zeros: { readonly value: number }
  readonly wide: (text: number, end: number) => number
  readonly narrow: (text: number, end: number) => number
  readonly insert: (at: number, end: number, size: number, filter: number, shift: number) => number
  readonly find: (
    at: number,
    end: number,
    size: number,
    stride: number,
    filter: number,
    shift: number,
  ) => number
}

/** TypeScript has it among the things of browsers alone. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: object }
}

/**
 * The last windows of patterns that are about as long: as many as samples lie apart, so that a pattern in a text has one of them
 * at a sample.
 *
 * Threat: whoever measures how long a search takes learns whether a window is there. So a window is long, to be guessed at once,
 * and only those at the end of a pattern count: what is known of tokens and keys is how they begin.
 */
export class WindowFilter {
  /** Bytes of a window. */
  readonly size: number
  readonly stride: number
  shift: number
  bytes: Uint8Array
  /** Where it was last put, and the generation of the memory in which that holds. */
  at = 0
  generation = 0
  readonly #windows = new Map<string, WindowOf[]>()

  constructor({ size, stride }: Tier, patterns: readonly Uint8Array[], indexes: readonly number[]) {
    this.size = size
    this.stride = stride
    const tails = indexes.map((index) => {
      const bytes = patterns[index] ?? NO_BYTES
      return { index, bytes, first: bytes.length - size - stride + 1 }
    })
    for (const { index, bytes, first } of tails)
      for (let offset = first; offset < first + stride; offset += 1) {
        const key = this.#keyOf(bytes, offset)
        const same = this.#windows.get(key) ?? []
        same.push({ pattern: index, offset })
        this.#windows.set(key, same)
      }
    const ends = tails.map(({ bytes, first }) => bytes.subarray(first))
    let exponent = Math.max(Math.ceil(Math.log2((ends.length * stride) / WINDOWS_PER_BUCKET)), MIN_EXPONENT)
    do {
      this.shift = 64 - exponent
      this.bytes = new Uint8Array(2 ** exponent * 16)
      exponent += 1
    } while (!MEMORY.fill(this, ends))
  }

  /** The windows that stand here: none, where the filter took others for one of its own. */
  windowsAt(text: Uint8Array, at: number): readonly WindowOf[] {
    return this.#windows.get(this.#keyOf(text, at)) ?? NO_WINDOWS
  }

  #keyOf(bytes: Uint8Array, at: number): string {
    return Buffer.from(bytes.buffer, bytes.byteOffset + at, this.size).toString('latin1')
  }
}

/** A window of a pattern, by the pattern's index and the place in it. */
export interface WindowOf {
  readonly pattern: number
  readonly offset: number
}

const NO_BYTES = new Uint8Array(0)
const NO_WINDOWS: readonly WindowOf[] = Object.freeze([])

interface Tier {
  /** Bytes of the shortest pattern. */
  readonly least: number
  readonly size: number
  readonly stride: number
}

/** Bytes of a pattern that an escape before it may take, so that they are in no window: `=DB`, `\\123`, `\\u00e9`. */
export const TAKEN = 4

/** The last of them that a pattern is long enough for is its tier: but for the first, all windows are behind what may be taken. */
const TIERS: readonly Tier[] = [
  { least: 8, size: 8, stride: 1 },
  { least: 12 + 3 + TAKEN, size: 12, stride: 4 },
  { least: 16 + 7 + TAKEN, size: 16, stride: 8 },
  { least: 16 + 15 + TAKEN, size: 16, stride: 16 },
]

/** Bytes of a pattern that is long enough for a window. */
export const MIN_PATTERN = TIERS[0]?.least ?? 0

/** One filter for each tier that has patterns. */
export function filtersOf(patterns: readonly Uint8Array[]): readonly WindowFilter[] {
  return TIERS.flatMap((tier, index) => {
    const limit = TIERS[index + 1]?.least ?? Infinity
    const ours = [...patterns.keys()].filter((i) => {
      const length = patterns[i]?.length ?? 0
      return length >= tier.least && length < limit
    })
    return ours.length === 0 ? [] : [new WindowFilter(tier, patterns, ours)]
  })
}

/**
 * The memory that is searched. Nothing in it means anything but to the search under way: the text is taken anew each time, and
 * filters are only copied here. There is one, since V8 sets gigabytes of addresses aside for each.
 */
class SearchMemory {
  readonly #exports: Exports
  #generation = 1
  #top = FILTERS
  #all: Uint8Array
  #words: Uint32Array
  #length = 0
  #marked = 0

  constructor() {
    const code = readFileSync(new URL('prefilter.wasm', import.meta.url))
    this.#exports = new WebAssembly.Instance(new WebAssembly.Module(code)).exports as Exports
    this.#all = new Uint8Array(this.#exports.memory.buffer)
    this.#words = new Uint32Array(this.#exports.memory.buffer)
    // What is not at the place of its low four bits is never found; prefilter.wat finds `=` by itself.
    this.#all[SPECIAL_TABLE] = 1
    for (const byte of SPECIALS) if (byte !== 0x3d) this.#all[SPECIAL_TABLE + (byte % 16)] = byte
    CLASSES.forEach((_, level) => this.#all.set(verdictsOf(level), VERDICTS + level * VERDICT_BYTES))
    this.#all.set(usualEscapes(), ESCAPES)
  }

  /** Both texts, as views that hold until the next pattern is compiled. */
  get text(): Uint8Array {
    return this.#all.subarray(TEXT, TEXT + CAPACITY)
  }

  /** Reaches over the text, too, which can so be copied within it. */
  get decoded(): Uint8Array {
    return this.#all.subarray(DECODED)
  }

  /** What `mark` finds. */
  get places(): Uint32Array {
    return this.#words.subarray(PLACES / 4, PLACES / 4 + CAPACITY)
  }

  /** Three numbers for each byte of a text, for a decoder. */
  get notes(): Uint32Array {
    return this.#words.subarray(NOTES / 4, NOTES / 4 + 3 * CAPACITY)
  }

  /** Takes the text that is to be searched. It stays until somebody else's is taken. */
  take(text: Uint8Array): void {
    this.#all.set(text, TEXT)
    this.#all.fill(0, TEXT + text.length, TEXT + text.length + MARGIN)
    this.#length = text.length
  }

  /** How many special bytes of the text may matter. */
  mark(level: number): number {
    const verdicts = VERDICTS + level * VERDICT_BYTES
    this.#marked = this.#exports.mark(TEXT, TEXT + this.#length, SPECIAL_TABLE, PLACES, verdicts)
    this.#words[STATE / 4 + 2] = PLACES
    return this.#marked
  }

  /** Whether some of the text that was marked is in UTF-16 or UTF-32. */
  get isWide(): boolean {
    const last = (this.#length - 1) & ~15
    const from = this.#exports.zeros.value !== 0 || last < 0 ? TEXT : TEXT + last
    return this.#exports.wide(from, TEXT + this.#length) !== 0
  }

  /** Takes zeros out of the text. Returns how many bytes are left. */
  narrow(): number {
    this.#length = this.#exports.narrow(TEXT, TEXT + this.#length) - TEXT
    this.#all.fill(0, TEXT + this.#length, TEXT + this.#length + MARGIN)
    return this.#length
  }

  /** For a decoder that reads the text, into `decoded` with `notes`: from one mark to the next. */
  readonly decode = (decoder: Decoder, at: number): number => {
    const words = this.#words
    words[STATE / 4] = at
    words[STATE / 4 + 1] = decoder.length
    words[STATE / 4 + 3] = NOTES + 4 * decoder.noted
    const list = PLACES + 4 * this.#marked
    this.#exports.decode(TEXT, TEXT + this.#length, DECODED, list, NOTES, ESCAPES, STATE)
    decoder.length = words[STATE / 4 + 1] ?? 0
    decoder.noted = ((words[STATE / 4 + 3] ?? 0) - NOTES) / 4
    return words[STATE / 4] ?? 0
  }

  /** Puts filters into the memory ahead of a search: it may grow for them, and then earlier views of it are empty. */
  prepare(filters: readonly WindowFilter[]): void {
    // Twice, as one that has no room left makes all others be forgotten.
    for (let round = 0; round < 2; round += 1) for (const filter of filters) this.#addressOf(filter)
  }

  /** The next sample from `from` on that is in the filter; -1 for none. */
  find(filter: WindowFilter, inDecoded: boolean, from: number, length: number): number {
    const base = inDecoded ? DECODED : TEXT
    const found = this.#exports.find(
      base + from,
      base + length,
      filter.size,
      filter.stride,
      this.#addressOf(filter),
      filter.shift,
    )
    return found < 0 ? -1 : found - base
  }

  /** Makes a filter; false where it is too small. @param patterns their ends, which are short */
  fill(filter: WindowFilter, patterns: readonly Uint8Array[]): boolean {
    const at = this.#reserve(filter)
    this.#all.fill(0, at, at + filter.bytes.length)
    for (const pattern of patterns) {
      this.#all.set(pattern, TEXT)
      if (this.#exports.insert(TEXT, TEXT + pattern.length, filter.size, at, filter.shift) === 0) return false
    }
    filter.bytes.set(this.#all.subarray(at, at + filter.bytes.length))
    return true
  }

  #addressOf(filter: WindowFilter): number {
    if (filter.generation !== this.#generation) {
      const at = this.#reserve(filter)
      this.#all.set(filter.bytes, at)
    }
    return filter.at
  }

  #reserve(filter: WindowFilter): number {
    const { length } = filter.bytes
    if (this.#top + length > MAX_FILTERS) {
      this.#generation += 1
      this.#top = FILTERS
    }
    const { memory } = this.#exports
    const missing = this.#top + length - memory.buffer.byteLength
    if (missing > 0) {
      memory.grow(Math.ceil(missing / PAGE))
      this.#all = new Uint8Array(memory.buffer)
      this.#words = new Uint32Array(memory.buffer)
    }
    filter.at = this.#top
    filter.generation = this.#generation
    this.#top += length
    return filter.at
  }
}

export const MEMORY = new SearchMemory()
