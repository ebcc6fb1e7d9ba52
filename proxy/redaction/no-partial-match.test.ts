import fc from 'fast-check'
import t from 'tap'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { readings } from '#test/fixtures/redaction-cases.js'
import { encodedForms } from './encoded-forms.js'
import { Trimmer, trimRange, widenRange } from './ranges.js'
import { redactHeaders } from './redact-headers.js'
import { Redactor } from './redact.js'
import { reachOf } from './search.js'
import { Tally } from './tally.js'
import { FrameRedactor } from './websocket-frames.js'

// docs/decisions/no-partial-match.md: for whatever holds no whole secret, what a sandbox sees is the same for any two secrets
// of the same shape.

const CLASSES = ['ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz', '0123456789'] as const

/** Another secret with characters of the same classes. */
function twin(secret: string, random: () => number): string {
  return Array.from(secret, (character) => {
    const members = CLASSES.find((one) => one.includes(character)) ?? character
    return members[Math.floor(random() * members.length)] ?? character
  }).join('')
}

const SHAPES = [
  'ghp_Zq7aB3xY9kLmNoPqRsTuVwXyZ0123456789a',
  'Zq7a+B3/xY9k-LmNo_PqRsTuVw=XyZ&0123456789',
  'p4ssw0rd',
  'Winter2026!x',
  'correct horse battery staple',
  'AKIA0123456789ABCDEF',
  'x%41y\\u0042z&amp;w=3Dv',
] as const

interface Pair {
  readonly secrets: readonly [string, string]
  readonly patterns: readonly [SecretPatterns, SecretPatterns]
}

/** Made once: compiling a search takes longer than a case. */
const PAIRS: readonly Pair[] = SHAPES.flatMap((shape) =>
  Array.from({ length: 4 }, () => {
    const secrets = [twin(shape, Math.random), twin(shape, Math.random)] as const
    const [first, second] = secrets.map((secret) => new SecretPatterns(encodedForms(secret)))
    if (first === undefined || second === undefined) throw new Error('there are two')
    return { secrets, patterns: [first, second] as const }
  }),
)

const escapes = [
  (text: string) => text,
  (text: string) => encodeURIComponent(text),
  (text: string) => JSON.stringify(text).slice(1, -1),
  (text: string) => Array.from(text, (c) => `\\u00${c.charCodeAt(0).toString(16).padStart(2, '0')}`).join(''),
  (text: string) => Array.from(text, (c) => `&#${String(c.charCodeAt(0))};`).join(''),
  (text: string) => text.replace(/.{5}/g, '$&\r\n '),
] as const

/** A part of one of the secrets in one of its forms, however written, or something else. */
const piece = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ of: fc.nat(1), form: fc.nat(), from: fc.nat(), to: fc.nat(), escape: fc.nat() }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ' ',
      '\n',
      '\n\n',
      '\r\n ',
      '|',
      'data: ',
      '"}',
      '{"token":"',
      '%',
      '%2',
      '\\',
      '\\u00',
      '&#',
      '&#x',
      '=',
      '=4',
      'abc',
      '\0',
    ),
  },
  { weight: 1, arbitrary: fc.stringMatching(/^[ -~]{0,30}$/) },
)

const cases = fc.record({
  pair: fc.nat(PAIRS.length - 1),
  pieces: fc.array(piece, { maxLength: 12 }),
  cuts: fc.array(fc.nat(), { maxLength: 10 }),
  idle: fc.array(fc.nat(12), { maxLength: 3 }),
  way: fc.constantFrom('stream', 'frames', 'headers', 'range'),
  range: fc.tuple(fc.nat(), fc.nat()),
})

function bodyOf(
  pair: Pair,
  pieces: readonly (string | { of: number; form: number; from: number; to: number; escape: number })[],
): Buffer {
  return Buffer.concat(
    pieces.map((one) => {
      if (typeof one === 'string') return Buffer.from(one, 'latin1')
      const forms = pair.patterns[one.of % 2 === 0 ? 0 : 1].bytes
      const form = forms[one.form % forms.length] ?? Buffer.alloc(0)
      const ends = [one.from % (form.length + 1), one.to % (form.length + 1)].sort((a, b) => a - b)
      const [from = 0, to = 0] = ends
      // Never all of it.
      const part = form.subarray(from, to - from === form.length ? to - 1 : to).toString('latin1')
      return Buffer.from(escapes[one.escape % escapes.length]?.(part) ?? '', 'latin1')
    }),
  )
}

function holdsForm(body: Buffer, { patterns }: Pair): boolean {
  const forms = patterns.flatMap(({ bytes }) => bytes.map((form) => form.toString('latin1')))
  return [...readings(body.toString('latin1'), 2)].some(([, text]) =>
    [text, withoutCodes(text)].some((one) => forms.some((form) => one.includes(form))),
  )
}

/** Without escapes of one byte by its number. */
function withoutCodes(text: string): string {
  return text.replace(/\\(?:([0-3][0-7]{2})|x([0-9a-fA-F]{2}))/g, (_, octal?: string, hex?: string) =>
    String.fromCharCode(octal === undefined ? parseInt(String(hex), 16) : parseInt(octal, 8)),
  )
}

function cutUp(body: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (body.length + 1)))].sort((a, b) => a - b)
  return [0, ...places].map((from, i) => body.subarray(from, places[i] ?? body.length))
}

/** Everything that can be seen of a stream: what each chunk lets pass, what a pause does, and the end. */
function seenOfStream(
  patterns: SecretPatterns,
  chunks: readonly Buffer[],
  idle: readonly number[],
): unknown[] {
  const redactor = new Redactor(patterns, new Tally())
  const seen = chunks.flatMap((chunk, i) => [
    redactor.push(chunk).toString('latin1'),
    redactor.waitsForLine,
    idle.includes(i) ? redactor.idle().toString('latin1') : null,
  ])
  return [...seen, redactor.flush().toString('latin1')]
}

function seenOfFrames(patterns: SecretPatterns, chunks: readonly Buffer[]): unknown[] {
  const redactor = new FrameRedactor(() => patterns, new Tally())
  const payloads = chunks.map((chunk) => chunk.subarray(0, 125))
  return payloads.map((payload, i) => {
    const isLast = i === payloads.length - 1
    const head = Buffer.of((isLast ? 0x80 : 0) | (i === 0 ? 1 : 0), payload.length)
    return redactor.push(Buffer.concat([head, payload]))?.toString('latin1')
  })
}

function seenOfRange(patterns: SecretPatterns, body: Buffer, [a, b]: readonly [number, number]): unknown[] {
  if (body.length === 0) return []
  const first = a % body.length
  const asked = { range: `bytes=${String(first)}-${String(first + (b % 40))}` }
  const headers: Record<string, string> = {}
  const widened = widenRange('GET', asked, headers, reachOf(patterns))
  const [, from = '0', to = '0'] = /^bytes=(\d+)-(\d+)$/.exec(headers['range'] ?? '') ?? []
  const [start, end] = [Number(from), Math.min(Number(to), body.length - 1)]
  const part = widened && trimRange(widened, `bytes ${String(start)}-${String(end)}/${String(body.length)}`)
  if (part === null) return [headers]
  const redactor = new Redactor(patterns, new Tally())
  const trimmer = new Trimmer(part)
  const out = [redactor.push(body.subarray(start, end + 1)), redactor.flush()].map((one) =>
    trimmer.push(one).toString('latin1'),
  )
  return [headers, part, out]
}

void t.test('nothing that can be seen depends on a part of a secret', (t) => {
  let [held, compared] = [0, 0]
  fc.assert(
    fc.property(cases, ({ pair: index, pieces, cuts, idle, way, range }) => {
      const pair = PAIRS[index]
      if (pair === undefined) throw new Error('no such pair')
      const body = bodyOf(pair, pieces)
      // Parts may happen to make a whole.
      if (holdsForm(body, pair)) return true
      const chunks = cutUp(body, cuts)
      const [first, second] = pair.patterns.map((patterns) => {
        if (way === 'stream') return seenOfStream(patterns, chunks, idle)
        if (way === 'frames') return seenOfFrames(patterns, chunks)
        if (way === 'range') return seenOfRange(patterns, body, range)
        const headers = { a: body.toString('latin1'), b: chunks.map((chunk) => chunk.toString('latin1')) }
        return [redactHeaders(headers, patterns, new Tally())]
      })
      compared += 1
      if (
        way === 'stream' &&
        chunks.some((chunk, i) => chunk.length > 0 && first?.[3 * i] !== chunk.toString('latin1'))
      )
        held += 1
      const isSame = JSON.stringify(first) === JSON.stringify(second)
      return (
        isSame &&
        (way !== 'stream' ||
          first?.filter((one) => typeof one === 'string').join('') === body.toString('latin1'))
      )
    }),
    { numRuns: 10_000 },
  )
  t.ok(compared > 8_000, `${String(compared)} cases held no secret`)
  t.ok(held > 500, `in ${String(held)} of them something waited`)
  t.end()
})

void t.test('the control: a whole secret makes a difference', (t) => {
  for (const { secrets, patterns } of PAIRS) {
    const body = [Buffer.from(`x ${secrets[0]} y`)]
    const [first, second] = patterns.map((one) => JSON.stringify(seenOfStream(one, body, [])))
    t.ok(first !== second || secrets[0] === secrets[1], secrets[0])
  }
  t.end()
})
