import type { Headers } from '#firewall/credential.js'
import type { Needles } from '#firewall/needles.js'

const STAR = 0x2a
const EMPTY = Buffer.alloc(0)

/**
 * Replaces secrets in a byte stream by stars, as many as the secret is long: Content-Length, chunk and WebSocket frame
 * lengths stay true. A secret split over chunks is found, and no more is held back than the end of a chunk that may be
 * the beginning of a secret, so an event stream flows at once.
 */
export class Redactor {
  readonly #needles: readonly Buffer[]
  /** Bytes of the longest secret, where the stream may begin and end inside one; else 0. */
  readonly #reach: number
  /** What came before it was known whether the stream begins inside a secret. */
  #opening: Buffer | null
  /** Bytes yet to pass of the secret that the stream began in. */
  #begun = 0
  /** The last bytes as they came, and the same with secrets replaced. */
  #held: Buffer = EMPTY
  #clean: Buffer = EMPTY
  /** Secrets replaced so far. */
  count = 0

  /** @param part whether the stream is a part of something longer (RFC 9110 section 15.3.7) */
  constructor(needles: readonly Buffer[], part = false) {
    this.#needles = needles
    this.#reach = part ? longest(needles) : 0
    this.#opening = this.#reach > 0 ? EMPTY : null
  }

  /** Takes the next bytes; returns those that may go on, which may be none. */
  push(chunk: Buffer): Buffer {
    if (this.#needles.length === 0) return chunk
    if (this.#opening === null) return this.#blankBegun(this.#pass(chunk))
    this.#opening = Buffer.concat([this.#opening, chunk])
    return this.#opening.length < this.#reach ? EMPTY : this.#open(this.#opening)
  }

  /** The bytes held back, at the end of the stream: they turned out not to be a secret. */
  flush(): Buffer {
    const opened = this.#opening === null ? EMPTY : this.#open(this.#opening)
    const rest = this.#blankBegun(this.#clean)
    this.#held = EMPTY
    this.#clean = EMPTY
    // What the end of a part holds back is the beginning of a secret, whose rest the next part has.
    return Buffer.concat([opened, this.#reach > 0 && rest.length >= MIN_EDGE ? this.#blankAll(rest) : rest])
  }

  /** Passes the first bytes of a part: those that end a secret which began before it are replaced. */
  #open(data: Buffer): Buffer {
    this.#opening = null
    this.#begun = this.#needles.reduce((most, needle) => Math.max(most, closedSuffix(data, needle)), 0)
    if (this.#begun > 0) this.count += 1
    return this.#blankBegun(this.#pass(data))
  }

  #blankBegun(chunk: Buffer): Buffer {
    const length = Math.min(this.#begun, chunk.length)
    if (length === 0) return chunk
    this.#begun -= length
    return Buffer.from(chunk).fill(STAR, 0, length)
  }

  #blankAll(chunk: Buffer): Buffer {
    this.count += 1
    return Buffer.alloc(chunk.length, STAR)
  }

  #pass(chunk: Buffer): Buffer {
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const clean = this.#blank(data, chunk)
    const keep = this.#needles.reduce((most, needle) => Math.max(most, openPrefix(data, needle)), 0)
    const passed = data.length - keep
    this.#held = data.subarray(passed)
    this.#clean = clean.subarray(passed)
    return clean.subarray(0, passed)
  }

  /**
   * Looks for every secret in the bytes as they came: secrets may overlap, or one be part of another, and the rest of
   * neither may pass. What lies within the held bytes was found before.
   */
  #blank(data: Buffer, chunk: Buffer): Buffer {
    const held = this.#held.length
    let result = held === 0 ? data : Buffer.concat([this.#clean, chunk])
    for (const needle of this.#needles) {
      let done = 0
      let at = data.indexOf(needle, Math.max(held - needle.length + 1, 0))
      while (at >= 0) {
        // The chunk belongs to whoever sent it: change a copy.
        if (result === data) result = Buffer.from(data)
        result.fill(STAR, Math.max(at, done), at + needle.length)
        done = at + needle.length
        this.count += 1
        at = data.indexOf(needle, at + 1)
      }
    }
    return result
  }
}

/** Bytes of a secret that a part may begin or end with: fewer stand in ordinary text. */
const MIN_EDGE = 4

function longest(needles: readonly Buffer[]): number {
  return needles.reduce((most, { length }) => Math.max(most, length), 0)
}

/** How many bytes at the beginning of the data belong to a needle that began before it. */
function closedSuffix(data: Buffer, needle: Buffer): number {
  if (data.length >= MIN_EDGE && needle.length > data.length && needle.includes(data)) return data.length
  for (let length = Math.min(needle.length - 1, data.length); length >= MIN_EDGE; length -= 1) {
    if (needle.compare(data, 0, length, needle.length - length) === 0) return length
  }
  return 0
}

/**
 * Whether what a Range header asks for is long enough to be searched: one range, no shorter than the longest secret. Threat:
 * a secret read by a byte or two at a time is in no part of it.
 */
export function isSearchableRange(
  range: string | readonly string[] | undefined,
  { bytes }: Needles,
): boolean {
  if (typeof range !== 'string') return range === undefined
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range) ?? []
  if (first === '') return last !== '' && Number(last) >= longest(bytes)
  return last === '' || Number(last) - Number(first) + 1 >= longest(bytes)
}

/** How many bytes at the end of the data are a proper prefix of the needle. */
function openPrefix(data: Buffer, needle: Buffer): number {
  const first = needle[0] ?? 0
  const from = Math.max(data.length - needle.length + 1, 0)
  for (let at = data.indexOf(first, from); at >= 0; at = data.indexOf(first, at + 1)) {
    const length = data.length - at
    if (data.compare(needle, 0, length, at) === 0) return length
  }
  return 0
}

/**
 * The same for one text, such as a header value. Header text is latin1 (RFC 9110 section 5.5 obs-text), a character for
 * each byte, so needles are read in the same way.
 */
export function redactText(text: string, needles: readonly Buffer[]): { text: string; count: number } {
  if (!needles.some((needle) => text.includes(needle.toString('latin1')))) return { text, count: 0 }
  const redactor = new Redactor(needles)
  const bytes = Buffer.concat([redactor.push(Buffer.from(text, 'latin1')), redactor.flush()])
  return { text: bytes.toString('latin1'), count: redactor.count }
}

/** Redacts every value, and drops a header whose very name holds a secret (names are case-insensitive). */
export function redactHeaders(
  headers: Headers,
  { bytes, folded }: Needles,
): { headers: Headers; count: number } {
  // Nearly always there is none: one look at all of them together.
  let all = ''
  for (const name in headers) all += `${name}\n${String(headers[name])}\n`
  all = all.toLowerCase()
  if (!folded.some((needle) => all.includes(needle))) return { headers, count: 0 }
  const clean = Object.create(null) as Headers
  let count = 0
  const redact = (value: string) => {
    const redacted = redactText(value, bytes)
    count += redacted.count
    return redacted.text
  }
  for (const [name, value] of Object.entries(headers)) {
    if (folded.some((needle) => name.toLowerCase().includes(needle))) count += 1
    else clean[name] = Array.isArray(value) ? value.map(redact) : redact(value)
  }
  return { headers: clean, count }
}
