import { isBreak, isIndent, LF } from './characters.js'
import {
  AMPERSAND,
  BACKSLASH,
  codeOfName,
  digitOf,
  EQUALS,
  hasSpecial,
  isCloseBrace,
  isCss,
  isFirst,
  isNameByte,
  isOpenBrace,
  MAX_CODE,
  MAX_ESCAPE,
  numberOf,
  NUMBER_SIGN,
  PERCENT,
  SEMICOLON,
  SINGLE,
  utf8Of,
  WAITS,
} from './escapes.js'

/** Bytes of line breaks and indents in a row, plain or escaped, that a secret can span. */
const MAX_FOLD = 64

/** Escapes within escapes, as `%2541` or `\u0026#65;`. */
const MAX_NESTING = 4

const EMPTY = new Uint8Array(0)
const NO_NOTES = new Uint32Array(0)

/** Nothing may be an escape, at this place of the output. */
const NONE = -1

/**
 * A text as it is read by whoever undoes its escapes, of whatever kinds and one within another, and its folds: a line break
 * and the indent behind it (RFC 2045 section 6.8; RFC 2849; YAML). It takes one pass, and time by the length of the text alone.
 *
 * Output that may be the beginning of an escape stays as it is until the escape is whole; then it is replaced by what the
 * escape stands for, which in turn may complete another. So a mixture is read as the reader of all of it would.
 */
export class Decoder {
  /** The decoded bytes, and how many there are. */
  out: Uint8Array = EMPTY
  length = 0
  /**
   * Runs of output, in order: where they begin there, where in the text, and the end of their piece of the text; 0 for bytes
   * that stand for themselves.
   */
  notes: Uint32Array = NO_NOTES
  /** How many numbers the notes have. */
  noted = 0

  /** Where in the output an escape may have begun, and in the text; those that it may be a part of are in the stack. */
  #open = NONE
  #openStart = 0
  /** How many times over its first byte was decoded. */
  #openLevel = 0
  readonly #outer: { open: number; start: number; level: number }[] = []
  #inFold = false
  #foldStart = 0
  #foldEnd = 0

  /**
   * Reads the text anew, and forgets the one before.
   *
   * @param out for the decoded bytes
   * @param notes three numbers for each byte of the text, at most
   * @param usual continues up to the next escape that it does not undo, and returns where that is: what is here is slow
   */
  read(
    text: Uint8Array,
    out: Uint8Array,
    notes: Uint32Array,
    end: number,
    usual: (decoder: Decoder, at: number) => number,
  ): void {
    this.out = out
    this.notes = notes
    this.length = 0
    this.noted = 0
    this.#forgetEscapes()
    this.#inFold = false
    for (let at = usual(this, 0); at < end; at = usual(this, at))
      do {
        this.#push(text[at] ?? 0, at, at + 1, 0)
        at += 1
      } while (at < end && !this.#isSettled())
  }

  /** Whether nothing that came depends on what follows. */
  #isSettled(): boolean {
    return this.#open === NONE && !this.#inFold
  }

  /** Where in the output the first escape begins that the end of the text has cut off; its length for none. */
  get cutOff(): number {
    if (this.#open === NONE) return this.length
    return this.#outer[0]?.open ?? this.#open
  }

  /** The escape in the text that became the output just before this byte, or a fold there; null for none. */
  escapeBefore(index: number): { readonly start: number; readonly end: number } | null {
    if (index < 0 || index >= this.length) return null
    const note = this.#noteOf(index)
    const end = note > 0 && this.notes[note] === index ? (this.notes[note - 1] ?? 0) : 0
    return end === 0 ? null : { start: this.notes[note - 2] ?? 0, end }
  }

  /** Where in the text this byte of the output begins. */
  startOf(index: number): number {
    const note = this.#noteOf(index)
    const start = this.notes[note + 1] ?? 0
    return this.notes[note + 2] === 0 ? start + index - (this.notes[note] ?? 0) : start
  }

  /** Where in the text it ends. */
  endOf(index: number): number {
    const end = this.notes[this.#noteOf(index) + 2] ?? 0
    return end === 0 ? this.startOf(index) + 1 : end
  }

  /** The place of the note that has this byte. */
  #noteOf(index: number): number {
    let [low, high] = [0, this.noted / 3 - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.notes[3 * middle] ?? 0) <= index) low = middle
      else high = middle - 1
    }
    return 3 * low
  }

  #note(start: number, end: number): void {
    const { notes, noted } = this
    if (noted > 0 && end === 0 && notes[noted - 1] === 0) {
      if ((notes[noted - 2] ?? 0) + this.length - (notes[noted - 3] ?? 0) === start) return
    }
    notes[noted] = this.length
    notes[noted + 1] = start
    notes[noted + 2] = end
    this.noted = noted + 3
  }

  /** @param level how many times over the byte was decoded from the text between `start` and `end`; 0 if it is itself there */
  #push(byte: number, start: number, end: number, level: number): void {
    if (isBreak(byte)) {
      this.#fold(start, end)
      return
    }
    if (this.#inFold) {
      if (isIndent(byte)) {
        this.#foldEnd = end
        return
      }
      this.#inFold = false
      if (this.#foldEnd - this.#foldStart > MAX_FOLD) this.#put(LF, this.#foldStart, this.#foldEnd)
      else this.#note(this.#foldStart, this.#foldEnd)
    }
    const begins = isFirst(byte)
    // What begins an escape for a reader of the text does so before it can be a part of one that this reader finds; and few
    // escape the beginnings of other kinds with a backslash.
    const isInner =
      begins && (level < this.#openLevel || (byte !== BACKSLASH && this.out[this.#open] === BACKSLASH))
    if (this.#open !== NONE && !isInner && this.#continueEscape(byte, start, end, level)) return
    this.#put(byte, start, level > 0 ? end : 0)
    if (!begins) return
    if (this.#open !== NONE) {
      if (this.#outer.length === MAX_NESTING) this.#outer.shift()
      this.#outer.push({ open: this.#open, start: this.#openStart, level: this.#openLevel })
    }
    this.#open = this.length - 1
    this.#openStart = start
    this.#openLevel = level
  }

  #put(byte: number, start: number, end: number): void {
    this.#note(start, end)
    this.out[this.length] = byte
    this.length += 1
  }

  /** A line break: it is left out, and `=` or `\` before it, which say that the line goes on. */
  #fold(start: number, end: number): void {
    if (!this.#inFold) {
      this.#foldStart = start
      // An escaped break behind a fold begins it anew.
      if (this.noted > 0 && this.notes[this.noted - 3] === this.length) this.noted -= 3
    }
    const first = this.out[this.#open]
    if (this.#open === this.length - 1 && this.#open !== NONE && (first === EQUALS || first === BACKSLASH)) {
      this.#foldStart = this.#openStart
      this.#dropTo(this.#open)
    }
    this.#forgetEscapes()
    this.#inFold = true
    this.#foldEnd = end
  }

  #forgetEscapes(): void {
    this.#open = NONE
    this.#openLevel = 0
    if (this.#outer.length > 0) this.#outer.length = 0
  }

  /** Takes output back, and its notes; not that of a fold before it. */
  #dropTo(length: number): void {
    this.length = length
    while (this.noted > 0 && (this.notes[this.noted - 3] ?? 0) > length) this.noted -= 3
    // A fold has no output: its note, if there is one, is before the one of the first byte.
    if (this.noted > 0 && this.notes[this.noted - 3] === length) this.noted -= 3
  }

  /** Whether the byte was the last of an escape, and with it became another one. If not, it is still to be put. */
  #continueEscape(byte: number, start: number, end: number, level: number): boolean {
    const { out } = this
    const distance = this.length - this.#open
    const first = out[this.#open]
    const second = distance === 1 ? byte : (out[this.#open + 1] ?? 0)
    if (distance > MAX_ESCAPE) this.#forgetEscapes()
    else if (first === AMPERSAND) return this.#continueReference(byte, start, end, level, distance, second)
    else if (first === BACKSLASH) return this.#continueBackslash(byte, start, end, level, distance, second)
    else if (first === PERCENT && second === 0x75)
      return distance === 1 ? false : this.#continueHex(byte, end, distance - 1, 4, 2)
    else return this.#continueHex(byte, end, distance, 2, 1)
    return false
  }

  #continueBackslash(
    byte: number,
    start: number,
    end: number,
    level: number,
    distance: number,
    second: number,
  ): boolean {
    const kind = SINGLE[second] ?? 0
    if (distance === 1) {
      if (kind === WAITS) return false
      if (kind !== 0) return this.#replace(kind, end)
      this.#forgetEscapes()
      return false
    }
    const third = distance === 2 ? byte : (this.out[this.#open + 2] ?? 0)
    if (isOpenBrace(third, second)) return this.#continueBraces(byte, end, distance)
    if (second === 0x75) return this.#continueHex(byte, end, distance - 1, 4, 2)
    if (second === 0x55) return this.#continueHex(byte, end, distance - 1, 8, 2)
    if (second === 0x78) return this.#continueHex(byte, end, distance - 1, 2, 2)
    return this.#continueDigits(byte, start, end, level, distance, second, third)
  }

  /** `\u{41}` */
  #continueBraces(byte: number, end: number, distance: number): boolean {
    if (distance === 2 || digitOf(byte) >= 0) return false
    if (!isCloseBrace(byte) || distance === 3) return this.#isContinued(byte)
    const code = numberOf(this.out, this.#open + 3, this.length)
    return code > MAX_CODE ? this.#isContinued(byte) : this.#replaceBy(code, end, false)
  }

  /** Three octal digits; or two hexadecimal ones, which in CSS a space may end. */
  #continueDigits(
    byte: number,
    start: number,
    end: number,
    level: number,
    distance: number,
    first: number,
    second: number,
  ): boolean {
    const digit = digitOf(byte)
    if (distance === 2) return digit < 0 ? this.#isContinued(byte) : false
    if (first < 0x34 && second < 0x38 && digit >= 0 && digit < 8)
      return this.#replace(((first & 3) << 6) | ((second & 7) << 3) | digit, end)
    if (digit >= 0 || !isCss(first, second)) return this.#isContinued(byte)
    const code = digitOf(first) * 16 + digitOf(second)
    return isIndent(byte) ? this.#replace(code, end) : this.#endBefore(code, byte, start, end, level)
  }

  /** @param offset of the first digit from the beginning of the escape */
  #continueHex(byte: number, end: number, digit: number, digits: number, offset: number): boolean {
    if (digitOf(byte) < 0) return this.#isContinued(byte)
    if (digit < digits) return false
    const from = this.#open + offset
    const code = numberOf(this.out, from, from + digits - 1) * 16 + digitOf(byte)
    return code > MAX_CODE ? this.#isContinued(byte) : this.#replaceBy(code, end, digits === 2)
  }

  #continueReference(
    byte: number,
    start: number,
    end: number,
    level: number,
    distance: number,
    second: number,
  ): boolean {
    if (distance === 1) {
      if (byte !== NUMBER_SIGN && !isNameByte(byte)) return this.#isContinued(byte)
      return false
    }
    // Its end may be escaped, too.
    if (byte === BACKSLASH || byte === PERCENT) return false
    if (second !== NUMBER_SIGN) {
      if (isNameByte(byte)) return false
      const code = codeOfName(this.out, this.#open + 1, this.length, byte === SEMICOLON)
      if (code === 0 || (byte !== SEMICOLON && byte === EQUALS)) return this.#isContinued(byte)
      if (byte === SEMICOLON) return this.#replaceBy(code, end, false)
      return this.#endBefore(code, byte, start, end, level)
    }
    const third = distance === 2 ? byte : (this.out[this.#open + 2] ?? 0)
    const isHex = (third | 0x20) === 0x78
    if (distance === 2 && isHex) return false
    const digit = digitOf(byte)
    if (digit >= 0 && (isHex || digit <= 9)) return false
    const code = this.#numberOf(isHex)
    if (code === 0) return this.#isContinued(byte)
    if (byte === SEMICOLON) return this.#replaceBy(code, end, false)
    // The semicolon may be missing: readers of HTML do not mind.
    return this.#endBefore(code, byte, start, end, level)
  }

  #numberOf(isHex: boolean): number {
    const from = this.#open + (isHex ? 3 : 2)
    const code = numberOf(this.out, from, this.length, isHex ? 16 : 10)
    return code <= MAX_CODE && (code < 0xd800 || code > 0xdfff) ? code : 0
  }

  /** Not an escape, unless the byte begins one that stands for what continues it. */
  #isContinued(byte: number): false {
    if (!isFirst(byte)) this.#forgetEscapes()
    return false
  }

  /** An escape that ended before this byte. */
  #endBefore(code: number, byte: number, start: number, end: number, level: number): boolean {
    this.#replaceBy(code, start, false)
    this.#push(byte, start, end, level)
    return true
  }

  #replaceBy(code: number, end: number, isByte: boolean): boolean {
    if (isByte || code < 0x80) return this.#replace(code, end)
    const { out } = this
    const open = this.#open
    const high = open >= 3 && out[open - 3] === 0xed ? (out[open - 2] ?? 0) : 0
    if (code >= 0xdc00 && code <= 0xdfff && high >= 0xa0 && high < 0xb0) {
      // The second of a pair of surrogates: both are one character.
      const first = 0xd000 | ((high & 0x3f) << 6) | ((out[open - 1] ?? 0) & 0x3f)
      const start = this.startOf(open - 3)
      return this.#replaceAll(
        open - 3,
        start,
        utf8Of(((first - 0xd800) << 10) + code - 0xdc00 + 0x10000),
        end,
      )
    }
    return this.#replaceAll(open, this.#openStart, utf8Of(code), end)
  }

  #replaceAll(to: number, start: number, bytes: readonly number[], end: number): true {
    this.#dropTo(to)
    this.#forgetEscapes()
    this.#note(start, end)
    for (const byte of bytes) this.out[this.length++] = byte
    return true
  }

  /** The escape that is open becomes this byte, which may continue what is around it. */
  #replace(byte: number, end: number): true {
    const start = this.#openStart
    const level = this.#openLevel + 1
    this.#dropTo(this.#open)
    const outer = this.#outer.pop()
    this.#open = outer?.open ?? NONE
    this.#openStart = outer?.start ?? 0
    this.#openLevel = outer?.level ?? 0
    this.#push(byte, start, end, level)
    return true
  }
}

/** The bytes as they are once all is undone, and how many of them no end of an escape could change. */
export function decoded(bytes: Uint8Array): { readonly all: Uint8Array; readonly certain: number } {
  if (!hasSpecial(bytes, 0, bytes.length)) return { all: bytes, certain: bytes.length }
  const decoder = new Decoder()
  const { length } = bytes
  decoder.read(bytes, new Uint8Array(length), new Uint32Array(3 * length), length, (_, at) => at)
  return { all: decoder.out.subarray(0, decoder.length), certain: decoder.cutOff }
}
