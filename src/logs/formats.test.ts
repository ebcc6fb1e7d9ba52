import { gzipSync } from 'node:zlib'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { decisionLine } from '../events/records.js'
import { csvRow, rowOf, COLUMNS } from './csv.js'
import { textFilter, isChosen, type Filter } from './filter.js'
import { cell, summaryMarkdown, tableRow } from './markdown.js'
import { progressBar } from './progress.js'
import { parseLine, readLog, sizeOfLogs } from './read.js'
import { LogStats } from './stats.js'

const HOSTILE = [
  '=HYPERLINK("http://evil.example","x")',
  "+1+cmd|' /C calc'!A0",
  '-2+3',
  '@SUM(1)',
  '\t=1',
  ' =1',
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '[click](https://evil.example)',
  '![x](https://evil.example/x.png)',
  'https://evil.example/',
  'www.evil.example',
  'someone@evil.example',
  '@everyone',
  '#123',
  'GH-12',
  'a | b',
  'a\n\n# heading',
  '`code`',
  '*bold* _it_ ~no~',
  '\\|',
  '&lt;b&gt;',
  '\u202egnp.exe',
  '|',
]

const http = (host: string, path: string, second = 1) =>
  decisionLine(
    {
      time: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
      sequence: second,
      observer: 'g',
      previous: null,
    },
    {
      ...{ at: 0, id: 'id-1', sandbox: { id: 'sb-1', agent: 'ci', labels: ['task=1'] } },
      ...{ peer: { address: '10.0.0.1', port: 1 }, listener: 'forward', kind: 'request', method: 'GET' },
      ...{ scheme: 'https', host, port: 443, path, query: null, verdict: 'deny', reason: 'host-not-listed' },
      ...{ detail: null, rule: null, status: 403, service: null, credential: null, address: null },
    },
  )

void t.test('csv: no cell is a formula, and every cell is read back as one', (t) => {
  for (const text of HOSTILE) {
    const row = csvRow([text, 'next'])
    t.notMatch(row, /(?:^|,)"?[\s]*[=+\-@\t\r|%]/, text)
    t.notMatch(row, /[\n\r\u202e]/, 'it is one line')
    t.equal(readCsv(row).length, 2, row)
  }
  const line = parseLine(http('a.example', '/x,"y"'))
  if (line === null) throw new Error('a record is read')
  const cells = readCsv(csvRow(rowOf(line)))
  t.equal(cells.length, COLUMNS.length)
  t.match(cells, [
    '2026-01-01T00:00:01.000Z',
    'sb-1',
    'ci',
    'task=1',
    'http-request',
    'denied',
    'GET',
    'a.example',
  ])
  t.equal(cells[COLUMNS.indexOf('target')], '/x,"y"')
  t.end()
})

void t.test('markdown: what a sandbox wrote is the text of one cell, whatever reads the page', (t) => {
  // Nothing that has a meaning in Markdown, HTML or on a forge is left as it is.
  const inert = /^(?:[A-Za-z0-9 ,./()…-]|&#\d+;)*$/u
  const check = (text: string) => {
    const shown = cell(text)
    return inert.test(shown) && !/www\.|gh-\d/i.test(shown)
  }
  for (const text of HOSTILE) t.ok(check(text), cell(text))
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), check), { numRuns: 2000 })
  fc.assert(
    fc.property(fc.constantFrom(...HOSTILE), fc.constantFrom(...HOSTILE), (a, b) => check(a + b)),
    { numRuns: 2000 },
  )
  const decoded = (text: string) => text.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
  t.equal(
    decoded(cell('https://a.example/?q=1&b=<x>')),
    'https://a.example/?q=1&b=<x>',
    'and people read what was asked',
  )
  t.equal(tableRow(['a | b', 'c']).match(/\|/g)?.length, 3)
  const stats = new LogStats()
  for (const text of HOSTILE) {
    const line = parseLine(http(text, text))
    if (line !== null) stats.add(line)
  }
  const summary = summaryMarkdown(stats.figures())
  t.notMatch(summary, /<script|<img|\]\(|https:\/\/|@everyone|\n# heading|`code`/)
  t.match(summary, /^## Egress\n/)
  for (const row of summary.split('\n').filter((line) => line.startsWith('|')))
    t.ok([3, 6].includes(row.match(/\|/g)?.length ?? 0), row)
  t.end()
})

void t.test('what a filter drops by text is never what it would choose', (t) => {
  const none: Filter = {
    ...{ since: null, until: null, host: null, sandbox: null, agent: null, reason: null, service: null },
    ...{ credential: null, labels: [], outcomes: [] },
  }
  const line = parseLine(http('a.example', '/x', 30))
  if (line === null) throw new Error('a record is read')
  const at = Date.UTC(2026, 0, 1, 0, 0, 30)
  const cases: readonly (readonly [Partial<Filter>, boolean])[] = [
    [{}, true],
    [{ host: 'a.example' }, true],
    [{ host: 'b.example' }, false],
    [{ host: 'é' }, false],
    [{ since: at }, true],
    [{ since: at + 1 }, false],
    [{ until: at }, false],
    [{ until: at + 1 }, true],
    [{ since: -1e15, until: 8e15 }, true],
    [{ labels: ['task=1'], agent: 'ci', sandbox: 'sb-1' }, true],
    [{ labels: ['task=2'] }, false],
    [{ outcomes: ['denied'] }, true],
    [{ outcomes: ['failed'] }, false],
    [{ reason: 'host-not-listed' }, true],
  ]
  for (const [filter, isWanted] of cases) {
    const whole = { ...none, ...filter }
    t.equal(isChosen(line, whole), isWanted, JSON.stringify(filter))
    if (isWanted) t.ok(textFilter(whole)(line.text), JSON.stringify(filter))
  }
  t.notOk(textFilter({ ...none, host: 'b.example' })(line.text), 'and it does drop')
  t.notOk(textFilter({ ...none, since: at + 1 })(line.text))
  t.end()
})

void t.test('compressed files are read like the others, and none twice', async (t) => {
  const directory = t.testdir({})
  mkdirSync(join(directory, 'runs'))
  const text = (second: number) => `${http('a.example', `/${String(second)}`, second)}\n`
  writeFileSync(join(directory, 'http.1.ndjson.gz'), gzipSync(text(1) + text(2)))
  writeFileSync(join(directory, 'http.2.ndjson'), text(3))
  // Whoever compressed it was stopped.
  writeFileSync(join(directory, 'http.2.ndjson.gz'), gzipSync(text(3)).subarray(0, 20))
  writeFileSync(join(directory, 'http.ndjson'), text(4).trimEnd())
  const paths: string[] = []
  let read = 0
  const reading = { progress: (bytes: number) => (read += bytes) }
  for await (const { shown } of readLog(directory, ['http'], () => t.fail('damaged'), reading))
    if (shown.type === 'decision') paths.push(shown.event.path ?? '')
  t.strictSame(paths, ['/1', '/2', '/3', '/4'])
  t.equal(read, sizeOfLogs(directory, ['http']), 'and all of it was told')
  t.end()
})

void t.test('a bar is for who waits at a terminal', (t) => {
  let now = 0
  const written: string[] = []
  const terminal = { write: (text: string) => written.push(text) }
  const bar = progressBar(terminal, 100, () => now)
  bar.add(10)
  t.strictSame(written, [], 'not for what takes a moment')
  now = 2_000
  bar.add(40)
  t.match(written[0], /^\r█{15}░{15} 50 %$/)
  bar.clear()
  t.equal(written.at(-1), '\r\x1b[K')
  progressBar(null, 100, () => now).add(1)
  t.end()
})

/** Cells of a row (RFC 4180). */
function readCsv(row: string): string[] {
  return [...row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  )
}
