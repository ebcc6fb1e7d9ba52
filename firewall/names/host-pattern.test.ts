import fc from 'fast-check'
import t from 'tap'
import { coversHost, matchHost, parseHostPattern } from './host-pattern.js'
import { isDiagnostic } from '../contracts/diagnostic.js'
import type { HostPattern } from '../contracts/names.js'

function pattern(text: string): HostPattern {
  const parsed = parseHostPattern(text)
  if (isDiagnostic(parsed)) throw new Error(parsed.problem)
  return parsed
}

void t.test('an exact name', (t) => {
  const exact = pattern('Api.Example.com.')
  t.strictSame(exact, { kind: 'exact', host: 'api.example.com', text: 'api.example.com' })
  t.strictSame(matchHost(exact, 'api.example.com'), [])
  for (const host of ['example.com', 'x.api.example.com', 'api.example.com.evil.test', 'apiXexample.com'])
    t.equal(matchHost(exact, host), null, host)
  t.end()
})

void t.test('`*.` is one label, `**.` one or more, and neither is the suffix itself', (t) => {
  const one = pattern('*.example.com')
  const deep = pattern('**.Example.com')
  t.equal(deep.text, '**.example.com')
  for (const [host, byOne, byDeep] of [
    ['a.example.com', ['a'], ['a']],
    ['a.b.example.com', null, ['a', 'b']],
    ['example.com', null, null],
    ['notexample.com', null, null],
    ['a.notexample.com', null, null],
    ['example.com.evil.test', null, null],
    ['a.example.com.evil.test', null, null],
    ['com', null, null],
  ] as const) {
    t.strictSame(matchHost(one, host), byOne, `* ${host}`)
    t.strictSame(matchHost(deep, host), byDeep, `** ${host}`)
  }
  t.end()
})

void t.test('under a public suffix anyone can register a name', (t) => {
  for (const suffix of [
    'com',
    'org',
    'io',
    'dev',
    'co.uk',
    'ac.jp',
    'com.au',
    'xn--p1ai',
    'github.io',
    'gitlab.io',
    'pages.dev',
    'workers.dev',
    'vercel.app',
    'netlify.app',
    'herokuapp.com',
    'web.app',
    'ngrok.io',
    'ngrok-free.app',
    'trycloudflare.com',
    's3.amazonaws.com',
    's3.eu-central-1.amazonaws.com',
    'cloudfront.net',
    'us-east-1.elb.amazonaws.com',
    'execute-api.us-east-1.amazonaws.com',
    'azurewebsites.net',
    'blob.core.windows.net',
    'appspot.com',
    'run.app',
    'googleapis.com',
    'foo.ck',
    'internal',
  ]) {
    for (const stars of ['*', '**']) {
      const parsed = parseHostPattern(`${stars}.${suffix}`)
      t.match(parsed, { problem: /too broad/, fix: /\*\.example\./ }, `${stars}.${suffix}`)
    }
  }
  for (const suffix of [
    'example.com',
    'me.github.io',
    'bucket.s3.amazonaws.com',
    'corp.internal',
    'example.co.uk',
  ])
    t.notOk(isDiagnostic(parseHostPattern(`*.${suffix}`)), suffix)
  t.end()
})

void t.test('a public suffix that only its children name is as broad for `**`', (t) => {
  // The list contains `*.kawasaki.jp` and `*.compute.amazonaws.com`: anyone can get a name two labels below.
  for (const suffix of ['ck', 'kawasaki.jp', 'compute.amazonaws.com', 'elb.amazonaws.com'])
    t.match(parseHostPattern(`**.${suffix}`), { problem: /too broad/ }, suffix)
  t.end()
})

void t.test("a provider's suffix can be accepted, a registry's cannot", (t) => {
  for (const suffix of ['cloudfront.net', 's3.eu-central-1.amazonaws.com', 'github.io'])
    t.match(parseHostPattern(`*.${suffix}`, true), { kind: 'wildcard', suffix })
  for (const suffix of ['com', 'co.uk', 'foo.ck', 'internal'])
    t.match(parseHostPattern(`*.${suffix}`, true), { problem: /too broad/ }, suffix)
  t.match(parseHostPattern('*.github.io'), {
    fix: /to accept it for this entry, add `allow_public_suffix: true`/,
  })
  t.notMatch(parseHostPattern('*.com'), { fix: /shared/ })
  t.end()
})

void t.test('a deep wildcard ends where unknown clients begin', (t) => {
  const amazon = pattern('**.amazonaws.com')
  t.strictSame(matchHost(amazon, 'sts.eu-west-1.amazonaws.com'), ['sts', 'eu-west-1'])
  t.strictSame(matchHost(amazon, 's3.eu-west-1.amazonaws.com'), ['s3', 'eu-west-1'], 'the suffix itself')
  for (const host of [
    'anybody.s3.amazonaws.com',
    'a.b.s3.eu-west-1.amazonaws.com',
    'x.execute-api.us-east-1.amazonaws.com',
  ])
    t.equal(matchHost(amazon, host), null, host)
  t.end()
})

void t.test('what is no pattern', (t) => {
  for (const text of [
    '*',
    '**',
    '***.example.com',
    '*.',
    '**.',
    '*.*',
    '*.*.example.com',
    '**.*.example.com',
    'a.*.example.com',
    'a*.example.com',
    '*a.example.com',
    'example.*',
    '*example.com',
    '*.127.0.0.1',
    '*.0.1',
    '*.example.com:443',
    'example.com:443',
    'https://example.com',
    'example.com/path',
    '127.0.0.1',
    '0x7f.1',
    '::1',
    '',
    '.',
    'b\u00fccher.example',
    '*.b\u00fccher.example',
    '\u212aaggle.com',
  ]) {
    const parsed = parseHostPattern(text)
    t.ok(isDiagnostic(parsed), text)
    if (isDiagnostic(parsed)) t.ok(parsed.problem.length > 0 && parsed.fix.length > 0, text)
  }
  t.end()
})

const label = fc.constantFrom('a', 'b', 'c')
const name = fc
  .array(label, { minLength: 0, maxLength: 3 })
  .map((labels) => [...labels, 'example', 'com'].join('.'))
const patterns = fc
  .tuple(fc.constantFrom('', '*.', '**.'), name)
  .map(([stars, rest]) => pattern(stars + rest))

void t.test('what a pattern covers, it matches', (t) => {
  let covered = 0
  fc.assert(
    fc.property(patterns, patterns, name, (outer, inner, host) => {
      if (!coversHost(outer, inner) || matchHost(inner, host) === null) return true
      covered += 1
      return matchHost(outer, host) !== null
    }),
    { numRuns: 20_000 },
  )
  t.ok(covered > 50, `${covered} pairs said something`)
  t.end()
})

void t.test('what a pattern does not cover has a name that it does not match', (t) => {
  const names: string[] = []
  const grow = (rest: string, depth: number) => {
    names.push(rest)
    if (depth > 0) for (const first of ['a', 'b', 'c', 'd']) grow(`${first}.${rest}`, depth - 1)
  }
  grow('example.com', 5)
  fc.assert(
    fc.property(patterns, patterns, (outer, inner) => {
      const all = names.every((host) => matchHost(inner, host) === null || matchHost(outer, host) !== null)
      return coversHost(outer, inner) === all
    }),
    { numRuns: 300 },
  )
  t.end()
})
