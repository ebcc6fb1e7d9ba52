import { timingSafeEqual } from 'node:crypto'
import { AhoCorasick } from '#firewall/secrets/aho-corasick.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { CLASSES, levelOf } from './characters.js'
import { decoded, Decoder } from './decoder.js'
import { digitOf, EQUALS } from './escapes.js'
import type { Edges, Form } from './encoded-forms.js'
import { layersOf, type Layer } from './layers.js'
import { filtersOf, MEMORY, MIN_PATTERN, TAKEN, type WindowFilter } from './prefilter.js'

/** Where in a text a secret stands, and the credential that it belongs to. */
export interface Match {
  readonly start: number
  readonly end: number
  readonly owner: string | null
}

/** An escape writes a character by so many others, where all of a secret is escaped: `\u0041`, `%5Cu0041`. */
const EXPANSION = 8

const MIN_REACH = 64
const MAX_REACH = 2 ** 16

/** What is looked for. */
interface Pattern {
  readonly bytes: Uint8Array
  readonly owner: string | null
  readonly level: number
  /** What it is the beginning of, where the rest may be taken for the beginning of an escape; null where it is all. */
  readonly whole: Uint8Array | null
  readonly edges: Edges
}

const NO_EDGES: Edges = Object.freeze({ before: 0, behind: 0 })

/** Text of which escapes were undone: where each byte of it was in the text that is searched. */
type Reading = Pick<Decoder, 'length' | 'startOf' | 'endOf' | 'escapeBefore'>

type Found = (start: number, end: number, pattern: number) => void

/**
 * Finds secret patterns in a text that is there as a whole: as they are, and in what its escapes and folds stand for; and both
 * in the text without the zeros of UTF-16 and UTF-32.
 *
 *     text ──────────────────▶ the last window of a pattern? ── seldom ──▶ all of the pattern?
 *       └─ decoded, where ───▶ the last window of a pattern? ── seldom ──▶ all of the pattern?
 *          anything may be
 *
 * Everything on the left takes time by the text alone. What is on the right is done only where the last characters of a secret
 * stand, as many as a whole window has, and takes as long however much of the rest is there.
 */
export class Search {
  /** By class of characters: bytes of a text in which the longest pattern of such characters fits, however it is escaped; 0 for none. */
  readonly reaches: readonly number[]
  readonly #patterns: readonly Pattern[]
  /** For patterns that are too short for windows, byte by byte; null where there is none, as in every checked policy. */
  readonly #automaton: AhoCorasick | null
  readonly #filters: readonly WindowFilter[]
  readonly #level: number
  /** Whether a secret reads as an escape itself: then what the decoder makes of a text is not all that a reader may make of it. */
  readonly #isLayered: boolean

  constructor({ bytes, owners }: SecretPatterns) {
    const all = bytes.flatMap((pattern, index) => readings(pattern, owners[index] ?? null))
    const searched = all.map((pattern) => pattern.bytes)
    this.#patterns = all
    const isShort = searched.some(({ length }) => length < MIN_PATTERN)
    this.#automaton = isShort ? new AhoCorasick(searched) : null
    this.#filters = filtersOf(searched)
    this.#level = all.reduce((most, { level }) => Math.max(most, level), 0)
    this.#isLayered = bytes.some((pattern) => readsOtherwise(pattern, bytes))
    // What waits is decided by secrets as they are: only then do two of the same characters make no difference.
    this.reaches = CLASSES.map((_, level) => reachOfAll(bytes.filter((pattern) => levelOf(pattern) >= level)))
  }

  /** @param text no longer than `CAPACITY` */
  find(text: Uint8Array): readonly Match[] {
    const matches: Match[] = []
    MEMORY.prepare(this.#filters)
    MEMORY.take(text)
    this.#findAll(text, matches)
    if (MEMORY.isWide) this.#findNarrowed(text, matches)
    return matches
  }

  /** Finds what is in the text as it is, and as it is once escapes are undone. */
  #findAll(text: Uint8Array, matches: Match[]): void {
    this.#findIn(MEMORY.text, text.length, null, (start, end, index) => {
      const { owner, whole } = this.#patternAt(index)
      if (whole === null) matches.push({ start, end, owner })
    })
    if (MEMORY.mark(this.#level) > 0) this.#findDecoded(text, matches)
    if (this.#isLayered) for (const layer of layersOf(text, text.length)) this.#findInLayer(layer, matches)
  }

  /** Finds what is in the text without zeros: in UTF-16 and UTF-32 all forms of a secret are as they are in UTF-8. */
  #findNarrowed(text: Uint8Array, matches: Match[]): void {
    const length = MEMORY.narrow()
    const narrowed: Match[] = []
    this.#findAll(MEMORY.text.slice(0, length), narrowed)
    if (narrowed.length === 0) return
    const places = placesOfOthers(text, 0, length)
    const isText = (start: number, end: number) => {
      for (let i = start + 1; i < end; i += 1)
        if ((places[i] ?? 0) - (places[i - 1] ?? 0) > MAX_WIDTH) return false
      return true
    }
    for (const { start, end, owner } of narrowed)
      if (isText(start, end))
        matches.push({ start: places[start] ?? 0, end: (places[end - 1] ?? 0) + 1, owner })
  }

  #findDecoded(text: Uint8Array, matches: Match[]): void {
    const decoder = (DECODER.current ??= new Decoder())
    decoder.read(MEMORY.text, MEMORY.decoded, MEMORY.notes, text.length, MEMORY.decode)
    this.#findIn(MEMORY.decoded, decoder.length, decoder, (start, end, index) => {
      const { owner, whole } = this.#patternAt(index)
      if (whole === null) matches.push({ start, end, owner })
      else {
        const last = endOfWhole(text, start, end, whole)
        if (last !== null) matches.push({ start, end: last, owner })
      }
    })
  }

  #findInLayer(layer: Layer, matches: Match[]): void {
    MEMORY.decoded.set(layer.bytes)
    this.#findIn(MEMORY.decoded, layer.length, layer, (start, end, index) => {
      const { owner, whole } = this.#patternAt(index)
      if (whole === null) matches.push({ start, end, owner })
    })
  }

  #patternAt(index: number): Pattern {
    const pattern = this.#patterns[index]
    if (pattern === undefined) throw new Error('a pattern that is not there was found')
    return pattern
  }

  /** @param reading what the bytes were decoded by; null for a text as it is */
  #findIn(bytes: Uint8Array, length: number, reading: Reading | null, found: Found): void {
    const report: Found = (from, to, pattern) => {
      const { before, behind } = this.#patternAt(pattern).edges
      const [start, end] = [Math.max(from - before, 0), Math.min(to + behind, length)]
      if (reading === null) found(start, end, pattern)
      else found(reading.startOf(start), reading.endOf(end - 1), pattern)
    }
    if (this.#automaton !== null) walk(this.#automaton, bytes, length, report)
    for (const filter of this.#filters)
      for (let sample = 0; ; sample += filter.stride) {
        sample = MEMORY.find(filter, reading !== null, sample, length)
        if (sample < 0) break
        for (const { pattern, offset } of filter.windowsAt(bytes, sample)) {
          const whole = this.#patternAt(pattern).bytes
          const start = sample - offset
          if (isAt(bytes, start, length, whole, 0)) report(start, start + whole.length, pattern)
          else if (reading !== null) this.#findFromEscape(bytes, start, pattern, reading, found)
        }
      }
  }

  /**
   * Finds a secret of which the first characters were read as the end of an escape: `%` before a secret that begins with two
   * digits. Threat: a sandbox chooses what stands before a secret.
   *
   * @param start where the pattern would begin, were all of its characters there
   */
  #findFromEscape(bytes: Uint8Array, start: number, pattern: number, reading: Reading, found: Found): void {
    const { text } = MEMORY
    const whole = this.#patternAt(pattern).bytes
    for (let taken = 1; taken <= MAX_TAKEN && taken < whole.length; taken += 1) {
      const escape = reading.escapeBefore(start + taken)
      if (escape === null || !isAt(bytes, start + taken, reading.length, whole, taken)) continue
      for (let at = escape.start + 1; at < escape.end; at += 1)
        if (standsFor(text.subarray(at, escape.end), whole.subarray(0, taken)))
          found(at, reading.endOf(start + whole.length - 1), pattern)
    }
  }
}

/** Characters of a secret that an escape before it can take. */
const MAX_TAKEN = 8

/**
 * Whether the bytes of a pattern from `from` on stand at `at`. Threat: a comparison that ends at the first difference tells, by its
 * time, how much of a guess is right.
 */
function isAt(bytes: Uint8Array, at: number, end: number, pattern: Uint8Array, from: number): boolean {
  const length = pattern.length - from
  if (at < 0 || at + length > end) return false
  return timingSafeEqual(bytes.subarray(at, at + length), from === 0 ? pattern : pattern.subarray(from))
}

function walk(automaton: AhoCorasick, bytes: Uint8Array, length: number, found: Found): void {
  let state = 0
  for (let at = 0; at < length; at += 1) {
    state = automaton.next(state, bytes[at] ?? 0)
    const pattern = automaton.output[state] ?? -1
    if (pattern >= 0) found(at + 1 - (automaton.lengths[pattern] ?? 0), at + 1, pattern)
  }
}

/** A pattern as it is, and as it is read where it is a part of what is decoded. */
function readings(pattern: Form, owner: string | null): readonly Pattern[] {
  const { all, certain } = decoded(pattern)
  const texts: { bytes: Uint8Array; whole: Uint8Array | null }[] = [{ bytes: pattern, whole: null }]
  if (!pattern.equals(all) && all.length >= MIN_PATTERN) texts.push({ bytes: all, whole: null })
  if (certain < all.length && certain >= MIN_PATTERN)
    texts.push({ bytes: all.subarray(0, certain), whole: all })
  return texts.map(({ bytes, whole }) => ({
    bytes,
    whole,
    owner,
    edges: pattern.edges ?? NO_EDGES,
    level: levelOf(whole ?? bytes),
  }))
}

/** Bytes of a character, in UTF-32. More zeros stand between other things, such as messages of gRPC. */
const MAX_WIDTH = 4

/** Where in a text the bytes are that are not this one. */
function placesOfOthers(text: Uint8Array, byte: number, count: number): Uint32Array {
  const places = new Uint32Array(count)
  for (let at = 0, found = 0; at < text.length; at += 1)
    if (text[at] !== byte) {
      places[found] = at
      found += 1
    }
  return places
}

/** Bytes of `=` at the end of base64. */
const MAX_PADDING = 2

/**
 * Whether whoever undoes the escapes of a pattern has something that is not looked for as it is, or has one that goes on in what
 * stands behind it, or that begins before it. The `=` at the end of base64 is no such beginning.
 */
function readsOtherwise(pattern: Uint8Array, patterns: readonly Uint8Array[]): boolean {
  // Too short for a window behind what an escape before it takes.
  if (pattern.length < MIN_PATTERN + TAKEN && digitOf(pattern[0] ?? 0) >= 0 && digitOf(pattern[1] ?? 0) >= 0)
    return true
  const { all, certain } = decoded(pattern)
  const rest = all.subarray(certain)
  const isPadding = rest.length <= MAX_PADDING && rest.every((byte) => byte === EQUALS)
  if (certain < all.length && !isPadding) return true
  return Buffer.compare(all, pattern) !== 0 && !patterns.some((other) => Buffer.compare(all, other) === 0)
}

/** Whether escapes are these bytes, whatever ends the last one. */
function standsFor(escapes: Uint8Array, bytes: Uint8Array): boolean {
  const { all } = decoded(Buffer.concat([escapes, BAR]))
  return Buffer.compare(all, Buffer.concat([bytes, BAR])) === 0
}

/** Part of no escape. */
const BAR = Buffer.from('|')

/** Where a secret ends whose last characters were read as the beginning of an escape; null where it is another text. */
function endOfWhole(text: Uint8Array, start: number, end: number, whole: Uint8Array): number | null {
  for (let last = end + 1; last <= Math.min(end + MAX_ENDING, text.length); last += 1)
    if (Buffer.compare(decoded(text.subarray(start, last)).all, whole) === 0) return last
  return null
}

/** Bytes of an escape that was cut off, each of them an escape itself. */
const MAX_ENDING = 72

/** A power of two, which does not tell how long a secret is. */
function reachOfAll(patterns: readonly Uint8Array[]): number {
  const longest = patterns.reduce((most, { length }) => Math.max(most, length), 0)
  if (longest === 0) return 0
  return Math.min(Math.max(2 ** Math.ceil(Math.log2(longest * EXPANSION)), MIN_REACH), MAX_REACH)
}

/** One, for it is large and every search uses it anew. */
const DECODER: { current: Decoder | null } = { current: null }

/** Bytes in which a whole secret fits, however it is escaped. */
export function reachOf(patterns: SecretPatterns): number {
  return searchOf(patterns)?.reaches[0] ?? 0
}

/** The search for these patterns, which all streams share; null where there are none. */
export function searchOf(patterns: SecretPatterns): Search | null {
  if (patterns.bytes.length === 0) return null
  return (patterns.derived.search ??= new Search(patterns)) as Search
}
