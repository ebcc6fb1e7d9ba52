import * as zlib from 'node:zlib'
import fc from 'fast-check'
import { createDecoder, type Coding } from '#proxy/content-coding.js'
import { encodedForms } from '#proxy/encoded-forms.js'
import { Redactor, Tally } from '#proxy/redact.js'
import { Needles } from '#firewall/needles.js'

// Responses that say a secret back in some way, and a judge who shares no code with what takes it out.

/** A response as an upstream would send it. */
export interface Case {
  readonly secrets: readonly string[]
  /** The secret that the body says back, and how. */
  readonly secret: string
  readonly encoding: string
  /** The body before content codings. */
  readonly plain: Buffer
  readonly codings: readonly Coding[]
  /** What goes over the wire, in the pieces in which it arrives. */
  readonly chunks: readonly Buffer[]
}

type Encode = (secret: string, random: () => number) => string

const escapeSome = (
  text: string,
  random: () => number,
  chance: number,
  escape: (character: string) => string,
) => Array.from(text, (character) => (random() < chance ? escape(character) : character)).join('')
const units = (character: string, digits: (unit: string) => string) =>
  Array.from({ length: character.length }, (_, i) =>
    digits(character.charCodeAt(i).toString(16).padStart(4, '0')),
  ).join('')
const unicode = (character: string) => units(character, (unit) => `\\u${unit}`)
const unicodeUpper = (character: string) => units(character, (unit) => `\\u${unit.toUpperCase()}`)
const percent = (character: string) =>
  [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join('')
const decimal = (character: string) => `&#${String(character.codePointAt(0))};`
const hexadecimal = (character: string) => `&#x${(character.codePointAt(0) ?? 0).toString(16)};`
const html = (text: string) => text.replace(/[&<>"'/+=]/g, (character) => HTML[character] ?? character)
const HTML: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '/': '&#x2F;',
  '+': '&#43;',
  '=': '&equals;',
}
/** Base64 of the secret among other bytes, as in `user:secret` or a file that holds it. */
const within: Encode = (secret, random) =>
  Buffer.concat([
    Buffer.alloc(Math.floor(random() * 70), 'user:'),
    Buffer.from(secret),
    Buffer.alloc(Math.floor(random() * 20), '\n and more'),
  ]).toString('base64')
const wrap = (text: string, width: number, end: string) =>
  text.replace(new RegExp(`(.{${String(width)}})`, 'g'), `$1${end}`)
/** What JSON must escape; the rest by chance. */
const json = (secret: string, random: () => number, chance: number, escape: (character: string) => string) =>
  Array.from(
    JSON.stringify(secret)
      .slice(1, -1)
      .matchAll(/\\.|[^]/gu),
    ([token]) => (token.length === 1 && random() < chance ? escape(token) : token),
  ).join('')

export const ENCODINGS: Readonly<Record<string, Encode>> = {
  plain: (secret) => secret,
  json: (secret) => JSON.stringify(secret),
  'json with \\/': (secret) => JSON.stringify(secret).replaceAll('/', '\\/'),
  'json, some \\u': (secret, random) => json(secret, random, 0.3, unicode),
  'json, all \\u': (secret) => escapeSome(secret, () => 0, 1, unicodeUpper),
  'json in json': (secret) => JSON.stringify(JSON.stringify(secret)),
  percent: (secret) => encodeURIComponent(secret),
  'percent, lower case': (secret) =>
    encodeURIComponent(secret).replace(/%../g, (escape) => escape.toLowerCase()),
  'percent, some': (secret, random) =>
    Array.from(secret, (character) =>
      random() < 0.3 ? percent(character) : encodeURIComponent(character),
    ).join(''),
  'percent, all': (secret) => escapeSome(secret, () => 0, 1, percent),
  'percent, twice': (secret) => encodeURIComponent(encodeURIComponent(secret)),
  form: (secret) => new URLSearchParams({ secret }).toString(),
  html,
  'html, all decimal': (secret) => escapeSome(secret, () => 0, 1, decimal),
  'html, some hexadecimal': (secret, random) => {
    return Array.from(secret, (character) =>
      '&<>"\''.includes(character) || random() < 0.3 ? hexadecimal(character) : character,
    ).join('')
  },
  hex: (secret) => Buffer.from(secret).toString('hex'),
  'hex, upper case': (secret) => Buffer.from(secret).toString('hex').toUpperCase(),
  'utf-16': (secret) => Buffer.from(secret, 'utf16le').toString('latin1'),
  base64: (secret) => Buffer.from(secret).toString('base64'),
  'base64 of more': within,
  'base64url of more': (secret, random) =>
    within(secret, random).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''),
  'base64, percent': (secret, random) => encodeURIComponent(within(secret, random)),
  'base64, json': (secret, random) =>
    within(secret, random).replace(/[+/=]/g, (character) => unicodeUpper(character)),
  'base64, html': (secret, random) => html(within(secret, random)),
  'base64 in lines': (secret, random) => wrap(within(secret, random), 76, '\r\n'),
  'base64 in lines, json': (secret, random) => JSON.stringify(wrap(within(secret, random), 60, '\n')),
  'base64 in lines, percent': (secret, random) => encodeURIComponent(wrap(within(secret, random), 64, '\n')),
}

const TOKEN = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const ASCII = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('')
const textOf = (alphabet: string, minLength: number, maxLength: number) =>
  fc
    .array(fc.constantFrom(...Array.from(alphabet)), { minLength, maxLength })
    .map((characters) => characters.join(''))

/** Tokens, keys, passwords with any printable character, and a few with others. */
const secretTexts = fc.oneof(
  { weight: 4, arbitrary: textOf(TOKEN, 12, 90) },
  { weight: 2, arbitrary: textOf(TOKEN, 30, 40).map((text) => `ghp_${text}`) },
  { weight: 3, arbitrary: textOf(`${TOKEN}+/=`, 20, 64) },
  { weight: 3, arbitrary: textOf(ASCII, 12, 40) },
  { weight: 1, arbitrary: textOf(`${TOKEN}äöüß€漢😀`, 12, 30) },
)

/** What stands around secrets; none of it may change. */
const surroundings = fc.oneof(
  fc.constantFrom(
    'data: {"type":"delta","text":"some \\"words\\" and \\u00e9\\n"}\n\n',
    'GET /path?a=1&b=%20two%2Fthree HTTP/1.1\r\n',
    '<p title="a &amp; b">&nbsp;&#8364; &lt;code&gt;</p>\n',
    'TWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcmsu\r\nTWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcmsu\r\n',
    '\\\\ \\u00 %2 %zz &# &amp &; \\x4',
    'ghp_',
    '\n',
    '\r\n',
  ),
  fc.lorem({ maxCount: 12 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
)

const CODINGS: readonly (readonly Coding[])[] = [
  [],
  [],
  [],
  ['gzip'],
  ['deflate'],
  ['br'],
  ['gzip', 'br'],
  ['deflate', 'gzip'],
  ...('createZstdDecompress' in zlib ? [['zstd'] as const] : []),
]

/** A generator of numbers from 0 to 1 (mulberry32), so that a case can be had again from its seed. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function encodeBody(plain: Buffer, codings: readonly Coding[], random: () => number): Buffer {
  return codings.reduce((bytes, coding) => {
    if (coding === 'br')
      return zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })
    if (coding === 'deflate')
      return codings.length === 1 && random() < 0.5 ? zlib.deflateRawSync(bytes) : zlib.deflateSync(bytes)
    if (coding === 'zstd')
      return (zlib as unknown as { zstdCompressSync(bytes: Buffer): Buffer }).zstdCompressSync(bytes)
    // In two members, as when logs are appended (RFC 1952 section 2.2).
    const half = Math.floor(random() * bytes.length)
    return Buffer.concat([zlib.gzipSync(bytes.subarray(0, half)), zlib.gzipSync(bytes.subarray(half))])
  }, plain)
}

function cutUp(whole: Buffer, random: () => number): Buffer[] {
  const style = random()
  if (style < 0.1) return [whole]
  if (style < 0.25) return Array.from(whole, (byte) => Buffer.of(byte))
  const cuts = Array.from({ length: 1 + Math.floor(random() * 8) }, () => Math.floor(random() * whole.length))
  cuts.sort((a, b) => a - b)
  return [0, ...cuts].map((from, i) => whole.subarray(from, cuts[i] ?? whole.length))
}

/** Bodies that say one of the secrets back, once or more. */
export const cases: fc.Arbitrary<Case> = fc
  .record({
    secrets: fc.array(secretTexts, { minLength: 1, maxLength: 4 }),
    encoding: fc.constantFrom(...Object.keys(ENCODINGS)),
    before: fc.array(surroundings, { maxLength: 6 }),
    after: fc.array(surroundings, { maxLength: 4 }),
    times: fc.integer({ min: 1, max: 2 }),
    codings: fc.constantFrom(...CODINGS),
    seed: fc.nat(),
  })
  .map(({ secrets, encoding, before, after, times, codings, seed }) => {
    const random = numbers(seed)
    const [secret = ''] = secrets
    const binary = encoding === 'utf-16'
    const said = Array.from({ length: times }, () => ENCODINGS[encoding]?.(secret, random) ?? '')
    const plain = Buffer.concat(
      [before, said, after].flatMap((texts, part) =>
        texts.map((text) => Buffer.from(text, binary && part === 1 ? 'latin1' : 'utf8')),
      ),
    )
    const wire = encodeBody(plain, codings, random)
    return { secrets, secret, encoding, plain, codings, chunks: cutUp(wire, random) }
  })

/** Bodies that hold no secret: what comes out must be what went in. */
export const innocent: fc.Arbitrary<Case> = fc
  .record({
    secrets: fc.array(secretTexts, { minLength: 1, maxLength: 4 }),
    parts: fc.array(surroundings, { maxLength: 30 }),
    near: fc.nat(),
    seed: fc.nat(),
  })
  .map(({ secrets, parts, near, seed }) => {
    const random = numbers(seed)
    const [secret = ''] = secrets
    // All but two characters: near, and not it. Of escaped text less would do.
    const forms = encodedForms(secret)
      .map((form) => form.toString('latin1'))
      .filter((form) => !/[%\\&]/.test(form))
    const form = forms[near % Math.max(forms.length, 1)] ?? ''
    const texts = [...parts, form.slice(0, -2), '|', form.slice(2)]
    const plain = Buffer.from(texts.join(' '), 'latin1')
    return { secrets, secret, encoding: 'none', plain, codings: [], chunks: cutUp(plain, random) }
  })
  // A secret of spaces and a bar stands in what was meant to be near it.
  .filter(({ secrets, plain }) => !secrets.flatMap(encodedForms).some((form) => plain.includes(form)))

/** What the sandbox gets of a response, and how many secrets were counted. */
export async function receive({ secrets, codings, chunks }: Case): Promise<{ body: Buffer; count: number }> {
  const tally = new Tally()
  const redactor = new Redactor(new Needles(secrets.flatMap(encodedForms)), tally)
  const out: Buffer[] = []
  const first = chunks.find(({ length }) => length > 0)?.[0]
  if (codings.length === 0 || first === undefined) {
    for (const chunk of chunks) out.push(Buffer.from(redactor.push(chunk)))
  } else {
    const { input, output } = createDecoder(codings, first)
    for (const chunk of chunks) input.write(chunk)
    input.end()
    for await (const chunk of output) out.push(Buffer.from(redactor.push(chunk as Buffer)))
  }
  out.push(Buffer.from(redactor.flush()))
  return { body: Buffer.concat(out), count: tally.total }
}

/** How a reader could still get the secret out of the bytes; null when in no way that the judge knows. */
export function findSecret(body: Buffer, secret: string): string | null {
  const wanted = [...new Set([secret, secret.replaceAll(' ', '+')])].map((text) =>
    Buffer.from(text).toString('latin1'),
  )
  const holds = (text: string) => wanted.some((one) => text.includes(one))
  for (const [name, text] of readings(body.toString('latin1'), 2)) {
    if (holds(text)) return name
    for (const [run] of text.matchAll(/[0-9a-fA-F]{16,}/g))
      for (const shift of [0, 1])
        if (holds(Buffer.from(run.slice(shift), 'hex').toString('latin1'))) return `${name}, hex`
    for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{10,}/g))
      for (const shift of [0, 1, 2, 3])
        if (holds(Buffer.from(run.slice(shift), 'base64').toString('latin1'))) return `${name}, base64`
    for (const shift of [0, 1])
      if (Buffer.from(text.slice(shift), 'latin1').toString('utf16le').includes(secret))
        return `${name}, utf-16`
  }
  return null
}

/** The text as it is, and as those read it who undo escapes or line breaks, up to so many times over. */
function* readings(text: string, depth: number, name = 'plain'): Generator<[name: string, text: string]> {
  yield [name, text]
  if (depth === 0) return
  for (const [step, undo] of Object.entries(UNDO)) {
    const undone = undo(text)
    if (undone !== text) yield* readings(undone, depth - 1, `${name}, ${step}`)
  }
}

const utf8 = (code: number) =>
  code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)
    ? '\ufffd'
    : Buffer.from(String.fromCodePoint(code)).toString('latin1')

const UNDO: Readonly<Record<string, (text: string) => string>> = {
  percent: (text) =>
    text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
  json: (text) =>
    text.replace(
      /\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\(["\\/bfnrt])/g,
      (all, high?: string, low?: string, unit?: string, single?: string) => {
        if (high !== undefined && low !== undefined)
          return Buffer.from(String.fromCharCode(parseInt(high, 16), parseInt(low, 16))).toString('latin1')
        if (unit !== undefined) return utf8(parseInt(unit, 16))
        if (single !== undefined) return { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }[single] ?? single
        return all
      },
    ),
  html: (text) =>
    text.replace(
      /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(amp|lt|gt|quot|apos|equals));/g,
      (_, dec?, hex?, name?) =>
        dec !== undefined
          ? utf8(Number(dec))
          : hex !== undefined
            ? utf8(parseInt(String(hex), 16))
            : ({ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", equals: '=' }[String(name)] ?? ''),
    ),
  lines: (text) => text.replace(/[\r\n]+/g, ''),
}
