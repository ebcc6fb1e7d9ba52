import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { DnsEvent } from '#dns/events.js'
import type { HttpDecision } from '#proxy/contracts/events.js'
import { connectionDecision } from '#proxy/records/connection-decision.js'
import { Audit, type AuditOptions } from './audit.js'

// Which events get a record of their own, in which file, and what the sinks and the operator are told.

const SANDBOX = { id: 'sb', agent: 'default', placeholders: new Map() }

const query = (verdict: DnsEvent['verdict'], time: number): DnsEvent => ({
  ...{ time, sandbox: SANDBOX, client: { address: '10.0.0.2', port: 1 }, transport: 'udp', id: 1 },
  ...{ question: { name: 'a.example', type: 'A', class: 'IN' }, verdict, rule: null, wildcard: null },
  ...{ reason: verdict === 'allow' ? null : 'host-not-listed', features: null, suspicious: false },
  ...{ rcode: verdict === 'allow' ? 'NOERROR' : 'NXDOMAIN', answers: [], budget: null },
})

function decision(verdict: HttpDecision['verdict'], at: number): HttpDecision {
  const peer = { address: '10.0.0.2', port: 1 }
  const binding = {
    listener: 'forward',
    sandbox: SANDBOX,
    peer,
    host: 'a.example',
    scheme: 'https',
    port: 443,
  } as const
  const reason = verdict === 'deny' ? ({ reason: 'no-rule' } as const) : {}
  return connectionDecision(binding, { at, id: `id-${String(at)}`, kind: 'connect', ...reason })
}

function start(test: Test, options: Partial<AuditOptions> = {}) {
  const directory = test.testdir()
  const told: string[] = []
  const taken: string[] = []
  let ends = 0
  const audit = new Audit({
    ...{ directory, gateway: 'g', now: () => 5, onChange: (message) => told.push(message) },
    denialBudget: { lines: { perSecond: 0.001, burst: 2 }, bytes: { perSecond: 1, burst: 1e6 } },
    sinks: [{ take: (_time, event) => taken.push(event.type), end: () => void (ends += 1) }],
    ...options,
  })
  const actions = (role: string) =>
    readFileSync(join(directory, `${role}.ndjson`), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { event: { action: string } }).event.action)
  return { audit, directory, told, taken, actions, ends: () => ends }
}

void t.test(
  'what is allowed always has a record of its own; of denials those in the budget, and a count',
  async (test) => {
    const { audit, actions, taken, ends } = start(test)
    for (const verdict of ['deny', 'allow'] as const)
      for (let at = 0; at < 5; at += 1) {
        await audit.decide(decision(verdict, at))
        await new Promise<void>((resolve, reject) =>
          audit.dns(query(verdict, at), (error) => (error === null ? resolve() : reject(error))),
        )
      }
    audit.policy({ at: 9, action: 'policy-loaded', hash: 'a', previousHash: null, problem: null })
    test.equal(ends(), 0)
    audit.end()
    test.equal(ends(), 1)
    const count = (role: string, action: string) => actions(role).filter((one) => one === action).length
    // Queries and requests have the same number of records, with a record of what was counted among them.
    test.ok(count('http', 'http-connect') >= 7, actions('http').join())
    test.ok(count('http', 'http-connect') < 10)
    test.ok(count('dns', 'dns-query') >= 7, actions('dns').join())
    test.ok(count('dns', 'dns-query') < 10)
    test.equal(count('http', 'policy-loaded'), 1)
    test.equal(count('dns', 'policy-loaded'), 0)
    for (const type of ['query', 'decision', 'policy', 'repeat']) test.ok(taken.includes(type), type)
  },
)

void t.test('a resolver alone records its policy with its queries', (test) => {
  const { audit, actions } = start(test, { roles: ['dns'] })
  audit.policy({ at: 9, action: 'policy-loaded', hash: 'a', previousHash: null, problem: null })
  audit.end()
  test.ok(actions('dns').includes('policy-loaded'))
  test.throws(
    () => audit.sandbox({ at: 1, sandbox: SANDBOX, action: 'sandbox-start', command: 'x', exitCode: null }),
    {
      message: /keeps no sandbox log/,
    },
  )
  test.end()
})

void t.test('a log that is gone stops what needs a record, denials too, and says so once', async (test) => {
  const { audit, directory, told, taken } = start(test, { roles: ['dns', 'http'] })
  await audit.decide(decision('allow', 1))
  test.equal(audit.problem(), null)
  const before = taken.length
  for (const role of ['dns', 'http']) rmSync(join(directory, `${role}.ndjson`))
  test.not(audit.problem(), null)
  for (const verdict of ['allow', 'deny', 'deny', 'deny', 'deny'] as const) {
    await test.rejects(audit.decide(decision(verdict, 2)), { code: 'EGRESS_AUDIT_UNAVAILABLE' })
    const error = await new Promise((resolve) => audit.dns(query(verdict, 2), resolve))
    test.not(error, null, verdict)
  }
  test.throws(() =>
    audit.policy({ at: 3, action: 'policy-loaded', hash: 'a', previousHash: null, problem: null }),
  )
  test.equal(told.length, 2, 'once for each log')
  test.equal(taken.length, before, 'nothing that was not recorded is told to a sink')
  audit.end()
})
