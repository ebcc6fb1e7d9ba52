import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { CLASSES, CR, LF } from './characters.js'
import { contextOf, heldFrom, MIN_LINE } from './hold-back.js'
import { searchOf, type Search } from './search.js'
import { Tally } from './tally.js'

const STAR = 0x2a
const EMPTY = Buffer.alloc(0)

/** Bytes of a chunk that are searched at once. */
const PIECE = 2 ** 15

/** Asked for each chunk, so that a stream that is open when a secret is renewed is searched for the new one. */
export type PatternsInForce = () => SecretPatterns

/**
 * Replaces secrets in a byte stream by stars, as many as the secret is long: Content-Length, chunk and WebSocket frame
 * lengths stay true. A secret split over chunks is found.
 *
 *     chunk ──▶ + what waits ──▶ what may pass (hold-back.ts) ──▶ searched with what waits (search.ts) ──▶ passed
 *
 * Nothing of this depends on a part of a secret: what waits is decided by classes of characters, what is replaced by whole
 * secrets. docs/decisions/no-partial-match.md has the argument.
 */
export class Redactor {
  readonly #tally: Tally
  readonly #inForce: PatternsInForce
  #patterns = SecretPatterns.NONE
  /** Null where there is nothing to search for. */
  #search: Search | null = null
  /** What waits, in the first bytes: those that were passed on already, and those yet to pass. */
  #buffer: Buffer = EMPTY
  #length = 0
  #sent = 0
  /** Bytes yet to pass that belong to a secret whose beginning has passed as stars. */
  #starred = 0
  readonly #runs = new Uint32Array(CLASSES.length)

  constructor(patterns: SecretPatterns | PatternsInForce, tally: Tally) {
    this.#inForce = patterns instanceof SecretPatterns ? () => patterns : patterns
    this.#tally = tally
  }

  /** Takes the next bytes; returns those that may go on, which may be none. The chunk is not changed. */
  push(chunk: Buffer): Buffer {
    const search = this.#refresh()
    if (search === null || chunk.length === 0) return chunk
    if (chunk.length <= PIECE) return this.#take(search, chunk)
    const out: Buffer[] = []
    for (let at = 0; at < chunk.length; at += PIECE)
      out.push(this.#take(search, chunk.subarray(at, at + PIECE)))
    return Buffer.concat(out)
  }

  /** Whether what waits ends with a line: then `idle` may pass some of it. */
  get waitsForLine(): boolean {
    const last = this.#length > this.#sent ? this.#buffer[this.#length - 1] : undefined
    return last === LF || last === CR
  }

  /**
   * What waits only because its line may go on in the next one: for a stream of which nothing has come for a while, and could
   * have. Of a secret that goes on there after all, what is still to come is replaced.
   */
  idle(): Buffer {
    const search = this.#refresh()
    if (search === null || !this.waitsForLine) return EMPTY
    const data = this.#buffer.subarray(0, this.#length)
    const cut = heldFrom(data, 0, search.reaches, this.#runs, MIN_LINE)
    return cut <= this.#sent ? EMPTY : this.#release(search, data, cut)
  }

  /** What waits, at the end of a stream or message. What comes next has nothing to do with it. */
  flush(): Buffer {
    const search = this.#refresh()
    const data = this.#buffer.subarray(0, this.#length)
    const out =
      search === null || this.#length === this.#sent ? EMPTY : this.#pass(search, data, data.length, false)
    this.#buffer = EMPTY
    this.#length = 0
    this.#sent = 0
    this.#runs.fill(0)
    return out
  }

  #refresh(): Search | null {
    const patterns = this.#inForce()
    if (patterns === this.#patterns) return this.#search
    this.#patterns = patterns
    this.#runs.fill(0)
    // What waits is passed on by whatever is searched for next.
    this.#search = searchOf(patterns) ?? (this.#length > 0 ? this.#search : null)
    return this.#search
  }

  #take(search: Search, piece: Buffer): Buffer {
    const before = this.#length
    const data = before === 0 ? piece : this.#append(piece)
    const cut = heldFrom(data, before, search.reaches, this.#runs, 1)
    if (cut > this.#sent) return this.#release(search, data, cut)
    if (before === 0) this.#append(piece)
    return EMPTY
  }

  #release(search: Search, data: Buffer, cut: number): Buffer {
    // The shorter one is copied: what passes, or what waits.
    const stays = this.#length > 0 && 2 * cut < data.length
    const out = this.#pass(search, data, cut, stays)
    const context = contextOf(data, cut)
    if (stays) this.#buffer.copyWithin(0, cut - context, data.length)
    else this.#buffer = cut - context < data.length ? Buffer.from(data.subarray(cut - context)) : EMPTY
    this.#length = data.length - cut + context
    this.#sent = context
    for (let level = 0; level < this.#runs.length; level += 1)
      this.#runs[level] = context > 0 ? 0 : Math.min(this.#runs[level] ?? 0, this.#length)
    return out
  }

  /**
   * The bytes up to `cut` that have not passed, with secrets replaced.
   *
   * @param copy whether those of `data` are changed later
   */
  #pass(search: Search, data: Buffer, cut: number, copy: boolean): Buffer {
    const sent = this.#sent
    const matches = search.find(data).filter(({ start, end }) => start < cut && end > sent)
    if (this.#starred > 0) matches.push({ start: 0, end: sent + this.#starred, owner: BEGUN })
    const passed = data.subarray(sent, cut)
    this.#starred = 0
    if (matches.length === 0) return copy ? Buffer.from(passed) : passed
    // What waits must not change: it is searched again with what follows.
    const out = Buffer.from(passed)
    matches.sort((a, b) => a.start - b.start || b.end - a.end)
    let last = 0
    for (const { start, end, owner } of matches) {
      // One that overlaps another is not counted again.
      if (start >= last && owner !== BEGUN) this.#tally.add(owner)
      if (end > last) out.fill(STAR, Math.max(start, last, sent) - sent, Math.min(end, cut) - sent)
      last = Math.max(last, end)
    }
    this.#starred = Math.max(last - cut, 0)
    return out
  }

  #append(piece: Buffer): Buffer {
    const length = this.#length + piece.length
    if (length > this.#buffer.length) {
      // Twice what waits: where many small pieces come, each byte is copied a few times, not with each of them.
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#length))
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    }
    piece.copy(this.#buffer, this.#length)
    this.#length = length
    return this.#buffer.subarray(0, length)
  }
}

/** The owner of the rest of a secret that was counted when its beginning passed. */
const BEGUN = '\0'

/**
 * The same for one text, such as a header value. Header text is latin1 (RFC 9110 section 5.5 obs-text), a character for
 * each byte, so secret patterns are read in the same way.
 */
export function redactText(text: string, secretPatterns: SecretPatterns, tally: Tally): string {
  return redactBytes(Buffer.from(text, 'latin1'), secretPatterns, tally).toString('latin1')
}

/** The same for bytes that are all there. */
export function redactBytes(bytes: Buffer, secretPatterns: SecretPatterns, tally = new Tally()): Buffer {
  const redactor = new Redactor(secretPatterns, tally)
  return Buffer.concat([redactor.push(bytes), redactor.flush()])
}
