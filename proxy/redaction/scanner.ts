import { NGRAM, type NgramFilter } from '#firewall/secrets/ngram-filter.js'
import type { AhoCorasick } from '#firewall/secrets/aho-corasick.js'
import type { Matcher } from '#firewall/secrets/secret-patterns.js'
import {
  codeOf,
  ESCAPES,
  INCOMPLETE,
  isBreak,
  lengthOf,
  MAX_ESCAPE,
  NO_ESCAPE,
  SPECIALS,
  utf8Of,
  type EscapeSyntax,
} from './escapes.js'
import { AT_SAMPLE, AT_SPECIAL, Prefilter, WINDOW } from './prefilter.js'

/** 1 for the bytes that begin an escape, and for line breaks. */
const SPECIAL = Uint8Array.from({ length: 256 }, (_, byte) => Number(SPECIALS.includes(byte)))

/** By the byte that an escape begins with. */
const SYNTAX_OF = Array.from(SPECIAL, (_, byte) => ESCAPES.find(({ first }) => first === byte) ?? null)

/** Characters before a line break that are taken for the beginning of a secret pattern that goes on after it. */
const MIN_BEFORE_BREAK = 8

/**
 * Bytes of line breaks in a row, plain or escaped, that a secret pattern can span. Threat: without a bound, what may be the
 * beginning of a secret and then breaks for ever would be held back for ever, and each break would look for their end.
 */
const MAX_BREAKS = 64

/** A secret pattern was found: where in the stream it begins and ends, and its index. */
export type Found = (start: number, end: number, pattern: number) => void

/**
 * Finds secret patterns in a byte stream: as they are, under each syntax of `ESCAPES` with whatever mixture of escaped and plain
 * characters, and, since base64 comes in lines, with line breaks in them (RFC 2045 section 6.8), plain or escaped.
 *
 * A prefilter samples the input and skips regions that cannot match. At a candidate (a sample, or an escape that decodes to a
 * byte used in a pattern) the scanner steps back to the earliest possible start of a match and runs one automaton per
 * decoded view, byte by byte, until all views are in the same, nearly empty state.
 */
export class Scanner {
  readonly #ahoCorasick: AhoCorasick
  readonly #filter: NgramFilter
  readonly #alphabet: Uint8Array
  readonly #found: Found
  readonly #prefilter: Prefilter
  /** The state in the bytes as they are, and in all readings while they agree. */
  #state = 0
  #views: readonly DecodedView[] = []
  #agreed = true
  /** Where the readings last differed in the bytes that they took. */
  #special = -1
  /** Bytes of the stream before the current chunk. */
  #offset = 0
  /** Where in the window walking may end, at the earliest. */
  #walkTo = 0

  constructor(matcher: Matcher, found: Found) {
    const { ahoCorasick, filter, alphabet } = matcher
    this.#ahoCorasick = ahoCorasick
    this.#filter = filter
    this.#alphabet = alphabet
    this.#found = found
    this.#prefilter = new Prefilter(matcher)
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#offset
  }

  /** Where the earliest secret pattern begins that the bytes so far may be the beginning of; `position` where there is none. */
  get pendingStart(): number {
    const plain = this.#offset - (this.#ahoCorasick.pendingLength[this.#state] ?? 0)
    if (this.#agreed) return plain
    return this.#views.reduce((least, view) => Math.min(least, view.open(this.#offset)), plain)
  }

  scan(chunk: Buffer): void {
    if (chunk.length <= WINDOW) this.#scan(chunk)
    else for (let at = 0; at < chunk.length; at += WINDOW) this.#scan(chunk.subarray(at, at + WINDOW))
  }

  #scan(window: Buffer): void {
    if (this.#prefilter.stride > 0) this.#prefilter.take(window)
    this.#walkTo = 0
    for (let at = 0; at < window.length;) {
      at = this.#walk(window, at)
      if (at < window.length) at = this.#skip(window, at)
    }
    this.#offset += window.length
  }

  /** Nothing follows: what might have been the beginning of an escape is none. What comes next has nothing to do with it. */
  end(): void {
    if (!this.#agreed) for (const view of this.#views) view.end()
    this.#state = 0
    this.#agreed = true
  }

  /** Takes byte by byte; returns where skipping can begin, or the chunk's length. */
  #walk(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length;) {
      const byte = chunk[at] ?? 0
      if (!this.#agreed || SPECIAL[byte] === 1) this.#read(byte, this.#offset + at)
      else this.#state = this.#take(this.#state, byte, this.#offset + at)
      at += 1
      if (this.#prefilter.stride === 0 || !this.#agreed || at < this.#walkTo) continue
      // A partial match shorter than one n-gram lies entirely in this chunk, so skipping can resume at its start.
      const depth = this.#depth(this.#state)
      if (depth >= NGRAM || depth > at) continue
      this.#state = 0
      return at - depth
    }
    return chunk.length
  }

  #take(state: number, byte: number, at: number): number {
    const next = this.#ahoCorasick.next(state, byte)
    const pattern = this.#ahoCorasick.output[next] ?? -1
    if (pattern >= 0) this.#found(at + 1 - (this.#ahoCorasick.lengths[pattern] ?? 0), at + 1, pattern)
    return next
  }

  #depth(state: number): number {
    return this.#ahoCorasick.depth[state] ?? 0
  }

  /** One byte where the readings differ, or begin to. */
  #read(byte: number, at: number): void {
    if (this.#views.length === 0)
      this.#views = ESCAPES.map((syntax) => new DecodedView(syntax, this.#ahoCorasick, this.#found))
    if (this.#agreed) {
      for (const view of this.#views) view.begin(this.#state, at)
      this.#agreed = false
    }
    this.#state = this.#take(this.#state, byte, at)
    let special = SPECIAL[byte] === 1
    let agreed = true
    for (const view of this.#views) {
      special ||= view.waiting
      view.take(byte, at)
      agreed &&= !view.waiting && view.state === this.#state
    }
    if (special) this.#special = at
    // Equal states mean equal decoded text. The match also covers the same input bytes only if it started after the last
    // escape.
    this.#agreed = agreed && this.#depth(this.#state) <= at - this.#special
  }

  /** Passes over what cannot be a part of a secret pattern; returns where walking must begin, or the window's length. */
  #skip(window: Buffer, from: number): number {
    let sample = from
    for (let at = from; ;) {
      const stopped = this.#prefilter.pass(at, sample)
      const place = stopped >> 2
      const why = stopped & 3
      if (why === AT_SPECIAL) {
        at = this.#pass(window, place)
        sample = Math.max(place - NGRAM + 1, from)
        if (at >= 0) continue
        this.#walkTo = place + 1
        return this.#goBack(window, place, from)
      }
      this.#walkTo = why === AT_SAMPLE ? place + NGRAM : Infinity
      return this.#goBack(window, why === AT_SAMPLE ? place + NGRAM : place, from)
    }
  }

  /** Where a secret pattern begins at the earliest that is open at `end`, and not before `low`; never within an escape. */
  #goBack(chunk: Buffer, end: number, low: number): number {
    let at = Math.max(end - NGRAM + 1, low)
    while (at > low && this.#filter.mightContain(chunk.readInt32LE(at - 1))) at -= 1
    for (let i = at - 1; i >= Math.max(low, at - MAX_ESCAPE); i -= 1) if (SPECIAL[chunk[i] ?? 0] === 1) at = i
    return at
  }

  /** The end of an escape or of line breaks that no secret pattern can span; -1 where one could. */
  #pass(chunk: Buffer, at: number): number {
    const byte = chunk[at] ?? 0
    let end = at
    while (isBreak(chunk[end] ?? 0)) end += 1
    const syntax = SYNTAX_OF[byte] ?? null
    for (; syntax !== null && end < chunk.length && chunk[end] === byte;) {
      if (end - at > MAX_BREAKS) return end
      const escape = syntax.read(chunk, end, chunk.length)
      if (escape === INCOMPLETE) return -1
      if (escape === NO_ESCAPE) {
        if (end === at) return at + 1
        break
      }
      const code = codeOf(escape)
      if (!isBreak(code)) {
        if (end > at) break
        return this.#isUsed(syntax, code) ? -1 : at + lengthOf(escape)
      }
      end += lengthOf(escape)
    }
    return end - at <= MAX_BREAKS && this.#mayBridge(chunk, at, end) ? -1 : end
  }

  #isUsed(syntax: EscapeSyntax, code: number): boolean {
    if (syntax.ofBytes || code < 0x80) return this.#alphabet[code] === 1
    return utf8Of(code).some((byte) => this.#alphabet[byte] === 1)
  }

  /**
   * Whether a secret pattern may stand on both sides of line breaks: it is long enough to have a gram next to them, unless more
   * breaks or escapes follow at once.
   */
  #mayBridge(window: Buffer, at: number, end: number): boolean {
    if (at < NGRAM || end + NGRAM > window.length) return true
    for (let i = end; i < end + NGRAM; i += 1) if (SPECIAL[window[i] ?? 0] === 1) return true
    return (
      this.#filter.mightContain(window.readInt32LE(at - NGRAM)) ||
      this.#filter.mightContain(window.readInt32LE(end))
    )
  }
}

function bytesOf(syntax: EscapeSyntax, code: number): readonly number[] {
  return syntax.ofBytes ? [code] : utf8Of(code)
}

/** The stream as somebody reads it who decodes one syntax of escapes, and skips line breaks. */
class DecodedView {
  state = 0
  readonly #syntax: EscapeSyntax
  readonly #ahoCorasick: AhoCorasick
  readonly #found: Found
  /** Where in the stream each of the last decoded bytes begins, in a ring. */
  readonly #starts: Float64Array
  #count = 0
  /** Where the last byte ended that is no line break. */
  #textEnd = 0
  /** The count when line breaks were last skipped. */
  #brokenAt = 0
  /** The beginning of what may be an escape, and where it stands. */
  #waiting: number[] = []
  #waitingFrom = 0

  constructor(syntax: EscapeSyntax, ahoCorasick: AhoCorasick, found: Found) {
    this.#syntax = syntax
    this.#ahoCorasick = ahoCorasick
    this.#found = found
    this.#starts = new Float64Array(2 ** Math.ceil(Math.log2(ahoCorasick.longest + 1)))
  }

  get waiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Goes on from where plain bytes led. */
  begin(state: number, at: number): void {
    const depth = this.#ahoCorasick.depth[state] ?? 0
    this.state = state
    this.#waiting = []
    this.#textEnd = at
    this.#brokenAt = 0
    this.#count = depth
    for (let i = 0; i < depth; i += 1) this.#starts[i] = at - depth + i
  }

  take(byte: number, at: number): void {
    if (!this.waiting) {
      if (byte !== this.#syntax.first) {
        this.#decoded(byte, at, at + 1)
        return
      }
      this.#waitingFrom = at
    }
    this.#waiting.push(byte)
    this.#settle()
  }

  open(end: number): number {
    const waiting = this.waiting ? this.#waitingFrom : end
    let depth = this.#ahoCorasick.pendingLength[this.state] ?? 0
    const behindBreak = this.#count - this.#brokenAt
    // An event stream must not wait for its next event because the last word of a line also begins a secret pattern.
    if (depth < MIN_BEFORE_BREAK && depth > behindBreak)
      depth = this.#ahoCorasick.pendingWithin(this.state, behindBreak)
    return depth === 0 ? waiting : Math.min(waiting, this.#startOf(depth))
  }

  end(): void {
    this.#settle(true)
  }

  /** Decodes what waits, as far as it can be told. */
  #settle(ended = false): void {
    while (this.#waiting.length > 0) {
      const escape =
        this.#waiting[0] === this.#syntax.first
          ? this.#syntax.read(this.#waiting, 0, this.#waiting.length)
          : NO_ESCAPE
      if (escape === INCOMPLETE && !ended) return
      const from = this.#waitingFrom
      const itself = escape === NO_ESCAPE || escape === INCOMPLETE
      const length = itself ? 1 : lengthOf(escape)
      const bytes = itself ? this.#waiting.slice(0, 1) : bytesOf(this.#syntax, codeOf(escape))
      this.#waiting = this.#waiting.slice(length)
      this.#waitingFrom += length
      for (const byte of bytes) this.#decoded(byte, from, from + length)
    }
  }

  #decoded(byte: number, start: number, end: number): void {
    if (isBreak(byte)) {
      this.#brokenAt = this.#count
      if (end - this.#textEnd > MAX_BREAKS) this.state = 0
      return
    }
    this.#textEnd = end
    this.#starts[this.#count & (this.#starts.length - 1)] = start
    this.#count += 1
    this.state = this.#ahoCorasick.next(this.state, byte)
    const pattern = this.#ahoCorasick.output[this.state] ?? -1
    if (pattern >= 0) this.#found(this.#startOf(this.#ahoCorasick.lengths[pattern] ?? 0), end, pattern)
  }

  #startOf(depth: number): number {
    return this.#starts[(this.#count - depth) & (this.#starts.length - 1)] ?? 0
  }
}
