import { readFileSync } from 'node:fs'
import { NGRAM } from '#firewall/secrets/ngram-filter.js'
import type { Matcher } from '#firewall/secrets/secret-patterns.js'
import { BEGINNING, ESCAPES, glance, isBreak, NO_ESCAPE, NOTHING, SPECIALS } from './escapes.js'

/** Bytes of a text that are searched at once, at most. */
export const WINDOW = 2 ** 14
/** Where in the memory the special bytes stand, those places of the text where one matters, and the tables of secret patterns. */
const SPECIAL_TABLE = WINDOW
const PLACES = 0x5000
const TABLES = 0xe000
/** Bytes of tables beyond which all are forgotten, to be copied again as they are asked for. */
const MAX_TABLES = 2 ** 24
const PAGE = 2 ** 16

/** Bytes between samples. */
const STRIDES = [32, 16, 8, 4] as const

/** Threat: a text of runs that are a little too short would be counted through for each sample. */
const MAX_RUN = 32

/** Special bytes are looked for in so many bytes at once, and checked by the two behind them. */
const BLOCK = 16
const BEHIND = 2

/** Why `pass` stopped. */
export const AT_END = 0
export const AT_SPECIAL = 1
export const AT_SAMPLE = 2

/**
 * Bit flags for what a special byte may start, looked up once with the second byte and once with the third; the AND of both
 * is the verdict. For a line break, the flag is four times its length in bytes.
 */
const NOTHING_THERE = 0
const ESCAPE_OF_PATTERN = 1
const LONGER_ESCAPE = 2
const BREAK = 4
const ESCAPED_BREAK = 8

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): void }
  readonly mark: (whole: number, end: number, tables: number, shift: number) => number
  readonly find: (
    sample: number,
    limit: number,
    end: number,
    stride: number,
    run: number,
    tables: number,
    shift: number,
  ) => number
}

/** TypeScript has it among the things of browsers alone. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: object }
}

function instantiate(): Exports {
  const code = readFileSync(new URL('prefilter.wasm', import.meta.url))
  const exports = new WebAssembly.Instance(new WebAssembly.Module(code)).exports as Exports
  const table = new Uint8Array(exports.memory.buffer, SPECIAL_TABLE, 16)
  // What is not at the place of its low four bits is never found.
  table[0] = 1
  for (const byte of SPECIALS) {
    if ((table[byte % 16] ?? 0) > 1) throw new Error('two special bytes have the same low four bits')
    table[byte % 16] = byte
  }
  return exports
}

/** The tables of secret patterns, and where they were last put. */
interface Tables {
  readonly bytes: Uint8Array
  /** The generation of the memory in which `at` holds. */
  generation: number
  at: number
}

/**
 * The memory that is searched. Nothing in it means anything but to the search under way: the text is taken anew each time, and
 * tables belong to their patterns and are only copied here. There is one, since V8 sets gigabytes of addresses aside for each.
 */
class SearchMemory {
  readonly #exports = instantiate()
  #text = new Uint8Array(this.#exports.memory.buffer, 0, WINDOW)
  #places = new Uint16Array(this.#exports.memory.buffer, PLACES, WINDOW)
  #top = TABLES
  #generation = 1
  readonly find = this.#exports.find
  readonly mark = this.#exports.mark

  get text(): Uint8Array {
    return this.#text
  }

  get places(): Uint16Array {
    return this.#places
  }

  /** Where the tables of these patterns are from now on. */
  addressOf(matcher: Matcher): number {
    const tables = (matcher.derived.tables ??= makeTables(matcher)) as Tables
    if (tables.generation === this.#generation) return tables.at
    const { length } = tables.bytes
    if (this.#top + length > MAX_TABLES) {
      this.#generation += 1
      this.#top = TABLES
    }
    const { memory } = this.#exports
    const missing = this.#top + length - memory.buffer.byteLength
    if (missing > 0) {
      memory.grow(Math.ceil(missing / PAGE))
      this.#text = new Uint8Array(memory.buffer, 0, WINDOW)
      this.#places = new Uint16Array(memory.buffer, PLACES, WINDOW)
    }
    new Uint8Array(memory.buffer, this.#top).set(tables.bytes)
    tables.at = this.#top
    tables.generation = this.#generation
    this.#top += length
    return tables.at
  }
}

/**
 * Looks for what may be a part of a secret pattern: a sample of the text which the gram filter does not rule out, an escape, a
 * line break.
 */
export class Prefilter {
  /** Every secret pattern has a sample in it; 0 where secret patterns are too short. */
  readonly stride: number
  readonly #matcher: Matcher
  /** Number of consecutive n-grams that every pattern contains, capped at MAX_RUN. */
  readonly #run: number
  #tables = 0
  #length = 0
  /** Up to here there are whole blocks, with what must be behind them. */
  #whole = 0
  /** How many places of the text matter for a special byte, and the first of them that has not been passed. */
  #count = 0
  #next = 0

  constructor(matcher: Matcher) {
    this.#run = Math.min(matcher.ahoCorasick.shortest - NGRAM + 1, MAX_RUN)
    this.stride = STRIDES.find((stride) => stride <= this.#run) ?? 0
    this.#matcher = matcher
  }

  /** Takes the text that is to be searched, at most `WINDOW` bytes. It stays until somebody else's is taken. */
  take(window: Uint8Array): void {
    this.#tables = MEMORY.addressOf(this.#matcher)
    this.#length = window.length
    this.#whole = Math.max(this.#length - BEHIND, 0) & -BLOCK
    MEMORY.text.set(window)
    this.#count = MEMORY.mark(this.#whole, this.#length, this.#tables, this.#matcher.filter.shift)
    this.#next = 0
  }

  /**
   * Returns four times the place where it stopped, and why: `AT_END` before the last bytes, `AT_SPECIAL` or `AT_SAMPLE`.
   * No sample from `sample` on that ends at or before that place may be a secret pattern's.
   */
  pass(at: number, sample: number): number {
    const special = this.#specialFrom(at)
    const end = special ?? Math.max(this.#whole, at)
    const { shift } = this.#matcher.filter
    const found = MEMORY.find(sample, end, this.#length, this.stride, this.#run, this.#tables, shift)
    if (found >= 0) return (found << 2) | AT_SAMPLE
    return (end << 2) | (special === null ? AT_END : AT_SPECIAL)
  }

  #specialFrom(at: number): number | null {
    const { places } = MEMORY
    while (this.#next > 0 && (places[this.#next - 1] ?? 0) >= at) this.#next -= 1
    while (this.#next < this.#count && (places[this.#next] ?? 0) < at) this.#next += 1
    return this.#next < this.#count ? (places[this.#next] ?? 0) : null
  }
}

function makeTables({ alphabet, filter }: Matcher): Tables {
  const parts = [
    verdicts((special, second) => bySecond(alphabet, special, second)),
    verdicts((special, third) => byThird(alphabet, special, third)),
    alphabet,
    filter.bits,
  ]
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return { bytes, generation: 0, at: 0 }
}

/** A table by the low four bits of a special byte, and another byte. */
function verdicts(combine: (special: number, other: number) => number): Uint8Array {
  const table = new Uint8Array(16 * 256)
  for (const special of SPECIALS)
    for (let other = 0; other < 256; other += 1) table[(special % 16) * 256 + other] = combine(special, other)
  return table
}

function bySecond(alphabet: Uint8Array, special: number, second: number): number {
  if (isBreak(special)) return goesOn(alphabet, second) ? BREAK : NOTHING_THERE
  const code = glance(special, second)
  if (code === NOTHING) return NOTHING_THERE
  if (code === BEGINNING) return LONGER_ESCAPE
  if (isBreak(code)) return ESCAPED_BREAK
  return alphabet[code] === 1 ? ESCAPE_OF_PATTERN : NOTHING_THERE
}

function byThird(alphabet: Uint8Array, special: number, third: number): number {
  if (isBreak(special)) return BREAK
  return (
    ESCAPE_OF_PATTERN |
    (THIRDS.get(special)?.has(third) === true ? LONGER_ESCAPE : 0) |
    (goesOn(alphabet, third) ? ESCAPED_BREAK : 0)
  )
}

/** Whether a secret pattern may go on with this byte behind a line break. */
function goesOn(alphabet: Uint8Array, byte: number): boolean {
  return alphabet[byte] === 1 || SPECIALS.includes(byte)
}

/** By the first byte of an escape, the third ones that those of more than two bytes have. */
const THIRDS = new Map(
  ESCAPES.map((syntax) => {
    const { first } = syntax
    const bytes = Array.from({ length: 256 }, (_, byte) => byte)
    const seconds = bytes.filter((second) => glance(first, second) === BEGINNING)
    const isThird = (third: number) =>
      seconds.some((second) => syntax.read([first, second, third], 0, 3) !== NO_ESCAPE)
    return [first, new Set(bytes.filter(isThird))]
  }),
)

const MEMORY = new SearchMemory()
