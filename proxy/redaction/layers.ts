import { isBreak, isIndent } from './characters.js'
import {
  AMPERSAND,
  BACKSLASH,
  codeOfName,
  digitOf,
  EQUALS,
  isCloseBrace,
  isCss,
  isNameByte,
  isOpenBrace,
  MAX_CODE,
  MAX_ESCAPE,
  NUMBER_SIGN,
  numberOf,
  PERCENT,
  SEMICOLON,
  SINGLE,
  utf8Of,
  WAITS,
} from './escapes.js'

/** Encoders over each other: HTML within JSON. */
const MAX_DEPTH = 2

/** A text of which escapes of one kind were undone, once. */
export interface Layer {
  readonly bytes: Uint8Array
  readonly length: number
  /** Where in the original text the byte begins, and where it ends. */
  startOf(index: number): number
  endOf(index: number): number
  /** Layers have their own characters alone: nothing is made of what stands before a secret. */
  escapeBefore(): null
}

/** What an escape stands for, and where it ends. */
interface Escape {
  readonly stands: readonly number[]
  readonly end: number
}

type Read = (bytes: Uint8Array, at: number, end: number) => Escape | null

/**
 * A text as those read it who undo what one encoder did, and no more: for secrets that read as escapes themselves. A password with
 * `%c8` in it is `%25c8` in a query; of whoever undoes both, as the decoder does, it is a byte, and of part of them something else.
 */
export function* layersOf(bytes: Uint8Array, length: number, depth = MAX_DEPTH): Generator<Layer> {
  for (const { first, read } of KINDS) {
    const layer = undoOnce(bytes, length, first, read)
    if (layer === null) continue
    yield layer
    if (depth === 1) continue
    for (const next of layersOf(layer.bytes, layer.length, depth - 1))
      yield {
        bytes: next.bytes,
        length: next.length,
        startOf: (index) => layer.startOf(next.startOf(index)),
        endOf: (index) => layer.endOf(next.endOf(index) - 1),
        escapeBefore,
      }
  }
}

/** Null where nothing is to be undone. */
function undoOnce(source: Uint8Array, length: number, first: number, read: Read): Layer | null {
  const text = Buffer.from(source.buffer, source.byteOffset, length)
  let at = text.indexOf(first)
  if (at < 0) return null
  const bytes = new Uint8Array(length)
  // Where each escape leaves the output, where it began and where it ended in the source.
  const notes: { out: number; start: number; end: number; size: number }[] = []
  let [out, copied] = [0, 0]
  const copyTo = (end: number) => {
    bytes.set(text.subarray(copied, end), out)
    out += end - copied
  }
  while (at >= 0) {
    const escape = read(text, at, length)
    if (escape !== null) {
      copyTo(at)
      bytes.set(escape.stands, out)
      notes.push({ out, start: at, end: escape.end, size: escape.stands.length })
      out += escape.stands.length
      copied = escape.end
    }
    at = text.indexOf(first, escape?.end ?? at + 1)
  }
  if (notes.length === 0) return null
  copyTo(length)
  const noteOf = (index: number) => {
    let [low, high] = [0, notes.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((notes[middle]?.out ?? 0) <= index) low = middle + 1
      else high = middle
    }
    return notes[low - 1]
  }
  const placeOf = (index: number, side: 'start' | 'end') => {
    const note = noteOf(index)
    if (note === undefined) return index + (side === 'end' ? 1 : 0)
    if (index < note.out + note.size) return note[side]
    return note.end + index - note.out - note.size + (side === 'end' ? 1 : 0)
  }
  return {
    bytes,
    length: out,
    startOf: (index) => placeOf(index, 'start'),
    endOf: (index) => placeOf(index, 'end'),
    escapeBefore,
  }
}

const escapeBefore = () => null

/** The number that so many hexadecimal digits are; -1 where other bytes stand there. */
function hexAt(bytes: Uint8Array, at: number, digits: number): number {
  let code = 0
  for (let i = at; i < at + digits; i += 1) {
    const digit = digitOf(bytes[i] ?? 0)
    if (digit < 0) return -1
    code = code * 16 + digit
  }
  return code
}

const escapeOf = (code: number, end: number, isByte = false): Escape | null =>
  code < 0 || code > MAX_CODE ? null : { stands: isByte ? [code] : utf8Of(code), end }

function readPercent(bytes: Uint8Array, at: number): Escape | null {
  if (bytes[at + 1] === 0x75) return escapeOf(hexAt(bytes, at + 2, 4), at + 6)
  return escapeOf(hexAt(bytes, at + 1, 2), at + 3, true)
}

function readBackslash(bytes: Uint8Array, at: number, end: number): Escape | null {
  const second = at + 1 < end ? (bytes[at + 1] ?? 0) : 0
  const kind = SINGLE[second] ?? 0
  if (kind === 0) return null
  if (kind !== WAITS) return escapeOf(kind, at + 2)
  if (isOpenBrace(bytes[at + 2] ?? 0, second)) return readBraces(bytes, at, end)
  if (second === 0x78) return escapeOf(hexAt(bytes, at + 2, 2), at + 4, true)
  if (second === 0x55) return escapeOf(hexAt(bytes, at + 2, 8), at + 10)
  if (second !== 0x75) return readDigits(bytes, at)
  const code = hexAt(bytes, at + 2, 4)
  const isPair = code >= 0xd800 && code < 0xdc00 && bytes[at + 6] === BACKSLASH && bytes[at + 7] === 0x75
  const low = isPair ? hexAt(bytes, at + 8, 4) : -1
  if (low >= 0xdc00 && low < 0xe000)
    return escapeOf(0x10000 + ((code - 0xd800) << 10) + low - 0xdc00, at + 12)
  return escapeOf(code, at + 6)
}

function readBraces(bytes: Uint8Array, at: number, end: number): Escape | null {
  const limit = Math.min(at + MAX_ESCAPE, end)
  let to = at + 3
  while (to < limit && digitOf(bytes[to] ?? 0) >= 0) to += 1
  if (to === at + 3 || !isCloseBrace(bytes[to] ?? 0)) return null
  return escapeOf(numberOf(bytes, at + 3, to), to + 1)
}

function readDigits(bytes: Uint8Array, at: number): Escape | null {
  const octal = [1, 2, 3].map((i) => (bytes[at + i] ?? 0) - 0x30)
  if (octal.every((digit) => digit >= 0 && digit <= 7) && (octal[0] ?? 0) < 4)
    return escapeOf(
      octal.reduce((code, digit) => code * 8 + digit),
      at + 4,
      true,
    )
  if (!isCss(bytes[at + 1] ?? 0, bytes[at + 2] ?? 0) || digitOf(bytes[at + 3] ?? 0) >= 0) return null
  return escapeOf(hexAt(bytes, at + 1, 2), isIndent(bytes[at + 3] ?? 0) ? at + 4 : at + 3)
}

function readReference(bytes: Uint8Array, at: number, end: number): Escape | null {
  const limit = Math.min(at + 1 + MAX_ESCAPE, end)
  let to = at + 1
  if (bytes[to] !== NUMBER_SIGN) {
    while (to < limit && isNameByte(bytes[to] ?? 0)) to += 1
    const isClosed = bytes[to] === SEMICOLON
    const code = codeOfName(bytes, at + 1, to, isClosed)
    return code === 0 ? null : escapeOf(code, isClosed ? to + 1 : to)
  }
  const isHex = ((bytes[at + 2] ?? 0) | 0x20) === 0x78
  const from = at + (isHex ? 3 : 2)
  let code = 0
  for (to = from; to < limit; to += 1) {
    const digit = digitOf(bytes[to] ?? 0)
    if (digit < 0 || (!isHex && digit > 9)) break
    code = code * (isHex ? 16 : 10) + digit
  }
  if (to === from) return null
  return escapeOf(code, bytes[to] === SEMICOLON ? to + 1 : to)
}

function readQuotedPrintable(bytes: Uint8Array, at: number): Escape | null {
  const second = bytes[at + 1] ?? 0
  if (isBreak(second)) return { stands: [], end: at + (second === 0x0d && bytes[at + 2] === 0x0a ? 3 : 2) }
  return escapeOf(hexAt(bytes, at + 1, 2), at + 3, true)
}

const KINDS: readonly { readonly first: number; readonly read: Read }[] = [
  { first: PERCENT, read: readPercent },
  { first: BACKSLASH, read: readBackslash },
  { first: AMPERSAND, read: readReference },
  { first: EQUALS, read: readQuotedPrintable },
]
