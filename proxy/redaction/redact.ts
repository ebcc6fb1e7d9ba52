import type { Headers } from '#firewall/contracts/credential.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { newHeaders } from '../message/headers.js'
import { Scanner } from './scanner.js'
import { Tail } from './tail.js'

const STAR = 0x2a
const EMPTY = Buffer.alloc(0)

/** How many secrets were taken out, by the id of their credential; null where the secret patterns do not say. */
export class Tally {
  #byOwner: Map<string | null, number> | null = null

  get byOwner(): ReadonlyMap<string | null, number> {
    return this.#byOwner ?? NONE
  }

  get total(): number {
    return [...this.byOwner.values()].reduce((sum, count) => sum + count, 0)
  }

  add(owner: string | null): void {
    this.#byOwner ??= new Map()
    this.#byOwner.set(owner, (this.#byOwner.get(owner) ?? 0) + 1)
  }
}

const NONE: ReadonlyMap<string | null, number> = Object.freeze(new Map<string | null, number>())

/**
 * Replaces secrets in a byte stream by stars, as many as the secret is long: Content-Length, chunk and WebSocket frame
 * lengths stay true. A secret split over chunks is found, and no more is held back than the end of a chunk that may be
 * the beginning of a secret, so an event stream flows at once.
 */
export class Redactor {
  readonly #tally: Tally
  readonly #part: boolean
  #secretPatterns: SecretPatterns
  /** Null where there is nothing to search for. */
  #scanner: Scanner | null
  /** Bytes of the longest secret, where the stream may begin and end inside one; else 0. */
  #reach: number
  /** What came before it was known whether the stream begins inside a secret. */
  #opening: Buffer | null
  /** Bytes yet to pass of the secret that the stream began in. */
  #begun = 0
  /** Held back, with secrets replaced. */
  #pending: Buffer = EMPTY
  /** What the last chunk completed, by its place in the stream. */
  #found: { readonly start: number; readonly end: number }[] = []
  /** Where the last secret ended; one that overlaps it is not counted again. */
  #lastEnd = 0
  /** What came last: a secret that becomes known later may have begun in it. */
  readonly #tail = new Tail()

  /** @param part whether the stream is a part of something longer (RFC 9110 section 15.3.7) */
  constructor(secretPatterns: SecretPatterns, tally: Tally, part = false) {
    this.#tally = tally
    this.#part = part
    this.#secretPatterns = secretPatterns
    this.#reach = part ? longest(secretPatterns.bytes) : 0
    this.#opening = this.#reach > 0 ? EMPTY : null
    this.#scanner = secretPatterns.bytes.length === 0 ? null : this.#newScanner(secretPatterns, 0)
  }

  /** Takes the next bytes; returns those that may go on, which may be none. */
  push(chunk: Buffer): Buffer {
    this.#tail.add(chunk)
    return this.#scanner === null || chunk.length === 0 ? chunk : this.#search(this.#scanner, chunk)
  }

  /**
   * Searches for more from now on, also in what is held back. Of a secret that began in bytes which went on before, the rest
   * is replaced.
   */
  alsoFor(secretPatterns: SecretPatterns): void {
    const all = this.#secretPatterns.plus(secretPatterns)
    if (all === this.#secretPatterns) return
    this.#secretPatterns = all
    if (this.#part) this.#reach = longest(all.bytes)
    this.#lastEnd = 0
    // Nothing has gone on yet, and what has come is searched once there is enough of it.
    if (this.#opening !== null) {
      this.#scanner = this.#newScanner(all, 0)
      return
    }
    // As it came, not as it went on: a secret may overlap one that was replaced.
    const remembered = this.#tail.read(this.#pending.length)
    const tail = remembered.length < this.#pending.length ? this.#pending : remembered
    const from = tail.length - this.#pending.length
    const scanner = this.#newScanner(all, from)
    this.#scanner = scanner
    scanner.scan(tail)
    this.#star(this.#pending, from)
  }

  /** @param from where in what it scans those bytes begin that have not gone on yet */
  #newScanner({ matcher, owners }: SecretPatterns, from: number): Scanner {
    return new Scanner(matcher, (start, end, pattern) => {
      if (end <= from) return
      this.#found.push({ start, end })
      if (start >= this.#lastEnd) this.#tally.add(owners[pattern] ?? null)
      this.#lastEnd = Math.max(this.#lastEnd, end)
    })
  }

  #search(scanner: Scanner, chunk: Buffer): Buffer {
    if (this.#opening === null) return this.#blankBegun(this.#pass(scanner, chunk))
    this.#opening = Buffer.concat([this.#opening, chunk])
    return this.#opening.length < this.#reach ? EMPTY : this.#open(scanner, this.#opening)
  }

  #pass(scanner: Scanner, chunk: Buffer): Buffer {
    scanner.scan(chunk)
    const begin = scanner.position - chunk.length - this.#pending.length
    const passed = Math.max(scanner.pendingStart, begin) - begin
    // The chunk belongs to whoever sent it: change a copy.
    const untouched = this.#pending.length === 0 && this.#found.length === 0
    const data = untouched ? chunk : Buffer.concat([this.#pending, chunk])
    this.#star(data, begin)
    if (passed === data.length) {
      this.#pending = EMPTY
      return data
    }
    this.#pending = Buffer.from(data.subarray(passed))
    return data.subarray(0, passed)
  }

  /** @param begin the place of the data in the stream */
  #star(data: Buffer, begin: number): void {
    for (const { start, end } of this.#found) data.fill(STAR, Math.max(start - begin, 0), end - begin)
    this.#found = []
  }

  /** The bytes held back, at the end of a stream or message: they turned out not to be a secret. Then another may begin. */
  flush(): Buffer {
    const scanner = this.#scanner
    this.#tail.clear()
    if (scanner === null) return EMPTY
    const opened = this.#opening === null ? EMPTY : this.#open(scanner, this.#opening)
    scanner.end()
    this.#star(this.#pending, scanner.position - this.#pending.length)
    const rest = this.#blankBegun(this.#pending)
    this.#pending = EMPTY
    // What the end of a part holds back is the beginning of a secret, whose rest the next part has.
    return Buffer.concat([opened, this.#reach > 0 && rest.length >= MIN_EDGE ? this.#blankAll(rest) : rest])
  }

  /** Passes the first bytes of a part: those that end a secret which began before it are replaced. */
  #open(scanner: Scanner, data: Buffer): Buffer {
    this.#opening = null
    this.#begun = this.#secretPatterns.bytes.reduce(
      (most, pattern) => Math.max(most, closedSuffix(data, pattern)),
      0,
    )
    if (this.#begun > 0) this.#tally.add(null)
    return this.#blankBegun(this.#pass(scanner, data))
  }

  #blankBegun(chunk: Buffer): Buffer {
    const length = Math.min(this.#begun, chunk.length)
    if (length === 0) return chunk
    this.#begun -= length
    return Buffer.from(chunk).fill(STAR, 0, length)
  }

  #blankAll(chunk: Buffer): Buffer {
    this.#tally.add(null)
    return Buffer.alloc(chunk.length, STAR)
  }
}

/** Bytes of a secret that a part may begin or end with: fewer stand in ordinary text. */
const MIN_EDGE = 4

function longest(secretPatterns: readonly Buffer[]): number {
  return secretPatterns.reduce((most, { length }) => Math.max(most, length), 0)
}

/** How many bytes at the beginning of the data belong to a secret pattern that began before it. */
function closedSuffix(data: Buffer, pattern: Buffer): number {
  if (data.length >= MIN_EDGE && pattern.length > data.length && pattern.includes(data)) return data.length
  for (let length = Math.min(pattern.length - 1, data.length); length >= MIN_EDGE; length -= 1) {
    if (pattern.compare(data, 0, length, pattern.length - length) === 0) return length
  }
  return 0
}

/**
 * Whether what a Range header asks for is long enough to be searched: one range, no shorter than the longest secret. Threat:
 * a secret read by a byte or two at a time is in no part of it.
 */
export function isSearchableRange(
  range: string | readonly string[] | undefined,
  { bytes }: SecretPatterns,
): boolean {
  if (typeof range !== 'string') return range === undefined
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range) ?? []
  if (first === '') return last !== '' && Number(last) >= longest(bytes)
  return last === '' || Number(last) - Number(first) + 1 >= longest(bytes)
}

/**
 * The same for one text, such as a header value. Header text is latin1 (RFC 9110 section 5.5 obs-text), a character for
 * each byte, so secret patterns are read in the same way.
 */
export function redactText(text: string, secretPatterns: SecretPatterns, tally: Tally): string {
  const redactor = new Redactor(secretPatterns, tally)
  const bytes = Buffer.from(text, 'latin1')
  return redactor.push(bytes).toString('latin1') + redactor.flush().toString('latin1')
}

/** Redacts every value, and drops a header whose very name holds a secret (names are case-insensitive). */
export function redactHeaders(headers: Headers, secretPatterns: SecretPatterns, tally: Tally): Headers {
  if (
    !holdSecret(Object.keys(headers), secretPatterns.folded) &&
    !holdSecret(Object.values(headers).flat(), secretPatterns)
  )
    return headers
  const clean = newHeaders()
  for (const [name, value] of Object.entries(headers)) {
    const owners = ownersIn(name, secretPatterns.folded)
    for (const owner of owners) tally.add(owner)
    if (owners.length > 0) continue
    clean[name] = Array.isArray(value)
      ? value.map((one) => redactText(one, secretPatterns, tally))
      : redactText(value, secretPatterns, tally)
  }
  return clean
}

/** Nearly always they do not: one look at those that are long enough, and at no others. */
function holdSecret(texts: readonly string[], secretPatterns: SecretPatterns): boolean {
  const { shortest } = secretPatterns.matcher.ahoCorasick
  const long = texts.filter(({ length }) => length >= shortest)
  // A header holds no NUL (RFC 9110 section 5.5).
  return long.length > 0 && ownersIn(long.join('\0'), secretPatterns).length > 0
}

function ownersIn(text: string, secretPatterns: SecretPatterns): readonly (string | null)[] {
  const owners: (string | null)[] = []
  if (secretPatterns.bytes.length === 0) return owners
  const scanner = new Scanner(secretPatterns.matcher, (_start, _end, pattern) => {
    owners.push(secretPatterns.owners[pattern] ?? null)
  })
  scanner.scan(Buffer.from(text, 'latin1'))
  scanner.end()
  return owners
}
