/** A form that ends within characters that hold bits of what stands before or behind, too: so many are a part of it there. */
export interface Form extends Buffer {
  edges?: Edges
}

export interface Edges {
  readonly before: number
  readonly behind: number
}

/**
 * The forms in which a service says a secret back: as it is, in other letter case, in hexadecimal, in UTF-16, in base64 and base32
 * wherever it begins in the encoded text (RFC 4648), so that base64 of `user:secret` is found by the secret alone, and in base64
 * of base64. What is sent in a query or in JSON may be said back as it was sent, in base64 or hexadecimal of that.
 *
 * Escapes are undone by the scanner, once, in whatever mixture; the usual escaped forms are here too, for text that was
 * escaped twice. A form shorter than `MIN_FORM` would blank ordinary text and is left out.
 *
 * Threat: a form that writes a character by more than two others is none of these. The windows by which forms are found
 * (`prefilter.ts`) would hold so few characters that they could be guessed.
 */
export function encodedForms(value: string): readonly Form[] {
  return secretParts(value).flatMap(formsOf)
}

function formsOf(secret: string): readonly Form[] {
  if (secret === '') return []
  const percent = encodeURIComponent(secret)
  const json = JSON.stringify(secret).slice(1, -1)
  const sent = [...new Set([secret, percent, json])]
  const base64 = sent.flatMap((text) => base64Forms(asForm(Buffer.from(text, 'utf8'))))
  const hex = sent.map((text) => Buffer.from(text, 'utf8').toString('hex'))
  const forms = [
    secret,
    // Readings of the scanner skip line breaks, so their secret patterns have none.
    secret.replace(/[\r\n]+/g, ''),
    secret.toLowerCase(),
    secret.toUpperCase(),
    // application/x-www-form-urlencoded writes a space as `+`.
    secret.replaceAll(' ', '+'),
    // YAML and SQL, CSV.
    secret.replaceAll("'", "''"),
    secret.replaceAll('"', '""'),
    percent,
    percent.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    json,
    json.replaceAll('/', '\\/'),
    ...hex,
    ...hex.map((text) => text.toUpperCase()),
  ]
  const long = [...new Set(forms)].filter((form) => form === secret || form.length >= MIN_FORM)
  return [
    ...long.map((form) => Buffer.from(form, 'utf8')),
    ...inUrls(base64),
    ...base64.flatMap(base64Forms),
    ...base32Forms(Buffer.from(secret, 'utf8')),
    ...sent.flatMap(wideForms),
    // Headers carry latin1 (RFC 9110 section 5.5) where bodies carry UTF-8; it has no other characters.
    ...(/[^\x00-\x7f]/.test(secret) && /^[\x00-\xff]*$/.test(secret) ? [Buffer.from(secret, 'latin1')] : []),
  ]
}

/** Characters; secrets have eight at least. */
const MIN_FORM = 8

/** RFC 7468; in JSON, its line breaks are escaped. */
const PEM = /-----BEGIN ([A-Z0-9 ]+)-----([^]*?)-----END \1-----/g

/**
 * What of a value nobody knows: of private keys, only what is between the lines that open and close them.
 *
 * Threat: forms are found by how they end, and those lines are as well known as the beginnings of tokens. Text full of them, in
 * any encoding, would be compared with all of the key again and again. And a key with spaces in its first line would have every
 * word of a stream wait.
 */
function secretParts(value: string): readonly string[] {
  const blocks = [...value.matchAll(PEM)].map(([, label = '', body = '']) => ({ label, body }))
  const keys = blocks
    .filter(({ label }) => label.includes('PRIVATE KEY'))
    .map(({ body }) => body.replace(/^(?:\s|\\[rn])+|(?:\s|\\[rn])+$/g, ''))
  if (!keys.some((key) => key.length >= MIN_FORM)) return [value]
  return value.replace(PEM, '').trim() === '' ? keys : [...keys, value]
}

const NO_EDGES: Edges = Object.freeze({ before: 0, behind: 0 })

function asForm(bytes: Buffer, edges = NO_EDGES): Form {
  return Object.assign(bytes, { edges })
}

/** In both byte orders, where there is more than zeros beside the characters: those are taken out before a search. */
function wideForms(text: string): readonly Form[] {
  if (/^[\x00-\xff]*$/.test(text)) return []
  const two = Buffer.from(text, 'utf16le')
  const four = Buffer.from(Uint32Array.from(text, (character) => character.codePointAt(0) ?? 0).buffer)
  const all = [two, Buffer.from(two).swap16(), four, Buffer.from(four).swap32()]
  // A character with a zero of its own, such as U+1F600, has more of them around it than others have.
  const isGappy = Array.from(text).some((character) => ((character.codePointAt(0) ?? 0) & 0xff) === 0)
  return [
    ...(isGappy ? all : all.slice(0, 2)),
    ...all.map((form) => Buffer.from(form.filter((byte) => byte !== 0))),
  ]
}

function base64Forms(form: Form): readonly Form[] {
  return [0, 1, 2].flatMap((offset) => coresOf(form, offset, 6, (bytes) => bytes.toString('base64')))
}

/** With the other alphabet for two characters, too. */
function inUrls(base64: readonly Form[]): readonly Form[] {
  return base64.flatMap((form) => {
    const text = form.toString('latin1')
    const other = text.replaceAll('+', '-').replaceAll('/', '_')
    return other === text ? [form] : [form, asForm(Buffer.from(other, 'latin1'), form.edges)]
  })
}

function base32Forms(bytes: Buffer): readonly Form[] {
  return [0, 1, 2, 3, 4].flatMap((offset) => coresOf(bytes, offset, 5, toBase32))
}

/** RFC 4648 section 6. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function toBase32(bytes: Buffer): string {
  let [text, value, bits] = ['', 0, 0]
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET.charAt((value >> (bits - 5)) & 31)
  }
  return bits === 0 ? text : text + ALPHABET.charAt((value << (5 - bits)) & 31)
}

/**
 * What a form that begins so many bytes into a group is in an encoding with so many bits for each character: the characters that
 * stand for it alone. None where too few are left.
 *
 * Threat: the bits of a secret in the characters at the edges are half of its first or last byte.
 */
function coresOf(
  form: Form,
  offset: number,
  bits: number,
  encode: (bytes: Buffer) => string,
): readonly Form[] {
  const { before, behind } = form.edges ?? NO_EDGES
  const [begin, end] = [offset * 8, (offset + form.length) * 8]
  const [first, last] = [Math.ceil(begin / bits), Math.floor(end / bits)]
  if (last - first < MIN_FORM) return []
  const edges = {
    before: first - Math.floor((begin - before * 8) / bits),
    behind: Math.ceil((end + behind * 8) / bits) - last,
  }
  const text = encode(Buffer.concat([Buffer.alloc(offset), form])).slice(first, last)
  return [asForm(Buffer.from(text, 'latin1'), edges)]
}
