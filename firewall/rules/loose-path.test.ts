import fc from 'fast-check'
import t from 'tap'
import { growth } from '#test/fixtures/growth.js'
import { isDiagnostic } from '../contracts/diagnostic.js'
import { matchLoosely } from './loose-path.js'
import { matchPath, parsePathPattern } from './path-pattern.js'
import { parseRequestTarget } from './request-path.js'

function pattern(text: string) {
  const parsed = parsePathPattern(text)
  if (isDiagnostic(parsed)) throw new Error(parsed.problem)
  return parsed
}

function denies(text: string, target: string): boolean {
  const path = parseRequestTarget(target)
  // What is rejected reaches no server either.
  return typeof path === 'string' || matchLoosely(pattern(text).loose, path.loose)
}

/** Spellings of one path that some server takes for `/api/admin`. */
const SPELLINGS = [
  '/api/admin',
  '/api/admin/',
  '/api/admin//',
  '//api///admin',
  '/api/ADMIN',
  '/API/Admin',
  '/api/%61dmin',
  '/api/%41DMIN',
  '/api/admin.json',
  '/api/admin.xml',
  '/api/admin.anything',
  '/api/admin.JSON/',
  '/api/admin.a.b',
  '/api.json/admin',
  '/api/admin;x=y',
  '/api;x=y/admin',
  '/api/admin;x=y;z/',
  '/api/admin%3Bx=y',
  '/api/admin.json;x',
  '/api%2fadmin',
  '/api%2Fadmin%2F',
  '/%2fapi/admin',
  '/api/admin.',
  '/api/admin...',
  '/api/admin%20',
  '/api/admin%20.%20',
  '/api/%20admin',
  '/api/admin%09',
  '/api/admin%00',
  '/api/admin%00.json',
  '/api/admin::$DATA',
  '/api/admin%3A%3A$DATA',
  '/api/admin:$i30:$INDEX_ALLOCATION',
  '/api/admin%3Fx',
  '/api/admin%23x',
  '/api/adm%C4%B1n',
  '/api/ADM%C4%B0N',
  '/api/%EF%BD%81dmin',
  '/api/%EF%BC%A1dmin',
  '/api/%C3%A1dmin',
  '/api/%E1dmin',
  '/api/a%CC%81dmin',
  '/api/ad%E2%80%8Bmin',
  '/api/ad%C2%ADmin',
  '/api%EF%BC%8Fadmin',
  '/api%EF%BC%BCadmin',
  '/api%5Cadmin',
  '/api/%c1%a1dmin',
  '/api/x/../admin',
  '/api/x/..%20/admin',
  '/api/%EF%BC%8E/admin',
  '/api/.%20/admin',
  '/api/..%20;x/../api/admin',
]

void t.test('a deny rule catches every spelling', (t) => {
  const missed = SPELLINGS.filter((target) => !denies('/api/admin', target))
  t.same(missed, [])
  const below = SPELLINGS.map((target) => `${target.replace(/[?#].*/, '')}/x`)
  t.same(
    below.filter((target) => !/%3Fx|%23x/.test(target) && !denies('/api/admin/**', target)),
    [],
    'and what is below it',
  )
  t.end()
})

void t.test('letters beyond ASCII that fold to ASCII', (t) => {
  for (const [text, target] of [
    ['/kiosk', '/%E2%84%AAios%E2%84%AA'],
    ['/session', '/%C5%BFe%C5%BF%C5%BFion'],
    ['/strasse', '/stra%C3%9Fe'],
    ['/office', '/o%EF%AC%83ce'],
    ['/a2', '/a%C2%B2'],
    ['/@scope%2Fpkg', '/@Scope%2fPKG'],
    ['/@scope%2Fpkg', '/@scope/pkg'],
    ['/@scope/pkg', '/@scope%2Fpkg'],
    ['/users.json', '/users'],
    ['/users.json', '/users.xml'],
    ['/x-*-y', '/X-1-Y.json'],
    ['/projects/*', '/projects/a%2Fb'],
    ['/', '//'],
    ['/', '/;x'],
  ] as const)
    t.ok(denies(text, target), `${text} ${target}`)
  t.end()
})

void t.test('and nothing else', (t) => {
  for (const [text, target] of [
    ['/api/admin', '/api/administrators'],
    ['/api/admin', '/api/admin-2'],
    ['/api/admin', '/api/admin/x'],
    ['/api/admin', '/api/x/admin'],
    ['/api/admin', '/api'],
    ['/api/admin/**', '/api/admins/x'],
    ['/api/admin', '/api/admi'],
    ['/users.json', '/users2.json'],
    ['/a/*', '/a'],
    ['/', '/x'],
    ['/c', '/c++'],
    ['/v1/x', '/v1/x:search'],
  ] as const)
    t.notOk(denies(text, target), `${text} ${target}`)
  t.end()
})

const segment = fc.constantFrom('a', 'b', 'ab', 'A', 'a.json', 'a;x', '%61', 'x%2Fa', '', 'a%20', '%C3%A1')
const paths = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`)
const texts = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', 'a*', '*', '*b', 'x%2Fa'), { minLength: 1, maxLength: 3 }),
    fc.boolean(),
  )
  .map(([segments, recursive]) => `/${segments.join('/')}${recursive ? '/**' : ''}`)

void t.test('whatever a pattern matches strictly in any reading, it matches loosely', (t) => {
  let said = 0
  fc.assert(
    fc.property(texts, paths, (text, target) => {
      const path = parseRequestTarget(target)
      if (typeof path === 'string') return true
      const strict = path.readings.some((reading) => matchPath(pattern(text), reading))
      if (strict) said += 1
      return !strict || matchLoosely(pattern(text).loose, path.loose)
    }),
    { numRuns: 20_000 },
  )
  t.ok(said > 500, `${said} pairs said something`)
  t.end()
})

void t.test('no path makes the comparison slow', (t) => {
  for (const unit of [
    'a',
    '.',
    '%20',
    ';',
    '/',
    'a.',
    '/.a',
    '%EF%BC%8F',
    '%EF%B7%BA',
    '::$',
    '%2F',
    '%3F',
    '%E2%80%8B',
  ]) {
    const match = (length: number) => {
      const target = `/${unit.repeat(Math.ceil(length / unit.length))}x`
      return () => denies('/*a*b*/x/**', target)
    }
    const times = growth(match(4_000), match(32_000))
    t.ok(times < 30, `${unit}: ${times.toFixed(1)} times as long for a path that is eight times as long`)
  }
  t.end()
})

void t.test('a format is a part of a name, whichever it is', (t) => {
  const formats = [
    ...[
      'json',
      'xml',
      'htm',
      'html',
      'xhtml',
      'txt',
      'js',
      'css',
      'csv',
      'ics',
      'vcf',
      'rss',
      'atom',
      'yml',
      'yaml',
    ],
    ...['pdf', 'zip', 'gz', 'md', 'php', 'asp', 'aspx', 'jsp', 'do', 'action', 'git'],
  ]
  for (const format of formats) {
    t.ok(denies(`/users.${format}`, '/users'), format)
    t.ok(denies(`/users.${format.toUpperCase()}`, '/users.other'), format)
    t.ok(denies(`/*.${format}`, `/a.${format}`), format)
    t.notOk(denies(`/x.${format}/users`, '/x/users'), 'only at the end')
  }
  t.notOk(denies('/users.v2', '/users'), 'a name with a dot')
  t.notOk(denies('/xjson', '/x'))
  t.notOk(denies('/.git', '/'), 'a name of nothing but a format')
  t.ok(denies('/.git', '/.GIT'))
  t.notOk(denies('/a-*-b', '/a-b-'), 'the parts of a pattern in their order')
  t.notOk(denies('/a*b', '/a'))
  t.notOk(denies('/a*a', '/a'), 'and apart from one another')
  t.ok(denies('/a*a', '/aa'))
  t.end()
})

void t.test('queries and inner slashes behind an escape', (t) => {
  for (const target of [
    '/api/admin%3F',
    '/api/admin%3Fx%2fy',
    '/api/admin%23a/b',
    '/api/admin%3Fx/y/z',
    '/api%2fadmin%3fx',
  ])
    t.ok(denies('/api/admin', target), target)
  for (const target of ['/api%3Fx/admin', '/apix/admin', '/api/admin/x'])
    t.notOk(denies('/api/admin', target), target)
  t.ok(denies('/a%2Fb', '/a%2fb'))
  for (const target of ['/a/.%20./b', '/a/%20./b', '/a/..%20%20/b'])
    t.equal(parseRequestTarget(target), 'path-dot-segment', target)
  for (const target of ['/a/...%41/b', '/a/%20/b', '/a/...%20x/b'])
    t.type(parseRequestTarget(target), 'object', target)
  t.end()
})
