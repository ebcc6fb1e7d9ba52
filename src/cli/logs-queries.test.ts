import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { REASONS, outcomeOf, type Reason } from '#firewall/contracts/reasons.js'
import type { DnsEvent } from '#dns/events.js'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'
import { connectionDecision } from '#proxy/records/connection-decision.js'
import type { GatewayEvent } from '../events/events.js'
import { recordLine } from '../events/records.js'
import { logs, type FilterFlags } from './logs.js'
import { logsShow } from './logs-show.js'
import { logsStats } from './logs-stats.js'

const NOW = Date.UTC(2026, 0, 1, 1)
const at = (second: number) => NOW - 3_600_000 + second * 1_000

interface Facts {
  readonly second: number
  readonly id?: string
  readonly host?: string
  readonly agent?: string
  readonly reason?: Reason
  readonly service?: string
  readonly credential?: string
}

const sandboxOf = (agent = 'default') => ({ id: `sb-${agent}`, agent })

function decision(facts: Facts): GatewayEvent {
  const { second, id = `id-${String(second)}`, host = 'a.example', reason, service, credential } = facts
  const peer = { address: '10.0.0.2', port: 1 }
  const binding = { listener: 'forward', peer, host, scheme: 'https', port: 443 } as const
  const sandbox = { ...sandboxOf(facts.agent), placeholders: new Map() }
  const event: HttpDecision = {
    ...connectionDecision({ ...binding, sandbox }, { at: at(second), id, kind: 'request' }),
    ...{ verdict: reason === undefined ? 'allow' : 'deny', reason: reason ?? null, rule: 'r' },
    ...{ method: 'GET', path: '/x', service: service ?? null, credential: credential ?? null },
  }
  return { type: 'decision', event }
}

function close(second: number, id: string, durationMs: number): GatewayEvent {
  const event: HttpClose = {
    ...{ host: 'a.example', service: null, credential: null },
    ...{ at: at(second), id, sandbox: sandboxOf(), outcome: 'success', reason: null, detail: null },
    ...{ status: 200, requestBytes: 1_024, responseBytes: 2_048, durationMs },
    redactions: [{ credential: 'a/bearer', count: 2 }],
  }
  return { type: 'close', event }
}

function query(second: number, name: string, suspicious = false, agent = 'default'): GatewayEvent {
  const event: DnsEvent = {
    ...{ time: at(second), sandbox: sandboxOf(agent), client: { address: '10.0.0.2', port: 5 } },
    ...{ transport: 'udp', id: 7, question: { name, type: 'A', class: 'IN' } },
    ...{ verdict: suspicious ? 'deny' : 'allow', reason: suspicious ? 'host-not-listed' : null, rule: 'r' },
    ...{ wildcard: null, features: null, suspicious, rcode: 'NOERROR', answers: [], budget: null },
  }
  return { type: 'query', event }
}

const timeOf = ({ type, event }: GatewayEvent) => (type === 'query' ? event.time : event.at)

/** An audit directory with these records, each in the log that it belongs to. */
function place(t: Test, events: readonly GatewayEvent[]): string {
  const directory = t.testdir({})
  for (const role of ['dns', 'http'] as const) {
    const lines = events
      .filter(({ type }) => (type === 'query') === (role === 'dns'))
      .map((event, sequence) => {
        const time = new Date(timeOf(event)).toISOString()
        return recordLine({ time, sequence, observer: 'g', previous: null }, event)
      })
    writeFileSync(join(directory, `${role}.ndjson`), lines.map((line) => `${line}\n`).join(''))
  }
  return directory
}

/** Runs a command, and returns what it printed. */
async function printed(run: (io: Parameters<typeof logs>[1]) => Promise<number>): Promise<string> {
  let out = ''
  const stdout = { write: (text: string) => (out += text) }
  await run({ stdout, stderr: { write: () => undefined }, env: {}, cwd: '/' })
  return out
}

const common = (auditDir: string) => ({
  auditDir,
  isNamed: true,
  role: undefined,
  format: 'pretty' as const,
  bar: false,
  json: false,
  colour: false,
})

async function chosen(auditDir: string, filter: FilterFlags): Promise<string[]> {
  const options = { ...common(auditDir), filter, follow: false, tail: null, format: 'json' as const }
  const out = await printed((io) => logs(options, io, NOW, new AbortController().signal))
  const ids = out.matchAll(/"request":\{"id":"([^"]+)"|"question":\{"name":"([^"]+)"/g)
  return Array.from(ids, ([, id, name]) => id ?? name ?? '')
}

void t.test('each reason is a denial, a failure or a limit', (t) => {
  const of = (outcome: string) =>
    (Object.keys(REASONS) as Reason[]).filter((reason) => outcomeOf(reason) === outcome)
  for (const reason of [
    'no-rule',
    'host-not-listed',
    'denied-by-rule',
    'name-looks-encoded',
    'address-refused',
  ])
    t.ok(of('denied').includes(reason as Reason), reason)
  for (const reason of [
    'unresolvable',
    'upstream-tls',
    'credential-unavailable',
    'audit-unavailable',
    'internal',
  ])
    t.ok(of('failed').includes(reason as Reason), reason)
  for (const reason of ['rate-limited', 'quota-exceeded', 'name-budget', 'busy', 'too-large'])
    t.ok(of('limited').includes(reason as Reason), reason)
  t.equal(outcomeOf('reverse-name'), 'denied', 'of queries alone')
  const broken = of('denied').filter((reason) => REASONS[reason][0] >= 500)
  t.strictSame(broken, [], 'what the gateway or an upstream could not do is no denial')
  t.end()
})

void t.test('a failure and a limit are neither shown nor listed as denials', async (t) => {
  const directory = place(t, [
    decision({ second: 1 }),
    decision({ second: 2, reason: 'no-rule' }),
    decision({ second: 3, reason: 'unresolvable' }),
    decision({ second: 4, reason: 'rate-limited' }),
  ])
  const options = { ...common(directory), filter: {}, follow: false, tail: null }
  const out = await printed((io) => logs(options, io, NOW, new AbortController().signal))
  t.strictSame(
    Array.from(out.matchAll(/http (\w+)/g), ([, word]) => word),
    ['ALLOW', 'DENY', 'FAIL', 'LIMIT'],
  )
  t.strictSame(await chosen(directory, { denied: true }), ['id-2'])
  t.strictSame(await chosen(directory, { failed: true }), ['id-3'])
  t.strictSame(await chosen(directory, { limited: true }), ['id-4'])
  t.strictSame(await chosen(directory, { denied: true, limited: true }), ['id-2', 'id-4'])
})

void t.test('filters, alone and together', async (t) => {
  const directory = place(t, [
    decision({ second: 1, agent: 'ci', service: 'jira', credential: 'jira/bearer' }),
    decision({ second: 2, agent: 'ci', host: 'b.example' }),
    decision({ second: 3, reason: 'no-rule' }),
    query(4, 'b.example'),
  ])
  for (const [filter, expected] of [
    [{}, ['id-1', 'id-2', 'id-3', 'b.example']],
    [{ agent: 'ci' }, ['id-1', 'id-2']],
    [{ service: 'jira' }, ['id-1']],
    [{ credential: 'jira/bearer' }, ['id-1']],
    [{ reason: 'no-rule' }, ['id-3']],
    [{ until: '2026-01-01T00:00:03Z' }, ['id-1', 'id-2']],
    [{ since: '2026-01-01T00:00:02Z', until: '2026-01-01T00:00:03Z' }, ['id-2']],
    [{ agent: 'ci', host: 'b.example' }, ['id-2']],
    [{ agent: 'c' }, []],
  ] as const)
    t.strictSame(await chosen(directory, filter), expected, JSON.stringify(filter))
  await t.rejects(chosen(directory, { until: 'soon' }), { code: 'EGRESS_USAGE', problem: /--until/ })
})

void t.test('figures', async (t) => {
  const hostile = 'x\x1b[2J.example'
  const directory = place(t, [
    ...Array.from({ length: 12 }, (_, i) => decision({ second: i, host: `h${String(i)}.example` })),
    ...Array.from({ length: 3 }, (_, i) => decision({ second: 20 + i, agent: 'ci' })),
    decision({ second: 30, reason: 'no-rule', host: hostile }),
    decision({ second: 31, reason: 'unresolvable' }),
    ...Array.from({ length: 100 }, (_, i) => close(40, `id-${String(i)}`, i + 1)),
    query(50, 'a.example'),
    query(51, 'aGVsbG8.evil.example', true),
  ])
  const options = { ...common(directory), filter: {} }
  const out = await printed((io) => logsStats(options, io, NOW))
  t.match(out, /^119 records from 2026-01-01T00:00:00.000Z to 2026-01-01T00:00:51.000Z\n/)
  t.match(out, 'DNS queries  1 allowed, 1 denied, 0 failed, 0 limited\n')
  t.match(out, 'Requests     15 allowed, 1 denied, 1 failed, 0 limited\n')
  t.match(out, 'Bodies       100.0 KiB up, 200.0 KiB down; 200 secrets redacted\n')
  t.match(out, 'p50 50 ms, p95 95 ms\n')
  t.match(out, /Requests by host\n {2}4 {2}a.example\n(.*\n){9} {2}and 4 more\n/)
  t.match(out, /Requests by agent\n {2}14 {2}default\n {3}3 {2}ci\n/)
  t.match(out, /Names that look like encoded data\n {2}1 {2}aGVsbG8.evil.example\n/)
  t.notMatch(out, '\x1b')
  const json = JSON.parse(await printed((io) => logsStats({ ...options, format: 'json' }, io, NOW))) as object
  t.match(json, { p95: 95, denials: [{ name: 'a.example unresolvable', count: 1 }, { count: 1 }] })
  const none = await printed((io) => logsStats({ ...options, filter: { agent: 'nobody' } }, io, NOW))
  t.match(none, /^No records\n/)
})

void t.test('one request, from its query to its end', async (t) => {
  const directory = place(t, [
    query(0, 'a.example', false, 'other'),
    query(1, 'a.example'),
    query(2, 'b.example'),
    decision({ second: 3, id: 'abcd-1' }),
    decision({ second: 4, id: 'abce-2' }),
    close(5, 'abcd-1', 7),
  ])
  const show = (id: string) => printed((io) => logsShow({ ...common(directory), id }, io))
  const lines = (await show('abcd')).trimEnd().split('\n')
  t.match(lines, [/A a\.example/, /http ALLOW GET .* #abcd-1/, /http CLOSE #abcd-1 200/])
  t.equal(lines.length, 3)
  await t.rejects(show('abc'), { code: 'EGRESS_NO_REQUEST', fix: /abcd-1/ })
  await t.rejects(show('zzz'), { code: 'EGRESS_NO_REQUEST', fix: /behind #/ })
})
