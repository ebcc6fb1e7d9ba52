import fc from 'fast-check'
import t from 'tap'
import { SecretPatterns, type Matcher } from '#firewall/secrets/secret-patterns.js'
import { codeOf, ESCAPES, INCOMPLETE, NO_ESCAPE } from './escapes.js'
import { AT_END, AT_SAMPLE, AT_SPECIAL, Prefilter, WINDOW } from './prefilter.js'

const PATTERNS = ['sesame-%41&amp;', 'open\\sesame', '0123456789abcdef', 'MTIzNDU2Nzg5']
/** So long that samples lie thirty-two bytes apart. */
const LONG = ['ghp_0123456789abcdefghijklmnopqrstuvwxyz', Buffer.from(PATTERNS.join()).toString('base64')]

function matcherOf(...secretPatterns: string[]): Matcher {
  return new SecretPatterns(secretPatterns.map((pattern) => Buffer.from(pattern))).matcher
}

/** Where it stops when all that stops it is passed over. */
function stopsIn(matcher: Matcher, text: Buffer): { place: number; why: number }[] {
  const prefilter = new Prefilter(matcher)
  prefilter.take(text)
  const stops = [{ place: 0, why: -1 }]
  for (let at = 0, why = -1; why !== AT_END;) {
    const stopped = prefilter.pass(at, at)
    const place = stopped >> 2
    why = stopped & 3
    stops.push({ place, why })
    at = place + 1
  }
  return stops.slice(1)
}

/** Escapes that stand for a secret pattern's byte, read one by one. */
function escapesIn({ alphabet }: Matcher, text: Buffer): number[] {
  return [...text.keys()].filter((at) => {
    const syntax = ESCAPES.find(({ first }) => first === text[at])
    const escape = syntax?.read(text, at, text.length) ?? NO_ESCAPE
    return escape === INCOMPLETE || (escape !== NO_ESCAPE && alphabet[codeOf(escape)] === 1)
  })
}

void t.test('passes over text that has nothing of a secret pattern', (t) => {
  const text = Buffer.from('{"key":"a line of a log\\n\\twith 100% of \\"this\\" & that"}\r\n'.repeat(200))
  const [stop, ...more] = stopsIn(matcherOf('correct horse battery staple'), text.subarray(0, WINDOW))
  t.strictSame(more, [])
  t.equal(stop?.why, AT_END)
  t.ok((stop?.place ?? 0) > text.length - 32, 'up to the last bytes')
  t.end()
})

void t.test('stops before the end of any secret pattern, wherever it stands', (t) => {
  const missed: unknown[] = []
  for (const secretPatterns of [PATTERNS, LONG])
    for (const pattern of secretPatterns)
      for (let before = 0; before < 80; before += 1) {
        const text = Buffer.from(`${'.'.repeat(before)}${pattern}${'.'.repeat(40)}`)
        const [stop] = stopsIn(matcherOf(...secretPatterns), text)
        const stopped = stop?.why === AT_SAMPLE || stop?.why === AT_SPECIAL
        if (!stopped || stop.place >= before + pattern.length) missed.push({ pattern, before, stop })
      }
  t.strictSame(missed, [])
  t.end()
})

void t.test('a few bytes of a secret pattern are none', (t) => {
  const text = Buffer.from(`${'.'.repeat(20)}01234567 89abcdef${'.'.repeat(40)}`)
  t.strictSame(
    stopsIn(matcherOf('0123456789abcdef'), text).map(({ why }) => why),
    [AT_END],
  )
  t.end()
})

void t.test('stops at every escape that stands for a byte of a secret pattern', (t) => {
  const matcher = matcherOf(...PATTERNS)
  const piece = fc.constantFrom(
    '%41',
    '%6',
    '%zz',
    '\\u0061',
    '\\u00',
    '\\/',
    '\\n',
    '&#97;',
    '&amp;',
    '&lt',
    '&x',
    'q',
    '~',
  )
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 80 }), (pieces) => {
      const text = Buffer.from(pieces.join(''))
      const stops = stopsIn(matcher, text)
      const end = stops.at(-1)?.place ?? 0
      const at = new Set(stops.map(({ place }) => place))
      return escapesIn(matcher, text).every((escape) => escape >= end || at.has(escape))
    }),
  )
  t.end()
})

void t.test('stops at line breaks inside a secret pattern, however short its lines are', (t) => {
  const pattern = '0123456789abcdef'
  const matcher = matcherOf(pattern)
  const missed: unknown[] = []
  for (const lineBreak of ['\n', '\r\n', '\\n', '\n\n', '\\r\\n'])
    for (let width = 1; width < pattern.length; width += 1)
      for (let before = 4; before < 24; before += 1) {
        const lines = pattern.match(new RegExp(`.{1,${String(width)}}`, 'g')) ?? []
        const text = Buffer.from(`${'.'.repeat(before)}${lines.join(lineBreak)}${'.'.repeat(40)}`)
        const [stop] = stopsIn(matcher, text)
        if ((stop?.place ?? Infinity) > before + width) missed.push({ lineBreak, width, before, stop })
      }
  t.strictSame(missed, [])
  t.end()
})

void t.test('goes back to what it has passed', (t) => {
  const prefilter = new Prefilter(matcherOf(...PATTERNS))
  prefilter.take(Buffer.from(`..%41..%41${'.'.repeat(40)}`))
  const stops = [0, 7, 8, 3, 0].map((at) => prefilter.pass(at, at))
  t.strictSame(
    stops.map((stop) => stop >> 2),
    [2, 7, 48, 7, 2],
  )
  t.end()
})

void t.test('a text of nothing but special bytes', (t) => {
  const matcher = matcherOf(...PATTERNS)
  for (const byte of ['%', '\\', '&', '\n', '\r']) {
    const stops = stopsIn(matcher, Buffer.from(byte.repeat(WINDOW)))
    t.equal(stops.at(-1)?.why, AT_END, JSON.stringify(byte))
    t.ok((stops.at(-1)?.place ?? 0) > WINDOW - 32)
  }
  t.end()
})

void t.test('the tables of many secret patterns are forgotten and made again', (t) => {
  const first = matcherOf('first-pattern-of-all')
  const text = Buffer.from(`${'.'.repeat(50)}first-pattern-of-all${'.'.repeat(50)}`)
  t.equal(stopsIn(first, text)[0]?.why, AT_SAMPLE)
  for (let i = 0; i < 1100; i += 1) {
    const prefilter = new Prefilter(matcherOf(`pattern-number-${String(i)}`))
    prefilter.take(Buffer.from(`${'.'.repeat(50)}pattern-number-${String(i)}${'.'.repeat(50)}`))
    if ((prefilter.pass(0, 0) & 3) !== AT_SAMPLE) t.fail(String(i))
  }
  t.equal(stopsIn(first, text)[0]?.why, AT_SAMPLE)
  t.end()
})
