/** What `read` says of bytes that end too early to tell. */
export const INCOMPLETE = -1
/** And of bytes that are no escape. */
export const NO_ESCAPE = 0

/** Bytes of the longest escape: a surrogate pair, or the longest character reference that is read. */
export const MAX_ESCAPE = 12

/** One way of writing a character by others. */
export interface EscapeSyntax {
  readonly name: string
  /** The byte that every escape begins with. */
  readonly first: number
  /** True when an escape stands for a byte, false when it stands for a code point, which UTF-8 writes in one to four. */
  readonly ofBytes: boolean
  /**
   * Reads the escape that begins at `at`. Returns `INCOMPLETE`, `NO_ESCAPE`, or its length in the bits from 21 up and
   * what it stands for below them.
   */
  read(source: ArrayLike<number>, at: number, end: number): number
}

const CODE_BITS = 21

export const lengthOf = (escape: number) => escape >>> CODE_BITS
export const codeOf = (escape: number) => escape & (2 ** CODE_BITS - 1)
const escape = (length: number, code: number) => (length << CODE_BITS) | code

/** RFC 3986 section 2.1, and what HTML forms make of it. */
const percent: EscapeSyntax = {
  name: 'percent',
  first: 0x25,
  ofBytes: true,
  read(source, at, end) {
    const code = readHex(source, at + 1, 2, end)
    return code < 0 ? code + 1 : escape(3, code)
  },
}

/** RFC 8259 section 7, and the `\'` of programming languages. */
const backslash: EscapeSyntax = {
  name: 'backslash',
  first: 0x5c,
  ofBytes: false,
  read(source, at, end) {
    if (at + 1 >= end) return INCOMPLETE
    const kind = source[at + 1] ?? 0
    if (kind === 0x75) return readUnicode(source, at, end)
    const code = SINGLE[kind] ?? 0
    return code === 0 ? NO_ESCAPE : escape(2, code)
  },
}

const SINGLE = new Uint8Array(256)
for (const character of '"\'\\/') SINGLE[character.charCodeAt(0)] = character.charCodeAt(0)
for (const [name, code] of Object.entries({ b: 8, t: 9, n: 10, f: 12, r: 13 }))
  SINGLE[name.charCodeAt(0)] = code

/** `\uHHHH`, or two of them for a code point above U+FFFF. */
function readUnicode(source: ArrayLike<number>, at: number, end: number): number {
  const unit = readHex(source, at + 2, 4, end)
  if (unit < 0) return unit + 1
  if (unit < 0xd800 || unit > 0xdfff) return escape(6, unit)
  if (unit > 0xdbff) return NO_ESCAPE
  if ((at + 6 < end && source[at + 6] !== 0x5c) || (at + 7 < end && source[at + 7] !== 0x75)) return NO_ESCAPE
  const low = readHex(source, at + 8, 4, end)
  if (low < 0) return low + 1
  return low < 0xdc00 || low > 0xdfff
    ? NO_ESCAPE
    : escape(12, ((unit - 0xd800) << 10) + low - 0xdc00 + 0x10000)
}

/** HTML character references with their semicolon: numbers, and the names that escaping functions write. */
const ampersand: EscapeSyntax = {
  name: 'ampersand',
  first: 0x26,
  ofBytes: false,
  read(source, at, end) {
    if (at + 1 >= end) return INCOMPLETE
    return source[at + 1] === 0x23 ? readNumber(source, at, end) : readName(source, at, end)
  },
}

function readNumber(source: ArrayLike<number>, at: number, end: number): number {
  if (at + 2 >= end) return INCOMPLETE
  const isHex = ((source[at + 2] ?? 0) | 0x20) === 0x78
  let code = 0
  for (let to = at + (isHex ? 3 : 2); to < at + MAX_ESCAPE; to += 1) {
    if (to >= end) return INCOMPLETE
    const byte = source[to] ?? 0
    if (byte === 0x3b) {
      const exists = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
      return exists ? escape(to - at + 1, code) : NO_ESCAPE
    }
    const digit = digitOf(byte)
    if (digit < 0 || (digit > 9 && !isHex)) return NO_ESCAPE
    code = code * (isHex ? 16 : 10) + digit
  }
  return NO_ESCAPE
}

const NAMES = Object.entries({
  amp: 0x26,
  lt: 0x3c,
  gt: 0x3e,
  quot: 0x22,
  apos: 0x27,
  sol: 0x2f,
  plus: 0x2b,
  equals: 0x3d,
})

function readName(source: ArrayLike<number>, at: number, end: number): number {
  for (const [name, code] of NAMES) {
    let length = 0
    while (length < name.length && source[at + 1 + length] === name.charCodeAt(length)) length += 1
    if (at + 1 + length >= end) return INCOMPLETE
    if (length === name.length && source[at + 1 + length] === 0x3b) return escape(length + 2, code)
  }
  return NO_ESCAPE
}

/**
 * Parses `digits` hexadecimal digits. Returns -1 (`NO_ESCAPE - 1`) if a character is not a hex digit, -2 (`INCOMPLETE - 1`)
 * if the input ends too early.
 */
function readHex(source: ArrayLike<number>, at: number, digits: number, end: number): number {
  let value = 0
  for (let i = at; i < at + digits; i += 1) {
    if (i >= end) return -2
    const digit = digitOf(source[i] ?? 0)
    if (digit < 0) return -1
    value = value * 16 + digit
  }
  return value
}

/** The value of a hexadecimal digit; -1 for another byte. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** The escapes under which redaction looks; whatever mixture of escaped and plain characters an encoder writes. */
export const ESCAPES: readonly EscapeSyntax[] = [percent, backslash, ampersand]

const LF = 0x0a
const CR = 0x0d
export const isBreak = (code: number) => code === LF || code === CR

/** The bytes that begin an escape, and line breaks: all others mean themselves in every reading. */
export const SPECIALS: readonly number[] = [LF, CR, ...ESCAPES.map(({ first }) => first)]

/** What two bytes say of the escape that they may begin, beside the codes of the escapes that they are. */
export const NOTHING = 0
export const BEGINNING = 1

const PAIRS = new Uint8Array(2 ** 16)
for (const syntax of ESCAPES)
  for (let second = 0; second < 256; second += 1) {
    const escape = syntax.read([syntax.first, second], 0, 2)
    if (escape !== NO_ESCAPE)
      PAIRS[(syntax.first << 8) | second] = escape === INCOMPLETE ? BEGINNING : codeOf(escape)
  }

/** A quick look at two bytes: `NOTHING` where they begin no escape, `BEGINNING` of a longer one, or what they stand for. */
export function glance(first: number, second: number | undefined): number {
  return second === undefined ? BEGINNING : (PAIRS[(first << 8) | second] ?? 0)
}

/** The UTF-8 of a code point. Surrogates do not come here. */
export function utf8Of(code: number): readonly number[] {
  if (code < 0x80) return [code]
  if (code < 0x800) return [0xc0 | (code >> 6), 0x80 | (code & 0x3f)]
  if (code < 0x10000) return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]
  return [
    0xf0 | (code >> 18),
    0x80 | ((code >> 12) & 0x3f),
    0x80 | ((code >> 6) & 0x3f),
    0x80 | (code & 0x3f),
  ]
}
