import { base32 } from '../attacks/inside/lib/encode.mjs'

/** A text that must not appear in the searched bytes. */
export interface KnownSecret {
  /** Its name in reports, never its value. */
  readonly name: string
  readonly value: string
  /** Leading characters that every value of its kind has, such as `ghp_`: a match of only those proves nothing. */
  readonly prefix: string
}

export interface Find {
  readonly knownSecret: string
  readonly encoding: string
}

/** Number of characters that count as a leak: redaction has failed if half of a secret remains. */
const PIECE = 12

/**
 * Searches bytes for known secrets in every common encoding. Ignores case, because DNS does not preserve it; with secrets of
 * 20 or more characters, that causes no accidental matches.
 */
export function findLeaks(haystack: Buffer, knownSecrets: readonly KnownSecret[]): Find[] {
  const views = viewsOf(haystack)
  return knownSecrets.flatMap((knownSecret) => {
    const forms = Object.entries(encodingsOf(knownSecret.value))
    const found = forms.find(([, texts]) =>
      texts.some((text) => views.some((view) => view.includes(text.toLowerCase()))),
    )
    if (found !== undefined) return [{ knownSecret: knownSecret.name, encoding: found[0] }]
    const partly = piecesOf(knownSecret).some((piece) => views.some((view) => view.includes(piece)))
    return partly ? [{ knownSecret: knownSecret.name, encoding: 'in part' }] : []
  })
}

/** The text itself, the text with escapes decoded, and the text without any separators. */
function viewsOf(haystack: Buffer): string[] {
  const text = haystack.toString('latin1').toLowerCase()
  const unescaped = text.replace(/%([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  )
  return [
    text,
    unescaped.toLowerCase(),
    text.replace(/[^a-z0-9+/_-]/g, ''),
    text.replace(/[^a-z0-9+/_]/g, ''),
  ]
}

/** The encoded forms of a value; a longer text that contains the value contains one of them, at any position. */
export function encodingsOf(value: string): Record<string, string[]> {
  const bytes = Buffer.from(value)
  return {
    plain: [value, JSON.stringify(value).slice(1, -1)],
    reversed: [Array.from(value).reverse().join('')],
    hex: [bytes.toString('hex')],
    base32: [0, 1, 2, 3, 4].map((shift) => aligned(bytes, shift, base32, 5, 8)),
    base64: [0, 1, 2].map((shift) => aligned(bytes, shift, (b) => b.toString('base64'), 3, 4)),
    base64url: [0, 1, 2].map((shift) => aligned(bytes, shift, (b) => b.toString('base64url'), 3, 4)),
  }
}

/** The part of an encoded value that does not depend on the text before and after it. */
function aligned(
  bytes: Buffer,
  shift: number,
  encode: (bytes: Buffer) => string,
  group: number,
  characters: number,
): string {
  const whole = Math.floor((bytes.length - shift) / group) * group
  return encode(bytes.subarray(shift, shift + whole)).slice(0, (whole / group) * characters)
}

function piecesOf({ value, prefix }: KnownSecret): string[] {
  const random = value.slice(prefix.length).toLowerCase()
  return Array.from({ length: Math.max(random.length - PIECE + 1, 0) }, (_, start) =>
    random.slice(start, start + PIECE),
  )
}
