import fc from 'fast-check'
import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { DEFAULT_NAMES } from './name-profiles.js'
import { measureName, shannon } from './name-features.js'
import type { NameSignal } from '../contracts/names.js'

const DEFAULT_SHAPE = DEFAULT_NAMES.features

void t.test('entropy', (t) => {
  for (const [text, bits] of [
    ['', 0],
    ['aaaa', 0],
    ['ab', 1],
    ['aabb', 1],
    ['abcd', 2],
    ['0123456789abcdef', 4],
    ['aab', 0.9183],
    ['mississippi', 1.8231],
  ] as const)
    t.ok(Math.abs(shannon(text) - bits) < 0.0001, `${text}: ${shannon(text)}`)
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9]{1,40}$/), (text) => {
      const bits = shannon(text)
      const bound = Math.log2(Math.min(text.length, new Set(text).size))
      return (
        bits >= 0 &&
        bits <= bound + 1e-9 &&
        Math.abs(bits - shannon(Array.from(text).reverse().join(''))) < 1e-9
      )
    }),
  )
  t.end()
})

const signal = (...labels: string[]) => measureName(labels, DEFAULT_SHAPE).signal

void t.test('each signal, at its limit and one past it', (t) => {
  const plain = 'abcabcabca'
  for (const [labels, expected] of [
    [['a.b'], 'bytes'],
    [['A'], 'bytes'],
    [['a+b/c='], 'bytes'],
    [['\xfc'], 'bytes'],
    [[plain.repeat(4)], null],
    [[`${plain.repeat(4)}a`], 'label-length'],
    [[plain.repeat(3), plain.repeat(3), 'ab'], null],
    [[plain.repeat(3), plain.repeat(3), 'abc'], 'length'],
    [Array.from({ length: 32 }, () => 'a'), null],
    [Array.from({ length: 33 }, () => 'a'), 'length'],
    [['abcdefghijklmno'], null],
    [['abcdefghijklmnop'], null],
    [['abcdefghijklmnopqrs'], 'entropy'],
    [['abcdefghi', 'jklmnopqrs'], null],
    [['abcdefghijk', 'lmnopqrstuv'], null],
    [['abcdefghijkl', 'mnopqrstuvw'], 'entropy'],
    [[], null],
    [[''], null],
  ] as readonly (readonly [readonly string[], NameSignal | null])[])
    t.equal(measureName(labels, DEFAULT_SHAPE).signal, expected, labels.join('.'))
  t.end()
})

void t.test('the length counts the dots, and the entropy does not', (t) => {
  t.match(measureName(['ab', 'ab'], DEFAULT_SHAPE), { length: 5, entropy: 1, signal: null })
  t.match(measureName([], DEFAULT_SHAPE), { length: 0, entropy: 0, signal: null })
  t.end()
})

void t.test('encoded data is refused, and names that people give are not', (t) => {
  for (let i = 0; i < 50; i += 1) {
    t.ok(signal(base32(25)), 'base32 of 25 bytes')
    t.ok(signal(randomBytes(33).toString('hex')), 'hex of 33 bytes')
    t.ok(signal(randomBytes(16).toString('hex'), randomBytes(17).toString('hex')), 'hex over two labels')
  }
  for (const name of [
    'api',
    'www',
    'registry-1',
    'eu-central-1',
    'my-bucket-name',
    'uploads.github',
    'objects-origin',
    'prod-eu-west-2-ingress',
    randomUUID(),
  ])
    t.equal(signal(...name.split('.')), null, `${name}: only the budget limits such a name`)
  t.end()
})

function base32(bytes: number): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz234567'
  // Each letter at most twice, as in 40 letters of random data more or less: its entropy is over the limit.
  return Array.from(randomBytes(bytes * 2), (byte) => letters[byte % 32] ?? '')
    .join('')
    .slice(0, 41)
}

void t.test('every label is checked', (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (labels) => {
      const features = measureName(labels, DEFAULT_SHAPE)
      const clean = labels.every((label) => /^[a-z0-9_-]*$/.test(label))
      return Number.isFinite(features.entropy) && (clean || features.signal === 'bytes')
    }),
  )
  t.end()
})

/** The definition, letter by letter. */
function bitsPerCharacter(text: string): number {
  const shares = [...new Set(text)]
    .map((char) => text.split(char).length - 1)
    .map((count) => count / text.length)
  return shares.reduce((sum, share) => sum - share * Math.log2(share), 0)
}

void t.test('entropy is what its definition says, for any text', (t) => {
  const characters = 'abcdefghijklmnopqrstuvwxyz0123456789_-'
  const texts = [
    characters,
    characters.repeat(5),
    'ab'.repeat(100),
    ...[254, 255, 256, 257, 1_000].map((length) => 'ab7_-'.repeat(length).slice(0, length)),
    'a'.repeat(300),
    'A',
    'aA',
    'a.b.c',
    'ab\u00fc\u00fc',
    'ab\u0141\u0141\u0142',
    ...Array.from(characters, (char) => `${char}${char}x.`),
  ]
  const wrong = texts.filter((text) => Math.abs(shannon(text) - bitsPerCharacter(text)) > 1e-9)
  t.strictSame(wrong, [])
  fc.assert(
    fc.property(
      fc.oneof(fc.stringMatching(/^[a-z0-9_-]{1,300}$/), fc.stringMatching(/^[a-e.A-C]{1,40}$/)),
      (text) => Math.abs(shannon(text) - bitsPerCharacter(text)) < 1e-9,
    ),
  )
  t.end()
})

void t.test('each limit of entropy, at it and past it', (t) => {
  const limits = { maxLength: 100, maxLabel: 100, maxEntropy: 2, maxTotalEntropy: 2.5, minEntropyLength: 4 }
  for (const [labels, expected] of [
    [['abcd'], null],
    [['abcde'], 'entropy'],
    [['aaaa', 'abcde'], 'entropy'],
    [['abcde', 'aaaa'], 'entropy'],
    [['abc', 'de'], null],
    [['abc', 'def'], 'entropy'],
    [['abcd', 'efgh'], 'entropy'],
    [['abc'], null],
    [['abcdabcd'], null],
  ] as const)
    t.equal(measureName(labels, limits).signal, expected, labels.join('.'))
  const short = { ...limits, minEntropyLength: 6 }
  t.equal(measureName(['abcde'], short).signal, null, 'shorter text is not measured')
  t.equal(measureName(['abcdef'], short).signal, 'entropy')
  t.equal(
    measureName(['abcde', 'a'], { ...short, maxTotalEntropy: 8 }).signal,
    null,
    'nor are shorter labels',
  )
  t.end()
})
