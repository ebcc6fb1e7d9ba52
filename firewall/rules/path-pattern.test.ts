import fc from 'fast-check'
import t from 'tap'
import { growth } from '#test/fixtures/growth.js'
import { isDiagnostic } from '../contracts/diagnostic.js'
import { coversPath, matchPath, overlapsPath, parsePathPattern } from './path-pattern.js'
import type { PathPattern } from '../contracts/rule.js'

function pattern(text: string): PathPattern {
  const parsed = parsePathPattern(text)
  if (isDiagnostic(parsed)) throw new Error(parsed.problem)
  return parsed
}

void t.test('match', (t) => {
  for (const [text, yes, no] of [
    ['/', ['/'], ['/a', '//']],
    ['/a', ['/a'], ['/', '/a/', '/a/b', '/A', '/ab', '/xa']],
    ['/a/', ['/a/'], ['/a', '/a/b', '/a//']],
    ['/**', ['/', '/a', '/a/b', '//', '/a%2Fb'], []],
    ['/a/**', ['/a', '/a/', '/a/b', '/a/b/c/'], ['/', '/ab', '/b/a', '//a']],
    ['/a/*', ['/a/b', '/a/b%2Fc'], ['/a', '/a/', '/a/b/', '/a/b/c']],
    ['/a/*/c', ['/a/b/c'], ['/a//c', '/a/c', '/a/b/d', '/a/b/b/c']],
    ['/a/*/**', ['/a/b', '/a/b/', '/a/b/c'], ['/a', '/a/', '/a//b']],
    ['/*.json', ['/a.json', '/.json', '/a.json.json'], ['/a.jsonx', '/a/b.json', '/ajson']],
    ['/a*z', ['/az', '/abz', '/azz'], ['/a', '/z', '/za', '/azx']],
    ['/a*a', ['/aa', '/aba'], ['/a', '/b']],
    ['/*a*b*', ['/ab', '/xaxbx', '/aabb'], ['/ba', '/a', '/b']],
    ['/ab*bc', ['/abbc', '/abxbc'], ['/abc']],
    ['/a.b', ['/a.b'], ['/axb']],
    ['/a+(b)[c]', ['/a+(b)[c]'], ['/aab']],
    ['/@scope%2Fpkg', ['/@scope%2Fpkg'], ['/@scope/pkg']],
  ] as const) {
    for (const path of yes) t.ok(matchPath(pattern(text), path), `${text} is ${path}`)
    for (const path of no) t.notOk(matchPath(pattern(text), path), `${text} is not ${path}`)
  }
  t.end()
})

void t.test('errors have a fix', (t) => {
  for (const text of [
    'a',
    '',
    '*',
    '/a?b',
    '/a#b',
    '/a\\b',
    '/a b',
    '/a%20b',
    '/a%2fb',
    '/a%41',
    '/\u00e4',
    '/a//b',
    '//',
    '/**/a',
    '/a**',
    '/a/***',
    '/a/b**/**',
    '/..',
    '/a/../b',
    '/a/.',
    '/./**',
  ]) {
    const parsed = parsePathPattern(text)
    t.match(parsed, { problem: /.+/, fix: /.+/ }, text)
  }
  t.end()
})

const segment = fc.constantFrom('a', 'b', 'ab', '*', 'a*', '*b', '*a*', 'a*b')
const texts = fc
  .tuple(fc.array(segment, { maxLength: 3 }), fc.constantFrom('', '/**', '/'))
  .map(([segments, end]) =>
    segments.length === 0 && end !== '/**' ? '/' : segments.map((s) => `/${s}`).join('') + end,
  )
const paths = fc
  .array(fc.constantFrom('a', 'b', 'ab', 'ba', 'aab', 'axb', ''), { minLength: 1, maxLength: 4 })
  .map((segments) => `/${segments.join('/')}`)

void t.test('what a pattern covers, it matches', (t) => {
  let said = 0
  fc.assert(
    fc.property(texts, texts, paths, (outerText, innerText, path) => {
      const [outer, inner] = [pattern(outerText), pattern(innerText)]
      if (!coversPath(outer, inner) || !matchPath(inner, path)) return true
      said += 1
      return matchPath(outer, path)
    }),
    { numRuns: 20_000 },
  )
  t.ok(said > 100, `${said} pairs said something`)
  t.end()
})

void t.test('covers', (t) => {
  for (const [outer, inner, covered] of [
    ['/**', '/', true],
    ['/**', '/**', true],
    ['/**', '/a/*/**', true],
    ['/a/**', '/a', true],
    ['/a/**', '/a/b/**', true],
    ['/a/**', '/**', false],
    ['/a/**', '/ab', false],
    ['/a/*', '/a/b', true],
    ['/a/*', '/a/*', true],
    ['/a/*', '/a/b*', true],
    ['/a/*', '/a/', false],
    ['/a/*', '/a/**', false],
    ['/a/*/**', '/a/', false],
    ['/a/*', '/a/b/c', false],
    ['/a/b*', '/a/*', false],
    ['/a/b*', '/a/bc', true],
    ['/a', '/a/', false],
  ] as const)
    t.equal(coversPath(pattern(outer), pattern(inner)), covered, `${outer} over ${inner}`)
  t.end()
})

void t.test('against an oracle: the pattern as one regular expression', (t) => {
  fc.assert(
    fc.property(texts, paths, (text, path) => {
      const open = text.endsWith('/**')
      const source = (open ? text.slice(0, -3) : text)
        .split('/')
        .slice(1)
        .map((part) => (part === '' ? '/' : `/(?=[^/])${part.replaceAll('*', '[^/]*')}`))
        .join('')
      return matchPath(pattern(text), path) === new RegExp(`^${source}${open ? '(/.*)?' : ''}$`).test(path)
    }),
    { numRuns: 10_000 },
  )
  t.end()
})

void t.test('no path makes a pattern slow (catastrophic backtracking)', (t) => {
  for (const [text, unit] of [
    ['/*-*-*-*.json', '-'],
    ['/*a*a*a*a*b', 'a'],
    ['/**', '/'],
  ] as const) {
    const match = (length: number) => {
      const path = `/${unit.repeat(length)}`
      return () => matchPath(pattern(text), path)
    }
    const times = growth(match(7_500), match(60_000))
    t.ok(times < 30, `${text}: ${times.toFixed(1)} times as long for a path that is eight times as long`)
  }
  t.end()
})

void t.test('patterns that no path can match both', (t) => {
  for (const [a, b, overlap] of [
    ['/a', '/a', true],
    ['/a', '/b', false],
    ['/a/**', '/a', true],
    ['/a/**', '/a/b/c', true],
    ['/a/**', '/b/**', false],
    ['/**', '/x/y', true],
    ['/a/*', '/a/b', true],
    ['/a/*', '/a', false],
    ['/a/v*', '/a/w', false],
    ['/a/v*', '/a/*1', true],
    ['/a/b', '/a/**', true],
    ['/a/b/**', '/a', false],
  ] as const) {
    t.equal(overlapsPath(pattern(a), pattern(b)), overlap, `${a} ${b}`)
    t.equal(overlapsPath(pattern(b), pattern(a)), overlap, `${b} ${a}`)
  }
  t.end()
})
