import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'
import { connectionDecision } from '#proxy/records/connection-decision.js'
import { Audit } from './audit.js'

interface Line {
  readonly event: { readonly action: string; readonly sequence: number }
  readonly observer: { readonly name: string; readonly type: string }
  readonly egress: { readonly lost_close_records?: number }
}

const SANDBOX = { id: 'sb', agent: 'default', placeholders: new Map() }

function decision(at: number): HttpDecision {
  const peer = { address: '10.0.0.2', port: 1 }
  const binding = {
    listener: 'forward',
    sandbox: SANDBOX,
    peer,
    host: 'a.example',
    scheme: 'https',
    port: 443,
  } as const
  return connectionDecision(binding, { at, id: `id-${at}`, kind: 'connect' })
}

const close = (at: number): HttpClose => ({
  at,
  id: `id-${at}`,
  sandbox: SANDBOX,
  host: 'a.example',
  service: null,
  credential: null,
  outcome: 'success',
  reason: null,
  detail: null,
  status: 200,
  requestBytes: 0,
  responseBytes: 0,
  durationMs: 1,
  redactions: [],
})

function directory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'egress-audit-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

function read(place: string, role: string): Line[] {
  const text = readFileSync(join(place, `${role}.ndjson`), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}

void t.test('one file for each role, each with its own sequence', (t) => {
  const place = directory(t)
  const audit = new Audit({
    directory: place,
    gateway: 'g1',
    now: () => 0,
    onChange: () => t.fail('nothing changed'),
  })
  audit.sandbox({ at: 1, sandbox: SANDBOX, action: 'sandbox-start', command: 'python', exitCode: null })
  for (let at = 0; at < 3; at += 1) {
    void audit.decide(decision(at))
    audit.close(close(at))
  }
  audit.sandbox({ at: 2, sandbox: SANDBOX, action: 'sandbox-end', command: 'python', exitCode: 0 })
  audit.end()
  t.strictSame(
    read(place, 'http').map(({ event }) => `${event.sequence} ${event.action}`),
    ['0 http-connect', '1 http-close', '2 http-connect', '3 http-close', '4 http-connect', '5 http-close'],
  )
  t.strictSame(
    read(place, 'sandbox').map(({ event }) => `${event.sequence} ${event.action}`),
    ['0 sandbox-start', '1 sandbox-end'],
  )
  t.strictSame(read(place, 'dns'), [])
  t.ok(read(place, 'http').every(({ observer }) => observer.name === 'g1'))
  t.end()
})

void t.test(
  'an outage: decisions throw, closes are counted, and a gap says how many are missing',
  { skip: spawnSync('prlimit', ['--version']).status !== 0 },
  (t) => {
    const place = directory(t)
    const program = `
      import { execFileSync } from 'node:child_process'
      import { Audit } from ${JSON.stringify(new URL('./audit.js', import.meta.url).href)}
      process.on('SIGXFSZ', () => {})
      const limit = (bytes) => execFileSync('prlimit', ['--fsize=' + bytes + ':unlimited', '--pid', String(process.pid)])
      const told = []
      const audit = new Audit({ directory: ${JSON.stringify(place)}, gateway: 'g', now: () => 5, onChange: (text) => told.push(text) })
      const decision = ${JSON.stringify(decision(1))}
      const close = ${JSON.stringify(close(1))}
      const attempt = async () => { try { await audit.decide(decision); return 'ok' } catch (error) { return error.code } }
      const turn = () => new Promise((resolve) => setImmediate(resolve))
      const outcomes = [await attempt()]
      limit(10)
      outcomes.push(...await Promise.all([attempt(), attempt()]))
      audit.close(close)
      audit.close(close)
      audit.close(close)
      await turn()
      limit('unlimited')
      outcomes.push(await attempt())
      audit.close(close)
      await turn()
      limit(10)
      audit.close(close)
      await turn()
      limit('unlimited')
      audit.end()
      console.log(JSON.stringify({ outcomes, told }))`
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
    t.equal(run.stderr, '')
    const unavailable = 'EGRESS_AUDIT_UNAVAILABLE'
    const { outcomes, told } = JSON.parse(run.stdout) as { outcomes: string[]; told: string[] }
    t.strictSame(outcomes, ['ok', unavailable, unavailable, 'ok'])
    t.equal(told.length, 3, 'told once when it stops, once when it works again')
    t.match(told[0], /Cannot write the audit log .* \(EFBIG\)/)
    t.match(told[1], /is writable again/)
    t.strictSame(
      read(place, 'http').map(({ event, egress }) => [
        event.sequence,
        event.action,
        egress.lost_close_records ?? 0,
      ]),
      [
        [0, 'http-connect', 0],
        [1, 'audit-gap', 3],
        [2, 'http-connect', 0],
        [3, 'http-close', 0],
        [4, 'audit-gap', 1],
      ],
      'the sequence has no gap, for nothing was taken out',
    )
    t.end()
  },
)

const options = (place: string, told: string[] = []) => ({
  directory: place,
  gateway: 'g',
  now: () => 5,
  onChange: (message: string) => void told.push(message),
})

void t.test(
  'a file that was removed: no decision, until it is back or, where the policy says so, a new one',
  async (t) => {
    const place = directory(t)
    const path = join(place, 'http.ndjson')
    const stopping = new Audit(options(place))
    await stopping.decide(decision(1))
    rmSync(path)
    await t.rejects(stopping.decide(decision(2)), { code: 'EGRESS_AUDIT_UNAVAILABLE' })
    t.match(stopping.problem(), { code: 'EGRESS_AUDIT_UNAVAILABLE' })
    t.notOk(existsSync(path), 'nothing is begun in its place')
    stopping.end()

    const told: string[] = []
    const reopening = new Audit({ ...options(place, told), whenLost: 'reopen' })
    await reopening.decide(decision(3))
    rmSync(path)
    t.match(reopening.problem(), { code: 'EGRESS_AUDIT_UNAVAILABLE' })
    await reopening.decide(decision(4))
    t.equal(reopening.problem(), null)
    reopening.end()
    t.strictSame(
      read(place, 'http').map(({ event }) => `${event.sequence} ${event.action}`),
      ['1 audit-reopened', '2 http-connect'],
    )
    t.match(told, [/The audit log is gone. A new file was begun/])
  },
)

interface Counted {
  readonly event: { readonly action: string }
  readonly egress: { readonly verdict?: string; readonly repeated?: { readonly count: number } }
}

void t.test(
  'a flood of denials becomes a few lines that count every one; nothing allowed is counted',
  async (t) => {
    const place = directory(t)
    const audit = new Audit(options(place))
    const denied = (at: number): HttpDecision => ({
      ...decision(at),
      verdict: 'deny',
      reason: 'no-rule',
      path: 'x'.repeat(2_000),
    })
    const sandbox = { at: 9, sandbox: SANDBOX, command: 'python', exitCode: null }
    for (let round = 0; round < 2; round += 1) {
      for (let i = 0; i < 10_000; i += 1) await audit.decide(denied(i))
      for (let i = 0; i < 1_000; i += 1) await audit.decide(decision(i))
      audit.sandbox({ ...sandbox, action: 'sandbox-end' })
    }
    audit.end()
    const lines = read(place, 'http') as unknown as readonly Counted[]
    const denials = lines.filter(({ egress }) => egress.verdict === 'deny')
    t.equal(
      denials.reduce((sum, { egress }) => sum + (egress.repeated?.count ?? 1), 0),
      20_000,
    )
    t.ok(denials.length < 1_000, `${denials.length} lines`)
    t.equal(lines.length - denials.length, 2_000)
  },
)

void t.test(
  'while the log cannot be written, a denial that would be counted is refused like any other',
  async (t) => {
    const place = directory(t)
    const budget = { perSecond: 0.001, burst: 1 }
    const audit = new Audit({
      ...options(place),
      denialBudget: { lines: budget, bytes: { perSecond: 1, burst: 1e6 } },
    })
    const denied: HttpDecision = { ...decision(1), verdict: 'deny', reason: 'no-rule' }
    await audit.decide(denied)
    await audit.decide(denied)
    rmSync(join(place, 'http.ndjson'))
    await t.rejects(audit.decide(decision(2)))
    await t.rejects(audit.decide(denied))
    audit.end()
  },
)
