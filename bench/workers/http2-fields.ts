import { integer, text } from '#test/fixtures/http2-frames.js'
import { pick, type Random } from './http-grammar.js'

export type Field = readonly [name: string, value: string]

/** Names of the static table with their indices (RFC 7541 appendix A). */
const STATIC: Readonly<Record<string, number>> = {
  ':authority': 1,
  ':method': 2,
  ':path': 4,
  ':scheme': 6,
  ':status': 8,
  'content-length': 28,
  cookie: 32,
  host: 38,
}

/** A block of fields in one of the many spellings that HPACK has, each perhaps with something wrong. */
export function spell(random: Random, fields: readonly Field[]): Buffer {
  const parts: Buffer[] = []
  // Size updates belong at the beginning (RFC 7541 section 4.2).
  if (random(20) === 0) parts.push(integer(pick(random, [0, 100, 4_096, 4_097, 2 ** 31]), 5, 0x20))
  for (const [name, value] of fields) {
    const [prefix, first] = pick(random, [
      [4, 0x00],
      [4, 0x10],
      [6, 0x40],
    ] as const)
    const index = random(2) === 0 ? STATIC[name] : undefined
    parts.push(integer(index ?? 0, prefix, first), ...(index === undefined ? [text(name)] : []), text(value))
    if (random(60) === 0) parts.push(noise(random))
  }
  return Buffer.concat(parts)
}

/** What no correct encoder writes, or not there. */
function noise(random: Random): Buffer {
  return pick(random, [
    // An index that is none, one of the static table, and one that may be in the dynamic one.
    Buffer.of(0x80),
    Buffer.of(0x82),
    Buffer.of(0xbe),
    Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0x0f),
    // A size update in the middle.
    Buffer.of(0x3f, 0xe1, 0x1f),
    // Compressed strings: of padding alone, and of a code that ends the string.
    Buffer.of(0x00, 0x81, 0xff, 0x01, 0x61),
    Buffer.of(0x00, 0x01, 0x78, 0x84, 0xff, 0xff, 0xff, 0xff),
    // A length without the string.
    Buffer.of(0x00, 0x7f, 0x80, 0x80, 0x01),
  ])
}

/** Bits of the letters of a token (RFC 7541 appendix B): those that the tokens of the fuzzers have. */
const CODES: Readonly<Record<string, string>> = {
  ...bits(5, 0b00000, '012aceiost'),
  ...bits(6, 0b010110, '-./3456789=A_bdfghlmnpru'),
  k: '1110101',
}

function bits(length: number, first: number, letters: string): Record<string, string> {
  return Object.fromEntries(
    letters.split('').map((letter, i) => [letter, (first + i).toString(2).padStart(length, '0')]),
  )
}

/** Whether a text is in a block of fields, as it is or compressed, at whatever bit it begins. */
export function holds(block: Buffer, token: string): boolean {
  if (block.includes(token)) return true
  const wanted = token
    .split('')
    .map((letter) => CODES[letter] ?? '')
    .join('')
  return [...block]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
    .includes(wanted)
}
