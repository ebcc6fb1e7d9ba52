// The little of DER (X.690) that certificates consist of.

const TAG = { boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, oid: 0x06, utf8: 0x0c }
const SEQUENCE = 0x30
const SET = 0x31
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18

/** One element: tag, length and content. */
export function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(body.length)]), body])
}

export const sequence = (...content: readonly Uint8Array[]): Buffer => element(SEQUENCE, ...content)
export const set = (...content: readonly Uint8Array[]): Buffer => element(SET, ...content)
export const utf8 = (text: string): Buffer => element(TAG.utf8, Buffer.from(text))
export const octetString = (content: Uint8Array): Buffer => element(TAG.octetString, content)
export const yes = element(TAG.boolean, Buffer.from([0xff]))

/** A tag of the surrounding type's own: `[number]`, of one element (constructed) or of plain bytes. */
export const tagged = (number: number, content: Uint8Array, constructed: boolean): Buffer =>
  element((constructed ? 0xa0 : 0x80) | number, content)

/** A positive integer, from its bytes. */
export function integer(bytes: Uint8Array): Buffer {
  const isNegative = ((bytes[0] ?? 0) & 0x80) !== 0
  return element(TAG.integer, ...(isNegative ? [Buffer.of(0)] : []), bytes)
}

/** @param unused number of bits at the end that do not count */
export function bitString(bytes: Uint8Array, unused = 0): Buffer {
  return element(TAG.bitString, Buffer.of(unused), bytes)
}

/** An object identifier, from its dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return element(TAG.oid, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

/** RFC 5280 section 4.1.2.5: two digits of the year before 2050, four from then on; no fractions of a second. */
export function time(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replace(/\.\d+|[-:T]/g, '')
  return digits < '2050'
    ? element(UTC_TIME, Buffer.from(digits.slice(2)))
    : element(GENERALIZED_TIME, Buffer.from(digits))
}

/** The elements inside one element, each with its tag and length. The input must be valid. */
export function childrenOf(whole: Buffer): Buffer[] {
  const children: Buffer[] = []
  for (let rest = contentOf(whole); rest.length > 0;) {
    const { start, length } = extentOf(rest)
    children.push(rest.subarray(0, start + length))
    rest = rest.subarray(start + length)
  }
  return children
}

/** The bytes behind tag and length. The input must be valid. */
export function contentOf(whole: Buffer): Buffer {
  const { start, length } = extentOf(whole)
  return whole.subarray(start, start + length)
}

function extentOf(bytes: Buffer): { start: number; length: number } {
  const first = bytes.readUInt8(1)
  if (first < 0x80) return { start: 2, length: first }
  const digits = first & 0x7f
  return { start: 2 + digits, length: bytes.readUIntBE(2, digits) }
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length]
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff)
  return [0x80 | bytes.length, ...bytes]
}

function base128(value: number): number[] {
  const bytes = [value & 0x7f]
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes.unshift(0x80 | (rest & 0x7f))
  return bytes
}
