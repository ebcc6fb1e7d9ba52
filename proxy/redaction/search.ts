import { AhoCorasick } from '#firewall/secrets/aho-corasick.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { CLASSES, levelOf } from './characters.js'
import { decoded, Decoder, hasSpecial } from './decoder.js'
import { filtersOf, MEMORY, MIN_PATTERN, type WindowFilter } from './prefilter.js'

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
}

type Found = (start: number, end: number, pattern: number) => void

/**
 * Finds secret patterns in a text that is there as a whole: as they are, and in what its escapes and folds stand for.
 *
 *     text ──────────────────▶ windows of a pattern? ── seldom ──▶ an automaton, byte by byte
 *       └─ decoded, where ───▶ windows of a pattern? ── seldom ──▶ the same, there
 *          anything may be
 *
 * Everything on the left takes time by the text alone. What is on the right is done only where as much of a secret as a whole
 * window stands.
 */
export class Search {
  /** By class of characters: bytes of a text in which the longest pattern of such characters fits, however it is escaped; 0 for none. */
  readonly reaches: readonly number[]
  readonly #patterns: readonly Pattern[]
  readonly #automaton: AhoCorasick
  readonly #filters: readonly WindowFilter[]
  readonly #level: number
  /** A pattern is too short for windows. */
  readonly #walksAll: boolean

  constructor({ bytes, owners }: SecretPatterns) {
    const all = bytes.flatMap((pattern, index) => readings(pattern, owners[index] ?? null))
    const searched = all.map((pattern) => pattern.bytes)
    this.#patterns = all
    this.#automaton = new AhoCorasick(searched)
    this.#filters = filtersOf(searched)
    this.#level = all.reduce((most, { level }) => Math.max(most, level), 0)
    this.#walksAll = this.#automaton.shortest < MIN_PATTERN
    this.reaches = CLASSES.map((_, level) => reachOfAll(all.filter((pattern) => pattern.level >= level)))
  }

  /** @param text no longer than `CAPACITY` */
  find(text: Uint8Array): readonly Match[] {
    const matches: Match[] = []
    MEMORY.take(text)
    this.#findIn(MEMORY.text, text.length, null, (start, end, index) => {
      const { owner, whole } = this.#patternAt(index)
      if (whole === null) matches.push({ start, end, owner })
    })
    const count = MEMORY.mark(this.#level)
    if (count === 0) return matches
    const decoder = (DECODER.current ??= new Decoder())
    decoder.read(MEMORY.text, MEMORY.decoded, text.length, MEMORY.places, count)
    this.#findIn(MEMORY.decoded, decoder.length, decoder, (start, end, index) => {
      const { owner, whole } = this.#patternAt(index)
      if (whole === null) matches.push({ start, end, owner })
      else {
        const last = endOfWhole(text, start, end, whole)
        if (last !== null) matches.push({ start, end: last, owner })
      }
    })
    return matches
  }

  #patternAt(index: number): Pattern {
    const pattern = this.#patterns[index]
    if (pattern === undefined) throw new Error('a pattern that is not there was found')
    return pattern
  }

  /** @param decoder what the bytes were decoded by; null for a text as it is */
  #findIn(bytes: Uint8Array, length: number, decoder: Decoder | null, found: Found): void {
    const { longest } = this.#automaton
    const walk = (from: number, to: number, state: number) => {
      const next = this.#walk(
        bytes,
        from,
        to,
        state,
        decoder === null
          ? found
          : (start, end, index) => {
              found(decoder.startOf(start), decoder.endOf(end - 1), index)
            },
      )
      if (decoder !== null) this.#findWithinEscapes(bytes, from, to, decoder, found)
      return next
    }
    if (this.#walksAll) {
      walk(0, length, 0)
      return
    }
    for (const filter of this.#filters) {
      let [walked, state] = [0, 0]
      for (let sample = 0; ; sample += filter.stride) {
        sample = MEMORY.find(filter, decoder !== null, sample, length)
        if (sample < 0) break
        const from = Math.max(sample + filter.size - longest, 0)
        const to = Math.min(sample + longest, length)
        if (from > walked) [walked, state] = [from, 0]
        if (to > walked) state = walk(walked, to, state)
        walked = Math.max(walked, to)
      }
    }
  }

  #walk(bytes: Uint8Array, from: number, to: number, begin: number, found: Found): number {
    const automaton = this.#automaton
    let state = begin
    for (let at = from; at < to; at += 1) {
      state = automaton.next(state, bytes[at] ?? 0)
      const pattern = automaton.output[state] ?? -1
      if (pattern >= 0) found(at + 1 - (automaton.lengths[pattern] ?? 0), at + 1, pattern)
    }
    return state
  }

  /**
   * Finds secrets of which the first characters were read as the end of an escape: `%` before a secret that begins with two
   * digits. Threat: a sandbox chooses what stands before a secret.
   */
  #findWithinEscapes(bytes: Uint8Array, from: number, to: number, decoder: Decoder, found: Found): void {
    const { text } = MEMORY
    for (let run = decoder.firstRun(from); decoder.runOut(run) <= to && run < decoder.runs; run += 1) {
      const end = decoder.runEnd(run)
      if (end === 0) continue
      const next = decoder.runOut(run + 1)
      for (let at = decoder.runStart(run) + 1; at < end; at += 1) {
        const isEscaped = hasSpecial(text, at, end)
        const begin = isEscaped ? decoded(text.subarray(at, end)).all : text
        const length = isEscaped ? begin.length : end - at
        const last = this.#descend(begin, isEscaped ? 0 : at, length, bytes, next, decoder.length)
        if (last !== null) found(at, decoder.endOf(last.at), last.pattern)
      }
    }
  }

  /**
   * Reads on as long as what was read from the first byte on may be a pattern: bytes of `begin`, then those from `next` on.
   *
   * @returns the last byte of the longest pattern and its index; null where there is none
   */
  #descend(
    begin: Uint8Array,
    offset: number,
    length: number,
    bytes: Uint8Array,
    next: number,
    end: number,
  ): { at: number; pattern: number } | null {
    const automaton = this.#automaton
    let state = 0
    let last: { at: number; pattern: number } | null = null
    for (let read = 0; read < length || next + read - length < end; read += 1) {
      const at = next + read - length
      state = automaton.next(state, (read < length ? begin[offset + read] : bytes[at]) ?? 0)
      if (automaton.depth[state] !== read + 1) break
      const pattern = automaton.output[state] ?? -1
      if (pattern >= 0 && automaton.lengths[pattern] === read + 1 && read >= length) last = { at, pattern }
    }
    return last
  }
}

/** A pattern as it is, and as it is read where it is a part of what is decoded. */
function readings(pattern: Buffer, owner: string | null): readonly Pattern[] {
  const { all, certain } = decoded(pattern)
  const texts: { bytes: Uint8Array; whole: Uint8Array | null }[] = [{ bytes: pattern, whole: null }]
  if (!pattern.equals(all) && all.length >= MIN_PATTERN) texts.push({ bytes: all, whole: null })
  if (certain < all.length && certain >= MIN_PATTERN)
    texts.push({ bytes: all.subarray(0, certain), whole: all })
  return texts.map(({ bytes, whole }) => ({ bytes, whole, owner, level: levelOf(whole ?? bytes) }))
}

/** Where a secret ends whose last characters were read as the beginning of an escape; null where it is another text. */
function endOfWhole(text: Uint8Array, start: number, end: number, whole: Uint8Array): number | null {
  for (let last = end + 1; last <= Math.min(end + MAX_ENDING, text.length); last += 1)
    if (Buffer.compare(decoded(text.subarray(start, last)).all, whole) === 0) return last
  return null
}

/** Bytes of an escape that was cut off, each of them an escape itself. */
const MAX_ENDING = 72

/** A power of two, which does not tell how long a secret is. */
function reachOfAll(patterns: readonly Pattern[]): number {
  const longest = patterns.reduce((most, { bytes, whole }) => Math.max(most, (whole ?? bytes).length), 0)
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
