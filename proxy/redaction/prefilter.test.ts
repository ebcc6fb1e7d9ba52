import fc from 'fast-check'
import t from 'tap'
import { CLASSES } from './characters.js'
import { encodedForms } from './encoded-forms.js'
import { filtersOf, MEMORY, MIN_PATTERN } from './prefilter.js'

const bytes = (text: string) => Buffer.from(text, 'latin1')

/** Whether any sample of the text is in a filter of the patterns. */
function stops(patterns: readonly Buffer[], text: Buffer): boolean {
  const filters = filtersOf(patterns)
  MEMORY.take(text)
  return filters.some((filter) => MEMORY.find(filter, false, 0, text.length) >= 0)
}

void t.test('a pattern has a window at a sample, wherever it stands and however long it is', (t) => {
  const missed: unknown[] = []
  for (let length = MIN_PATTERN; length < 80; length += 1) {
    const pattern = bytes(
      Array.from({ length }, (_, i) => String.fromCharCode(0x30 + ((i * 7 + length) % 75))).join(''),
    )
    for (let before = 0; before < 40; before += 1)
      if (!stops([pattern], Buffer.concat([Buffer.alloc(before, '.'), pattern])))
        missed.push({ length, before })
  }
  t.strictSame(missed, [])
  t.end()
})

void t.test('a part of a pattern that is shorter than a window is none', (t) => {
  const text = 'ghp_0123456789abcdefghijklmnopqrstuvwxyz'
  for (const pattern of [text, text.slice(0, 28), text.slice(0, 20), text.slice(0, 12), text.slice(0, 8)]) {
    const [filter] = filtersOf([bytes(pattern)])
    const size = filter?.size ?? 0
    t.ok(size >= 8, 'eight characters have to be guessed at once')
    const parts = Array.from({ length: pattern.length }, (_, at) => `${pattern.slice(at, at + size - 1)} `)
    t.notOk(stops([bytes(pattern)], bytes(parts.join('|'))), pattern)
  }
  t.end()
})

void t.test('thousands of patterns: few windows are taken for one of them', (t) => {
  const random = (length: number) =>
    Buffer.from(Array.from({ length }, () => 0x21 + Math.floor(Math.random() * 90)))
  const patterns = Array.from({ length: 2_000 }, () => random(60))
  const [filter] = filtersOf(patterns)
  if (filter === undefined) throw new Error('no filter')
  const text = random(2 ** 18)
  MEMORY.take(text)
  let found = 0
  for (let at = 0; (at = MEMORY.find(filter, false, at, text.length)) >= 0; at += filter.stride) found += 1
  t.ok(found < 20, `${String(found)} of ${String(text.length / filter.stride)}`)
  t.end()
})

void t.test('filters are forgotten and made again', (t) => {
  const [first] = filtersOf([bytes('first-pattern-of-all-that-are-here')])
  if (first === undefined) throw new Error('no filter')
  const text = bytes(`${'.'.repeat(50)}first-pattern-of-all-that-are-here${'.'.repeat(50)}`)
  for (let i = 0; i < 5_000; i += 1) filtersOf([bytes(`pattern-number-${String(i)}-of-five-thousand`)])
  MEMORY.take(text)
  t.ok(MEMORY.find(first, false, 0, text.length) >= 0)
  t.end()
})

void t.test('special bytes that may matter, and few others', (t) => {
  const marked = (text: string, level = 0) => {
    MEMORY.take(bytes(text))
    return [...MEMORY.places.subarray(0, MEMORY.mark(level))]
  }
  for (const [text, places] of [
    ['%41', [0]],
    ['a%2Fb', [1]],
    ['100 % of', []],
    ['%zz', []],
    ['\\u0041', [0]],
    ['a \\"word\\"', []],
    ['a\\nb', [1]],
    ['"\\n', []],
    ['&#65;', [0]],
    ['a &amp; b', [2]],
    ['a & b', []],
    ['=3D', [0]],
    ['a="b"', []],
    ['ab\ncd', [2]],
    ['ab\r\n cd', [2]],
    ['}\n{', []],
    ['ab\n{', []],
    ['ab=\r\ncd', [2, 3]],
    ['%'.repeat(1_000), []],
    ['&'.repeat(1_000), []],
  ] as const)
    t.strictSame(marked(text.replaceAll('\\n', '\n')), places, JSON.stringify(text))
  t.strictSame(marked('a \\"word', CLASSES.length - 1), [2], 'where secrets have quotes in them')
  t.end()
})

void t.test('any text: marks are special bytes, in order', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (text) => {
      MEMORY.take(text)
      const places = MEMORY.places.subarray(0, MEMORY.mark(0))
      return places.every(
        (place, i) =>
          '\n\r%&\\='.includes(String.fromCharCode(text[place] ?? 0)) && place > (places[i - 1] ?? -1),
      )
    }),
  )
  t.end()
})

const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64')

void t.test('what closes a private key has no window in any encoding, and the key is found', (t) => {
  const letters = Array.from({ length: 300 }, (_, i) => String.fromCharCode(0x41 + ((i * i * 7) % 26)))
  const key = `-----BEGIN PRIVATE KEY-----\n${letters.join('')}==\n`
  const footer = '-----END PRIVATE KEY-----\n'
  const certificate = '-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUX\n-----END CERTIFICATE-----\n'
  const encodings: readonly ((text: string) => string)[] = [
    (text) => text,
    (text) => text.toLowerCase(),
    encodeURIComponent,
    JSON.stringify,
    base64,
    (text) => base64(`x${text}`),
    (text) => base64(`xx${text}`),
    (text) => base64(base64(text)),
    (text) => Buffer.from(text).toString('hex'),
  ]
  const stopped: string[] = []
  const missed: string[] = []
  for (const after of ['', certificate]) {
    const patterns = encodedForms(key + footer + after)
    for (const encode of encodings) {
      for (let known = 0; known < 5; known += 1) {
        const text = encode(key.slice(key.length - known) + footer + after)
        if (stops(patterns, bytes(`${text} ${text}`))) stopped.push(text)
      }
      const whole = encode(key + footer + after)
      for (let before = 0; before < 16; before += 1)
        if (!stops(patterns, bytes('.'.repeat(before) + whole))) missed.push(whole)
    }
  }
  t.strictSame(stopped, [])
  t.strictSame(missed, [])
  t.end()
})
