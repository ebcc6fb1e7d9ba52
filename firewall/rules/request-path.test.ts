import fc from 'fast-check'
import t, { type Test } from 'tap'
import { growth } from '#test/fixtures/growth.js'
import { parseRequestTarget, type PathError, type RequestPath } from './request-path.js'

function parsed(target: string): RequestPath {
  const path = parseRequestTarget(target)
  if (typeof path === 'string') throw new Error(`${target}: ${path}`)
  return path
}

function refused(t: Test, diagnostic: PathError, targets: readonly string[]): void {
  for (const target of targets) t.equal(parseRequestTarget(target), diagnostic, JSON.stringify(target))
}

void t.test('canonical form', (t) => {
  for (const [target, path, query] of [
    ['/', '/', ''],
    ['/a/b', '/a/b', ''],
    ['/a/', '/a/', ''],
    ['/%61%2Db%5F%7E', '/a-b_~', ''],
    ['/a%2eb', '/a.b', ''],
    ['/a%20b%c3%a4', '/a%20b%C3%A4', ''],
    ['/a?x=1&y=%zz', '/a', '?x=1&y=%zz'],
    ['/a?x=../..', '/a', '?x=../..'],
    ['/a??', '/a', '??'],
    ['/a?', '/a', '?'],
    ['/100%25', '/100%25', ''],
    ['/100%25/x', '/100%25/x', ''],
    ["/!$&'()*+,=:@", "/!$&'()*+,=:@", ''],
    ['/.well-known/x', '/.well-known/x', ''],
    ['/...', '/...', ''],
    ['/a..b/..c/d..', '/a..b/..c/d..', ''],
    ['/.git', '/.git', ''],
    ['/%C3%80', '/%C3%80', ''],
    ['/%E0%A4%B9', '/%E0%A4%B9', ''],
    ['/%F0%9F%98%80', '/%F0%9F%98%80', ''],
  ] as const) {
    const { path: canonical, query: rest } = parsed(target)
    t.strictSame([canonical, rest], [path, query], target)
  }
  t.end()
})

void t.test('readings', (t) => {
  t.strictSame(parsed('/a/b').readings, ['/a/b'])
  t.strictSame(parsed('/@scope%2fpkg').readings, ['/@scope%2Fpkg', '/@scope/pkg'])
  t.strictSame(parsed('//a///b').readings, ['//a///b', '/a/b'])
  t.strictSame(parsed('/a%2F/b').readings, ['/a%2F/b', '/a//b', '/a/b'])
  t.strictSame(parsed('/a%2F%2Fb').readings, ['/a%2F%2Fb', '/a//b', '/a/b'])
  t.end()
})

void t.test('path parameters are cut by some servers before they route', (t) => {
  t.ok(parsed('/admin;x/y').readings.includes('/admin/y'))
  t.ok(parsed('/admin;x=1;y/z').readings.includes('/admin/z'))
  t.ok(parsed('/admin%3Bx/y').readings.includes('/admin/y'))
  t.ok(parsed('/a;x%2Fadmin').readings.includes('/a/admin'))
  t.ok(parsed('/;/admin').readings.includes('/admin'))
  t.equal(parsed('/a;v=1').path, '/a;v=1', 'they go upstream as they are')
  t.end()
})

void t.test('dot segments, in every spelling', (t) => {
  refused(t, 'path-dot-segment', [
    '/..',
    '/.',
    '/a/../b',
    '/a/./b',
    '/a/..',
    '/a/.',
    '/../a',
    '/a/%2e%2e/b',
    '/a/%2E%2E/b',
    '/a/.%2e/b',
    '/a/%2e./b',
    '/a/%2e/b',
    '/a/..%2fb',
    '/a%2f..%2fb',
    '/a%2F%2e%2e%2Fb',
    '/a/..%2Fb',
    '/a%2f..',
    '/a/..;/b',
    '/a/..;x=1/b',
    '/a/.;/b',
    '/a/%2e%2e;/b',
    '/a/..%3b/b',
    '/a/..%3Bx/b',
    '/a/%2e%2e%3b/b',
    '/a%2f..;%2fb',
    '//..//a',
    '/a//../b',
    '/a/../b?x',
  ])
  t.end()
})

void t.test('CVE-2021-41773, CVE-2021-42013: a dot encoded once, twice and half', (t) => {
  refused(t, 'path-dot-segment', ['/cgi-bin/.%2e/.%2e/etc/passwd'])
  refused(t, 'path-double-encoding', [
    '/cgi-bin/%252e%252e/x',
    '/a/%25%32%65/x',
    '/a/%252%65/x',
    '/a/%25%32e/x',
  ])
  refused(t, 'path-escape', ['/cgi-bin/.%%32%65/.%%32%65/etc/passwd'])
  t.end()
})

void t.test('encoded twice: what is refused everywhere is refused in what it stands for', (t) => {
  refused(t, 'path-double-encoding', [
    '/a%255cb',
    '/a%25255cb',
    '/a%2500',
    '/a%252500',
    '/a%250d%250a',
    '/a%252F..%252Fb',
    '/a/%252e%252E/b',
    '/a/%25252e%25252e/b',
    '/a/..%253bx/b',
    '/a/%25c0%25ae/b',
    `/a%${'25'.repeat(12)}41`,
  ])
  t.end()
})

void t.test(
  'encoded twice: a name with a percent sign in it passes as it was sent, and is known for one',
  (t) => {
    for (const target of [
      '/job/app/job/feature%252Flogin/api/json',
      '/lake/ts%3D2024-01-01%2000%253A00%253A00/part-0.parquet',
      '/files/50%25ab.txt',
      '/a%252525',
      '/a%2541',
      '/a%252fb',
    ]) {
      const { path, isEncodedTwice } = parsed(target)
      t.equal(path, target)
      t.ok(isEncodedTwice, target)
    }
    t.equal(parsed('/cgi-bin/.%2532%65/x').path, '/cgi-bin/.%2532e/x', 'no decoding makes a dot of it')
    t.equal(parsed('/%25%32%35').path, '/%2525', 'its own unreserved escapes are decoded')
    for (const target of ['/', '/100%25', '/a%20b', '/a?x=%252f'])
      t.notOk(parsed(target).isEncodedTwice, target)
    t.end()
  },
)

void t.test('CVE-2000-0884, CVE-2008-2938: UTF-8 that is longer than it needs to be', (t) => {
  refused(t, 'path-escape', [
    '/a/%c0%ae%c0%ae/b',
    '/a/%C0%AE./b',
    '/a/%c0%2e%c0%2e/b',
    '/a/..%c0%afb',
    '/a/..%c1%9cb',
    '/a/..%c1%1cb',
    '/a%c0%80',
    '/a/%e0%80%ae%e0%80%ae/b',
    '/a/..%e0%80%afb',
    '/a/..%e0%9f%bfb',
    '/a/..%f0%80%80%afb',
    '/a/..%f8%80%80%80%afb',
    '/a/..%fc%80%80%80%80%afb',
  ])
  t.end()
})

void t.test('backslashes', (t) => {
  refused(t, 'path-backslash', ['/a\\b', '/..\\a', '\\', '/a%5cb', '/a%5C..%5Cb', '/..%5c', '/a\\..\\b'])
  t.equal(typeof parseRequestTarget('/a?b'), 'object')
  t.end()
})

void t.test('control bytes and broken escapes', (t) => {
  refused(t, 'path-escape', [
    '/a%00',
    '/a%00.json',
    '/a%0d%0aX-A: b'.replace(': ', ':'),
    '/a%0A',
    '/a%09',
    '/a%1f',
    '/a%1F',
    '/a%7f',
    '/a%',
    '/a%2',
    '/a%zz',
    '/a%u002e',
    '/a%u2216',
    '/a%%',
    '/a%-1',
    '/%2',
    '/%%2e',
  ])
  refused(t, 'path-form', [
    '',
    'a',
    'a/b',
    '*',
    '?',
    '?/a',
    'http://api.example/a',
    '//\u00e4',
    '/a b',
    '/a\tb',
    '/a\0',
    '/a\r\nX: y',
    '/a\n',
    '/\u00e4',
    '/\uff0e\uff0e/a',
    '/a#b',
    '/a^b',
    '/a`b',
    '/a\x7f',
    '/a?b c',
    '/a?b\n',
    '/a?#',
    '/a?\u00e4',
  ])
  t.end()
})

const piece = fc.constantFrom(
  ...['/', '//', '.', '..', '%2e', '%2E', '%2f', '%2F', '%5c', '\\', ';', '%3b', '%25', '%252e', '%c0%ae'],
  ...['a', 'B', '%41', '%20', '%00', '?', '&', '%', '2', 'e', '%e0%80', '~', '%7e'],
)
const targets = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`)

void t.test('never throws; what passes is canonical, and climbs nowhere however it is read', (t) => {
  let passed = 0
  fc.assert(
    fc.property(fc.oneof(targets, fc.string(), fc.string({ unit: 'binary' })), (target) => {
      const path = parseRequestTarget(target)
      if (typeof path === 'string') return
      passed += 1
      const again = parsed(path.path + path.query)
      if (again.path !== path.path || again.query !== path.query) throw new Error('not canonical')
      if (path.readings[0] !== path.path) throw new Error('the first reading is the path itself')
      for (const reading of path.readings) {
        // An independent reader: WHATWG URL resolves dot segments in every encoding, and turns backslashes.
        const { pathname } = new URL(`http://h${reading}`)
        const escaped = reading.replace(/["<>{}]/g, encodeURIComponent)
        if (pathname !== escaped) throw new Error(`${reading} is ${pathname} to others`)
        if (/%00|%0A|%5C|\\/i.test(reading)) throw new Error(reading)
        if (/%25[0-9A-F]{2}/i.test(reading) && !path.isEncodedTwice) throw new Error(reading)
        // Decoded once, twice, or as often as it can be.
        for (let [depth, text] = [0, reading]; depth < 6; depth += 1) {
          text = decodeOnce(text)
          const climbs = text.split(/[/\\]/).some((segment) => /^\.\.?(;.*)?$/.test(segment))
          if (climbs || (depth > 0 && /[\\\x00-\x1f]/.test(text))) throw new Error(reading)
        }
      }
    }),
    { numRuns: 5_000 },
  )
  t.ok(passed > 200, `${passed} passed`)
  t.end()
})

function decodeOnce(path: string): string {
  return Buffer.from(
    path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
  ).toString()
}

void t.test('a long target takes no longer than its length', (t) => {
  for (const unit of ['/', ';', '%2F', '/a', '.', '%41', '%25', '%2541', '%25', '/;']) {
    const parse = (length: number) => {
      const target = `/${unit.repeat(length / unit.length)}`
      return () => parseRequestTarget(target)
    }
    const times = growth(parse(7_500), parse(60_000))
    t.ok(times < 30, `${unit}: ${times.toFixed(1)} times as long for a target that is eight times as long`)
  }
  t.end()
})

void t.test('whatever a pattern can name is read with and without its escape', (t) => {
  for (let code = 0x21; code < 0x7f; code += 1) {
    const char = String.fromCharCode(code)
    if ('?#\\%'.includes(char)) continue
    const escaped = `/a%${code.toString(16)}b`
    const found = parseRequestTarget(escaped)
    t.ok(typeof found !== 'string' && found.readings.includes(`/a${char}b`), `${escaped} may be /a${char}b`)
  }
  t.end()
})
