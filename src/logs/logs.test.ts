import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { eventually } from '#test/fixtures/eventually.js'
import { logs, type LogsOptions } from '../cli/logs.js'
import type { GatewayEvent } from '../events/events.js'
import { recordLine } from '../events/records.js'
import { ConsoleSink } from './console-sink.js'
import { followLog } from './follow.js'
import { formatEvent, painter, type Paint } from './format.js'
import { logFiles } from '../audit/chain.js'
import { parseLine, readLog, type LogLine } from './read.js'

const plain = painter(false, {})

interface Fields {
  readonly second: number
  readonly mark: string
  readonly verdict?: 'allow' | 'deny'
  readonly host?: string
  readonly sandbox?: string
}

/** A line of http.ndjson; its path identifies it. */
function http({ second, mark, verdict = 'allow', host = 'a.example', sandbox = 'sb-1' }: Fields): string {
  return JSON.stringify({
    '@timestamp': new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
    event: { action: 'http-request', reason: verdict === 'deny' ? 'no-rule' : null },
    rule: { name: 'r' },
    url: { scheme: 'https', domain: host, port: 443, path: `/${mark}`, query: null },
    http: { request: { id: '12345678-abcd', method: 'GET' }, response: { status_code: null } },
    egress: { sandbox: { id: sandbox, agent: 'default' }, verdict, detail: null, credential: null },
  })
}

function dns({ second, mark, verdict = 'allow', sandbox = 'sb-1' }: Fields): string {
  return JSON.stringify({
    '@timestamp': new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
    event: { action: 'dns-query', reason: verdict === 'deny' ? 'host-not-listed' : null },
    rule: { name: null },
    dns: { question: { name: mark, type: 'A' }, response_code: 'NOERROR', resolved_ip: ['10.0.0.1'] },
    egress: { sandbox: { id: sandbox, agent: 'default' }, verdict, suspicious: false },
  })
}

function auditDirectory(t: Test, files: Record<string, readonly string[]>): string {
  const place = mkdtempSync(join(tmpdir(), 'egress-logs-'))
  t.teardown(() => rmSync(place, { recursive: true }))
  for (const [name, lines] of Object.entries(files)) {
    mkdirSync(dirname(join(place, name)), { recursive: true })
    writeFileSync(join(place, name), lines.map((line) => `${line}\n`).join(''))
  }
  return place
}

function markOf({ shown: { type, event } }: LogLine): string {
  if (type === 'decision') return event.path?.slice(1) ?? ''
  return type === 'query' ? (event.question?.name ?? '') : ''
}

/** A record as it is shown. */
function formatRecord(record: unknown, paint: Paint): string {
  const line = parseLine(JSON.stringify(record))
  if (line === null) throw new Error('damaged')
  return formatEvent(line.time, line.shown, paint)
}

async function marks(lines: AsyncIterable<LogLine>): Promise<string[]> {
  const found: string[] = []
  for await (const line of lines) found.push(markOf(line))
  return found
}

const NOW = Date.UTC(2026, 0, 1, 0, 1)

/** Runs the command to its end; `written` has meanwhile what it has written so far. */
async function run(
  auditDir: string,
  options: Partial<LogsOptions>,
  signal = new AbortController().signal,
  written: string[] = [],
) {
  let [out, err] = ['', '']
  const io = {
    stdout: { write: (text: string) => ((out += text), written.push(text)) },
    stderr: { write: (text: string) => (err += text) },
    env: {},
    cwd: '/',
  }
  const all: LogsOptions = {
    auditDir,
    isNamed: false,
    role: undefined,
    follow: false,
    tail: null,
    filter: {},
    format: 'json',
    bar: false,
    colour: false,
  }
  const code = await logs({ ...all, ...options }, io, NOW, signal)
  const shown = out.split('\n').map(parseLine)
  return { code, err, out, marks: shown.flatMap((line) => (line === null ? [] : [markOf(line)])) }
}

void t.test('lines are merged by time within a run, run by run, rotated files first', async (t) => {
  const place = auditDirectory(t, {
    'http.ndjson': [http({ second: 1, mark: 'h1' }), http({ second: 5, mark: 'h5' })],
    'dns.ndjson': [
      dns({ second: 0, mark: 'd0' }),
      dns({ second: 3, mark: 'd3' }),
      dns({ second: 9, mark: 'd9' }),
    ],
    'runs/2026-01-02/http.2.ndjson': [http({ second: 22, mark: 'b' })],
    'runs/2026-01-02/http.1.ndjson': [http({ second: 21, mark: 'a' })],
    'runs/2026-01-02/http.ndjson': [http({ second: 23, mark: 'c' })],
    'runs/2026-01-01/dns.ndjson': [dns({ second: 30, mark: 'first run' })],
    'runs/2026-01-01/http.txt': [http({ second: 31, mark: 'no log' })],
  })
  const damaged: string[] = []
  t.strictSame(await marks(readLog(place, ['dns', 'http', 'sandbox'], (file) => damaged.push(file))), [
    ...['d0', 'h1', 'd3', 'h5', 'd9'],
    'first run',
    ...['a', 'b', 'c'],
  ])
  t.strictSame(damaged, [])
  t.strictSame(await marks(readLog(place, ['dns'], () => undefined)), ['d0', 'd3', 'd9', 'first run'])
  t.strictSame(await marks(readLog(join(place, 'none'), ['dns'], () => undefined)), [])
  t.strictSame(logFiles(join(place, 'none'), 'dns'), [])
})

void t.test('damaged lines are counted and skipped', async (t) => {
  const broken = [
    '',
    'x',
    '{',
    'null',
    '7',
    '[]',
    '{}',
    '{"@timestamp":"x"}',
    '{"@timestamp":7,"event":{"action":"a"},"egress":{}}',
    '{"@timestamp":"x","event":null,"egress":{}}',
    '{"@timestamp":"x","event":{"action":7},"egress":{}}',
    '{"@timestamp":"x","event":{"action":"a"}}',
    '{"@timestamp":"x","event":{"action":"a"},"egress":null}',
    '{"@timestamp":"x","event":{"action":"a"},"egress":"x"}',
    http({ second: 1, mark: 'cut' }).slice(0, -9),
  ]
  for (const line of broken) t.equal(parseLine(line), null, line)
  const place = auditDirectory(t, {
    'http.ndjson': [http({ second: 1, mark: 'a' }), ...broken, http({ second: 2, mark: 'b' })],
  })
  const { marks: shown, err, code } = await run(place, { format: 'json' })
  t.strictSame(shown, ['a', 'b'])
  t.equal(err, `egress: ${broken.length} damaged lines were skipped\n`)
  t.equal(code, 0)
  t.match((await run(place, { format: 'pretty' })).out, /\/a r #12345678\n/)
})

void t.test('tail, since, denied, host, sandbox, role', async (t) => {
  const place = auditDirectory(t, {
    'http.ndjson': [
      http({ second: 1, mark: 'a' }),
      http({ second: 2, mark: 'b', verdict: 'deny' }),
      http({ second: 30, mark: 'c', host: 'b.example', sandbox: 'sb-2' }),
      http({ second: 50, mark: 'd', verdict: 'deny', sandbox: 'sb-2' }),
    ],
    'dns.ndjson': [dns({ second: 40, mark: 'b.example', verdict: 'deny' })],
  })
  for (const [options, expected] of [
    [{}, ['a', 'b', 'c', 'b.example', 'd']],
    [{ tail: 2 }, ['b.example', 'd']],
    [{ tail: 0 }, []],
    [{ tail: 99 }, ['a', 'b', 'c', 'b.example', 'd']],
    [{ filter: { denied: true } }, ['b', 'b.example', 'd']],
    [{ filter: { denied: true }, tail: 1 }, ['d']],
    [{ filter: { host: 'B.Example' } }, ['c', 'b.example']],
    [{ filter: { host: 'b.example.' } }, ['c', 'b.example']],
    [{ filter: { host: 'example' } }, []],
    [{ filter: { sandbox: 'sb-2' } }, ['c', 'd']],
    [{ filter: { sandbox: 'sb' } }, []],
    [{ role: 'dns' }, ['b.example']],
    [{ role: 'sandbox' }, []],
    [{ filter: { since: '30s' } }, ['c', 'b.example', 'd']],
    [{ filter: { since: '29s' } }, ['b.example', 'd']],
    [{ filter: { since: '1m' } }, ['a', 'b', 'c', 'b.example', 'd']],
    [{ filter: { since: '1h2m3s' } }, ['a', 'b', 'c', 'b.example', 'd']],
    [{ filter: { since: '2026-01-01T00:00:40Z' } }, ['b.example', 'd']],
    [{ filter: { since: '2027-01-01' } }, []],
  ] as const)
    t.strictSame((await run(place, options)).marks, expected, JSON.stringify(options))
  for (const since of ['soon', '10', '1w', '2026-13-01'])
    await t.rejects(run(place, { filter: { since } }), { code: 'EGRESS_USAGE', exitCode: 2 }, since)
  await t.rejects(run(place, { role: 'smtp' }), { code: 'EGRESS_USAGE' })
})

void t.test('no log yet, and an audit directory that cannot be read', async (t) => {
  const place = auditDirectory(t, { 'http.ndjson': [http({ second: 1, mark: 'a' })] })
  const { code, out, err } = await run(join(place, 'none'), {})
  t.strictSame([code, out], [0, ''])
  t.match(err, /^egress: No audit log in \/.*none yet\n {2}Run an agent with `egress run` first/)
  await t.rejects(run(join(place, 'none'), { isNamed: true }), { code: 'EGRESS_USAGE', fix: /--audit-dir/ })
  t.equal((await run(place, { filter: { denied: true } })).err, '', 'the log exists, but no record matches')
  await t.rejects(run(join(place, 'http.ndjson'), {}), {
    code: 'EGRESS_AUDIT_UNREADABLE',
    problem: /^Cannot read the audit directory .* \(ENOTDIR\)/,
    fix: /--audit-dir/,
    exitCode: 1,
  })
})

void t.test('as much of a URL as the request had', (t) => {
  const record = JSON.parse(http({ second: 1, mark: 'a', verdict: 'deny' })) as object
  const none = { scheme: null, domain: null, port: null, path: null, query: null }
  for (const [url, shown] of [
    [{ domain: 'a.example', port: 443 }, 'GET a.example:443 no-rule'],
    [{ domain: 'a.example' }, 'GET a.example no-rule'],
    [
      { scheme: 'http', domain: 'a.example', port: 80, path: '/', query: 'x' },
      'GET http://a.example/?x no-rule',
    ],
    [{ scheme: 'https', domain: 'a.example', port: 8443, path: '/' }, 'GET https://a.example:8443/ no-rule'],
    [{ path: '/nope/x' }, 'GET /nope/x no-rule'],
    [{}, 'GET (no host) no-rule'],
  ] as const)
    t.match(formatRecord({ ...record, url: { ...none, ...url } }, plain), shown)
  t.end()
})

void t.test("the gateway's own requests do not pass for the sandbox's", (t) => {
  const record = JSON.parse(http({ second: 1, mark: 'token' })) as object
  const token = { ...record, event: { action: 'http-token', reason: null } }
  t.match(formatRecord(token, plain), 'http ALLOW TOKEN GET https://a.example/token')
  t.match(formatRecord(record, plain), 'http ALLOW GET https://a.example/token')
  t.end()
})

void t.test('text from the sandbox cannot move the cursor or start a new line', (t) => {
  const nasty = '\x1b[2J\r\n2026 http ALLOW\x07\x7f\x9b31m'
  const record = {
    '@timestamp': '2026-01-01T00:00:00.000Z',
    event: { action: 'http-request', reason: 'no-rule' },
    rule: { name: nasty },
    url: { scheme: 'https', domain: nasty, port: 443, path: nasty, query: nasty },
    http: { request: { id: 'abc', method: nasty }, response: { status_code: 403 } },
    process: { executable: nasty, exit_code: 0 },
    dns: { question: { name: nasty, type: 'A' }, response_code: 'NOERROR', resolved_ip: [] },
    egress: { sandbox: { id: nasty, agent: nasty }, verdict: 'deny', detail: nasty, credential: nasty },
  }
  const actions = ['http-request', 'dns-query', 'http-close', 'sandbox-start', 'audit-gap', 'secret-rotation']
  for (const action of [...actions, 'policy-loaded', 'policy-rejected', nasty]) {
    for (const verdict of ['allow', 'deny'] as const) {
      const shown = { ...record, event: { reason: nasty, action }, egress: { ...record.egress, verdict } }
      const text = formatRecord(shown, plain)
      t.notMatch(text, /[\x00-\x1f\x7f-\x9f]/, `${action}, ${verdict}`)
      t.notMatch(text, '\n')
    }
  }
  t.match(formatRecord(record, plain), /\\x1b\[2J\\x0d\\x0a/)
  t.end()
})

void t.test('colour needs a terminal, and its word stands there without it', (t) => {
  const record = JSON.parse(http({ second: 1, mark: 'a', verdict: 'deny' })) as object
  t.match(formatRecord(record, painter(true, {})), '\x1b[31mDENY ')
  for (const paint of [painter(false, {}), painter(true, { NO_COLOR: '1' }), painter(true, { TERM: 'dumb' })])
    t.equal(
      formatRecord(record, paint),
      '2026-01-01 00:00:01.000Z http DENY  GET https://a.example/a no-rule, r #12345678',
    )
  t.match(painter(true, { NO_COLOR: '' })('red', 'x'), '\x1b[', 'an empty NO_COLOR has no effect')
  t.end()
})

void t.test(
  'as it happens a line reads as it does later, and what happens in one turn is written at once',
  async (t) => {
    const at = Date.UTC(2026, 0, 1)
    const time = new Date(at).toISOString()
    const sandbox = { id: 'sb-1', agent: 'default' }
    const hash = 'abcdef'.repeat(10)
    const events: GatewayEvent[] = [
      { type: 'sandbox', event: { at, sandbox, action: 'sandbox-start', command: 'sh', exitCode: null } },
      { type: 'sandbox', event: { at, sandbox, action: 'sandbox-end', command: 'sh', exitCode: 3 } },
      { type: 'rotation', event: { at, secret: 'TOKEN', source: 'file', problem: null, fix: null } },
      {
        type: 'policy',
        event: { at, action: 'policy-loaded', hash, previousHash: null, problem: null },
      },
      {
        type: 'policy',
        event: {
          at,
          action: 'policy-rejected',
          hash: null,
          previousHash: hash,
          problem: 'egress.yaml:3:1: bad',
        },
      },
      { type: 'gap', event: { at, lost: 3 } },
    ]
    const written: string[] = []
    const sink = new ConsoleSink((text) => written.push(text), plain)
    for (const event of events) sink.take(time, event)
    await new Promise((resolve) => setImmediate(resolve))
    const later = events.map((event, sequence) => {
      const line = parseLine(recordLine({ time, sequence, observer: 'g', previous: null }, event))
      return line === null ? '' : `${formatEvent(line.time, line.shown, plain)}\n`
    })
    t.strictSame(written, [later.join('')])
    t.match(written[0], /sandbox-end sb-1 sh exit 3\n/)
    t.match(written[0], /POLICY loaded abcdefabcdef\n/)
    t.match(written[0], /POLICY rejected none, the previous policy stays in force: egress\.yaml:3:1: bad\n/)
    sink.end()
    t.equal(written.length, 1, 'nothing is written twice')
  },
)

/** Follows, and gives a function that waits until so many lines came. */
function follow(t: Test, place: string) {
  const stop = new AbortController()
  const found: string[] = []
  const done = (async () => {
    for await (const line of followLog(place, ['dns', 'http', 'sandbox'], stop.signal))
      found.push(markOf(line))
  })()
  t.teardown(async () => {
    stop.abort()
    await done
  })
  return async (count: number) => {
    await eventually(() => found.length >= count)
    return [...found]
  }
}

void t.test('follow: new lines, new runs, rotated files', async (t) => {
  const place = auditDirectory(t, { 'http.ndjson': [http({ second: 1, mark: 'old' })] })
  const seen = follow(t, place)
  await sleep(50)
  const file = join(place, 'http.ndjson')
  appendFileSync(file, `${http({ second: 2, mark: 'a' })}\n${http({ second: 3, mark: 'b' })}\n`)
  t.strictSame(await seen(2), ['a', 'b'])
  mkdirSync(join(place, 'runs', '1'), { recursive: true })
  writeFileSync(join(place, 'runs', '1', 'dns.ndjson'), `${dns({ second: 4, mark: 'run' })}\n`)
  t.strictSame(await seen(3), ['a', 'b', 'run'])
  renameSync(file, join(place, 'http.1.ndjson'))
  writeFileSync(file, `damaged\n${http({ second: 5, mark: 'new file' })}\n`)
  t.strictSame(await seen(4), ['a', 'b', 'run', 'new file'])
})

void t.test('follow: many lines at once are read in many turns', async (t) => {
  const place = auditDirectory(t, { 'http.ndjson': [] })
  let turns = 0
  const counting = setInterval(() => (turns += 1), 0)
  t.teardown(() => clearInterval(counting))
  const marks = Array.from({ length: 10_000 }, (_, index) => String(index))
  const seenAt: number[] = []
  const stop = new AbortController()
  const found: string[] = []
  const done = (async () => {
    for await (const line of followLog(place, ['http'], stop.signal)) {
      found.push(markOf(line))
      seenAt.push(turns)
    }
  })()
  await sleep(50)
  appendFileSync(
    join(place, 'http.ndjson'),
    marks.map((mark, index) => `${http({ second: index % 60, mark })}\n`).join(''),
  )
  t.ok(await eventually(() => found.length === marks.length))
  stop.abort()
  await done
  t.strictSame(new Set(found), new Set(marks))
  t.ok((seenAt.at(-1) ?? 0) - (seenAt[0] ?? 0) >= 3, 'others had their turns between')
})

void t.test('follow: a line is shown once it is complete', async (t) => {
  const place = auditDirectory(t, { 'http.ndjson': [] })
  const seen = follow(t, place)
  await sleep(50)
  const file = join(place, 'http.ndjson')
  const line = Buffer.from(`${http({ second: 1, mark: '\u00e4\u2026\u{1f600}' })}\n`)
  const middle = line.indexOf(Buffer.from('\u2026')) + 1
  appendFileSync(file, line.subarray(0, middle))
  await sleep(450)
  t.strictSame(await seen(0), [], 'half a line, cut within a character')
  appendFileSync(file, line.subarray(middle))
  t.strictSame(await seen(1), ['\u00e4\u2026\u{1f600}'])
  appendFileSync(file, line.subarray(0, middle))
  await sleep(250)
  // The gateway truncates the file after a full disk cut a line short.
  truncateSync(file, line.length)
  appendFileSync(file, `${http({ second: 2, mark: 'b' })}\n`)
  t.strictSame(await seen(2), ['\u00e4\u2026\u{1f600}', 'b'])
})

void t.test('the command follows until it is interrupted', async (t) => {
  const place = auditDirectory(t, {
    'http.ndjson': [http({ second: 1, mark: 'old' }), http({ second: 2, mark: 'last' })],
  })
  const stop = new AbortController()
  const written: string[] = []
  const running = run(place, { follow: true, tail: 1 }, stop.signal, written)
  const shows = (mark: string) => eventually(() => written.join('').includes(`"/${mark}"`))
  await shows('last')
  appendFileSync(join(place, 'http.ndjson'), `${http({ second: 3, mark: 'new' })}\n`)
  await shows('new')
  stop.abort()
  t.strictSame((await running).marks, ['last', 'new'])
})
