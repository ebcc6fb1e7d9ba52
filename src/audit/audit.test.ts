import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
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
