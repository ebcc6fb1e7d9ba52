import { CLASSES, CR, isBreak, isIndent, LF } from './characters.js'

/**
 * The escapes that are undone: percent (RFC 3986 section 2.1, and `%uXXXX`), backslash (RFC 8259 section 7, and those of
 * YAML, shells, programming languages and CSS), references of HTML and XML, and quoted-printable (RFC 2045 section 6.7).
 */

export const PERCENT = 0x25
export const AMPERSAND = 0x26
export const BACKSLASH = 0x5c
export const EQUALS = 0x3d
export const SEMICOLON = 0x3b
export const NUMBER_SIGN = 0x23

/** Bytes of the longest escape: a number with leading zeros. So many for each character is what a search reaches over. */
export const MAX_ESCAPE = 16

/** Bytes of the longest name. */
const MAX_NAME = 12

/** The last character of Unicode. */
export const MAX_CODE = 0x10ffff

/** By the byte behind a backslash: what both stand for; 0 for nothing, `WAITS` where more bytes follow. */
export const SINGLE = new Uint8Array(256)
export const WAITS = 1
for (let byte = 0x20; byte < 0x7f; byte += 1)
  if (!/[A-Za-z0-9]/.test(String.fromCharCode(byte))) SINGLE[byte] = byte
for (const [name, code] of Object.entries({ b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, e: 27 }))
  SINGLE[name.charCodeAt(0)] = code
for (const name of 'uUx01234567') SINGLE[name.charCodeAt(0)] = WAITS

/** Names of ASCII characters (https://html.spec.whatwg.org/#named-character-references); of two for one, both. */
const NAMES: ReadonlyMap<string, number> = new Map(
  Object.entries({
    amp: '&',
    AMP: '&',
    lt: '<',
    LT: '<',
    gt: '>',
    GT: '>',
    quot: '"',
    QUOT: '"',
    apos: "'",
    sol: '/',
    bsol: '\\',
    plus: '+',
    equals: '=',
    lowbar: '_',
    UnderBar: '_',
    period: '.',
    comma: ',',
    colon: ':',
    semi: ';',
    excl: '!',
    quest: '?',
    num: '#',
    dollar: '$',
    percnt: '%',
    ast: '*',
    midast: '*',
    lpar: '(',
    rpar: ')',
    lsqb: '[',
    lbrack: '[',
    rsqb: ']',
    rbrack: ']',
    lcub: '{',
    lbrace: '{',
    rcub: '}',
    rbrace: '}',
    commat: '@',
    Hat: '^',
    grave: '`',
    verbar: '|',
    vert: '|',
    VerticalLine: '|',
    Tab: '\t',
    NewLine: '\n',
  }).map(([name, character]) => [name, character.charCodeAt(0)]),
)

/** Those that are read without their semicolon, too. */
const BARE = new Set(['amp', 'AMP', 'lt', 'LT', 'gt', 'GT', 'quot', 'QUOT'])

export function isNameByte(byte: number): boolean {
  const lower = byte | 0x20
  return (lower >= 0x61 && lower <= 0x7a) || (byte >= 0x30 && byte <= 0x39)
}

/** The character that a name stands for; 0 for none. */
export function codeOfName(bytes: Uint8Array, from: number, to: number, closed: boolean): number {
  if (to - from > MAX_NAME) return 0
  let name = ''
  for (let at = from; at < to; at += 1) name += String.fromCharCode(bytes[at] ?? 0)
  return closed || BARE.has(name) ? (NAMES.get(name) ?? 0) : 0
}

/** The value of a hexadecimal digit; -1 for another byte. */
export function digitOf(byte: number): number {
  return DIGITS[byte] ?? -1
}

const DIGITS = Int8Array.from({ length: 256 }, (_, byte) =>
  '0123456789abcdef'.indexOf(String.fromCharCode(byte | (byte > 0x40 ? 0x20 : 0))),
)

/** The number that these digits are. */
export function numberOf(bytes: Uint8Array, from: number, to: number, base = 16): number {
  let code = 0
  for (let at = from; at < to; at += 1) code = code * base + digitOf(bytes[at] ?? 0)
  return code
}

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const LOWER_U = 0x75
const LOWER_X = 0x78

/** Whether the byte opens the braces of `\u{41}`, as in JavaScript and Rust, or of `\x{41}`. */
export function isOpenBrace(byte: number, kind: number): boolean {
  return byte === OPEN_BRACE && (kind === LOWER_U || kind === LOWER_X)
}

export function isCloseBrace(byte: number): boolean {
  return byte === CLOSE_BRACE
}

/** Whether a backslash and these two digits are a character of CSS, unless another digit follows. */
export function isCss(first: number, second: number): boolean {
  return first >= 0x32 && first <= 0x37 && digitOf(second) >= 0
}

/**
 * Where an escape begins that ends here with a byte that separates words elsewhere: `\u{41}`, its beginning `\u{`, and the space
 * of `\41 ` in CSS; -1 for none.
 */
export function startOfEscape(bytes: Uint8Array, end: number): number {
  const last = bytes[end - 1] ?? 0
  if (last === OPEN_BRACE)
    return isEscape(bytes, end - 3) && isOpenBrace(last, bytes[end - 2] ?? 0) ? end - 3 : -1
  if (isIndent(last))
    return isEscape(bytes, end - 4) && isCss(bytes[end - 3] ?? 0, bytes[end - 2] ?? 0) ? end - 4 : -1
  if (last !== CLOSE_BRACE) return -1
  let at = end - 1
  while (at > end - MAX_ESCAPE && digitOf(bytes[at - 1] ?? 0) >= 0) at -= 1
  return at < end - 1 ? startOfOpenBrace(bytes, at) : -1
}

function startOfOpenBrace(bytes: Uint8Array, end: number): number {
  return bytes[end - 1] === OPEN_BRACE ? startOfEscape(bytes, end) : -1
}

const isEscape = (bytes: Uint8Array, at: number) => at >= 0 && bytes[at] === BACKSLASH

/** The UTF-8 of a code point; of half a pair of surrogates, three bytes of the same form. */
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

/** The bytes that begin an escape, and line breaks: all others mean themselves in every reading. */
export const SPECIALS: readonly number[] = [LF, CR, ...Buffer.from('%&\\=')]

/** The row of a special byte in tables: all have different ones. */
export const rowOf = (special: number) => (special ^ (special >> 4)) & 15

// What the bytes around a special byte leave possible.
const ESCAPE = 1
const FOLD = 2

/**
 * Whether a special byte may matter, by the byte behind it, the one behind that, and the one before: three tables for each
 * class, of which the bits that all three leave are the answer. A fold matters between characters of a secret, an escape where
 * it stands for one, or for a part of another escape. Wrong only in that something matters which does not.
 */
export function verdictsOf(level: number): Uint8Array {
  const members = CLASSES[level] ?? new Uint8Array(256)
  const tables = new Uint8Array(2 * 16 * 256 + 256)
  for (const special of SPECIALS)
    for (let byte = 0; byte < 256; byte += 1) {
      tables[rowOf(special) * 256 + byte] = bySecond(members, special, byte)
      tables[(16 + rowOf(special)) * 256 + byte] = byThird(special, byte)
    }
  for (let byte = 0; byte < 256; byte += 1)
    tables[32 * 256 + byte] = members[byte] === 1 ? ESCAPE | FOLD : ESCAPE
  return tables
}

function bySecond(members: Uint8Array, special: number, second: number): number {
  const isMember = (byte: number) => members[byte] === 1 || SPECIALS.includes(byte)
  if (isBreak(special)) return isMember(second) || isIndent(second) ? FOLD : 0
  const character = String.fromCharCode(special)
  if (character === '\\') {
    if (isBreak(second)) return ESCAPE
    const code = SINGLE[second] ?? 0
    if (isBreak(code)) return FOLD
    return code === WAITS || (code !== 0 && isMember(code)) ? ESCAPE : 0
  }
  if (isInner(special, second)) return ESCAPE
  if (character === '&') return second === 0x23 || FIRSTS.has(second) ? ESCAPE : 0
  if (character === '=' && isBreak(second)) return ESCAPE
  if (character === '%' && second === 0x75) return ESCAPE
  const high = digitOf(second)
  if (high < 0) return 0
  return Array.from({ length: 16 }, (_, low) => high * 16 + low).some(isMember) ? ESCAPE : 0
}

/** Whether a byte may begin an escape for a part of the one that the special byte begins, which its encoder left as it was. */
function isInner(special: number, byte: number): boolean {
  return byte === 0x5c || (byte === 0x26 && special !== 0x26)
}

const FIRSTS = new Set([...NAMES.keys()].map((name) => name.charCodeAt(0)))
const SECONDS = new Set([...NAMES.keys()].map((name) => name.charCodeAt(1)))

/** What is behind the first byte of an escape that may stand for a digit, besides digits: `%&#x34;1`, `%\\u00341`. */
const INNER_SECONDS = '#ux'

function byThird(special: number, third: number): number {
  if (isBreak(special)) return FOLD
  const character = String.fromCharCode(special)
  // Behind an escape of two bytes, or a soft line break, may stand anything.
  if (character === '\\') return ESCAPE | FOLD
  if (character === '=' || isInner(special, third)) return ESCAPE
  const isThird =
    digitOf(third) >= 0 ||
    (character === '%' && INNER_SECONDS.includes(String.fromCharCode(third))) ||
    (character === '&' && ((third | 0x20) === 0x78 || SECONDS.has(third)))
  return isThird ? ESCAPE : 0
}

/**
 * What `decode` in prefilter.wat knows of escapes, each by byte: the digit that it is; the byte itself, where an escape may
 * stand for it that is part of no other; the same for what a backslash and the byte stand for; 1 for line breaks and indents, and 2
 * for what begins an escape.
 */
export function usualEscapes(): Uint8Array {
  const plain = (code: number) => (code > 0x20 && code < 0x7f && !isFirst(code) ? code : 0)
  const single = (code: number) => (code === WAITS || isBreak(code) || isFirst(code) ? 0 : code)
  const kind = (byte: number) => (isBreak(byte) || isIndent(byte) ? 1 : isFirst(byte) ? 2 : 0)
  const bytes = Array.from({ length: 256 }, (_, byte) => byte)
  return Uint8Array.from([
    ...bytes.map(digitOf),
    ...bytes.map(plain),
    ...bytes.map((byte) => single(SINGLE[byte] ?? 0)),
    ...bytes.map(kind),
  ])
}

/** Whether this byte begins escapes. */
export function isFirst(byte: number): boolean {
  return byte === PERCENT || byte === AMPERSAND || byte === BACKSLASH || byte === EQUALS
}

/** Whether any of these bytes may begin an escape or a fold. */
export function hasSpecial(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0
    if (isBreak(byte) || isFirst(byte)) return true
  }
  return false
}
