import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { testPolicy } from '#test/fixtures/policy.js'
import { NO_HOLDS } from '#firewall/contracts/holds.js'
import { Operator } from '../control/operator.js'
import { operatorRoutes, type SandboxList } from '../control/operator-routes.js'
import type { AdminRequest } from '../control/route.js'
import type { OperatorEvent, SandboxEvent } from '../events/events.js'
import { EndedSandboxes } from './ended.js'
import { SandboxRegistry } from './registry.js'
import { endSandbox, knownSandboxes, sandboxRoutes, type AddedSandbox } from './sandbox-admin.js'

function gateway() {
  const directory = mkdtempSync(join(tmpdir(), 'egress-admin-'))
  const told = join(directory, 'ended')
  const records: SandboxEvent[] = []
  const disk = { full: false }
  const sandbox = (event: SandboxEvent) => {
    if (disk.full) throw new Error('the disk is full')
    records.push(event)
  }
  const registry = new SandboxRegistry(join(directory, 'sandboxes'), [])
  const dropped: string[] = []
  const context = {
    policy: () => testPolicy({ destinations: [] }),
    registry,
    audit: { sandbox },
    drop: (id: string) => void dropped.push(id),
    now: () => 0,
    policyHash: () => 'f00d',
  }
  const operatorRecords: OperatorEvent[] = []
  const operator = new Operator({
    holds: NO_HOLDS,
    apply: () => undefined,
    keep: () => undefined,
    sandboxes: () => registry.list(),
    hasAgent: (agent) => agent === 'default',
    audit: { operator: (event) => void operatorRecords.push(event) },
    now: () => 0,
  })
  const ended = new EndedSandboxes(told, (id, code) => endSandbox(id, code, context))
  t.teardown(() => {
    ended.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const known = () => {
    ended.read()
    return knownSandboxes(registry)
  }
  const routes = [
    ...sandboxRoutes({ ...context, operator, readEnded: () => ended.read() }),
    ...operatorRoutes(operator, known),
  ]
  const ask = (method: string, body: unknown = null): unknown => {
    const route = routes.find((one) => one.method === method && one.path === '/sandboxes')
    const request: AdminRequest = {
      params: {},
      query: new URLSearchParams(),
      body,
      access: 'socket',
      user: () => Promise.resolve({ uid: null, name: null }),
      signal: AbortSignal.timeout(60_000),
    }
    const answer = route?.handle(request)
    return answer !== undefined && 'body' in answer ? JSON.parse(answer.body as string) : null
  }
  const list = () =>
    (ask('GET') as SandboxList).sandboxes.map(({ id, subnet, agent }) => `${id} ${subnet} ${agent}`)
  const add = (id: string, subnet: string) => ask('POST', { id, subnet, command: 'true' }) as AddedSandbox
  return {
    told,
    registry,
    operator,
    operatorRecords,
    records,
    dropped,
    disk,
    ask,
    list,
    add,
    tell: (name: string) => writeFileSync(join(told, name), ''),
  }
}

void t.test('a sandbox begins and ends, and each is recorded', (t) => {
  const { told, records, dropped, list, add, tell } = gateway()
  const added = add('sb-0000000001', '10.231.0.8/29')
  t.ok(added.processors > 0)
  t.equal(added.environment['EGRESS_AGENT'], 'default')
  t.strictSame(list(), ['sb-0000000001 10.231.0.8/29 default'])
  tell('sb-0000000001.7')
  t.strictSame(list(), [])
  t.strictSame(
    records.map(({ action, exitCode }) => [action, exitCode]),
    [
      ['sandbox-start', null],
      ['sandbox-end', 7],
    ],
  )
  t.strictSame(readdirSync(told), [], 'it was told once')
  t.strictSame(dropped, ['sb-0000000001'], 'and all that was counted for it is forgotten')
  t.end()
})

void t.test('labels are in every record, and a start tells what was started', (t) => {
  const { records, ask, list, tell, registry } = gateway()
  const start = { user: '1000', image: 'python:3.12', directory: '/work', commandLine: 'python3 agent.py' }
  const labels = ['task=123', 'team=platform']
  ask('POST', { id: 'sb-0000000001', subnet: '10.231.0.8/29', command: 'python3', start, labels })
  const identified = registry.identify({ address: '10.231.0.12' })
  t.strictSame(identified?.labels, labels, 'they are part of who it is')
  t.notOk('command' in (identified ?? {}))
  tell('sb-0000000001.0')
  list()
  t.match(records, [
    { sandbox: { labels }, start: { ...start, policyHash: 'f00d' } },
    { action: 'sandbox-end', sandbox: { labels } },
  ])
  for (const wrong of [
    ['no-value'],
    ['1=x'],
    ['a=\n'],
    ['a='],
    [7],
    'task=1',
    Array(9).fill('a=b'),
    [`a=${'x'.repeat(129)}`],
  ])
    t.throws(() => ask('POST', { id: 'sb-0000000002', subnet: '10.231.0.16/29', labels: wrong }), {
      code: 'EGRESS_USAGE',
    })
  t.end()
})

void t.test('an unknown exit code, an unknown sandbox, and names that mean nothing', (t) => {
  const { told, records, list, add, tell } = gateway()
  add('sb-0000000001', '10.231.0.8/29')
  for (const name of ['sb-0000000001.', 'sb-0000000002.0', 'sb-1.0', 'x', 'sb-0000000001.0000']) tell(name)
  list()
  t.match(records[1], { action: 'sandbox-end', exitCode: null })
  t.equal(records.length, 2)
  t.strictSame(readdirSync(told).sort(), ['sb-0000000001.0000', 'sb-1.0', 'x'])
  t.end()
})

void t.test('what is not a sandbox is not added', (t) => {
  const { records, ask, list } = gateway()
  const strange: readonly unknown[] = [
    null,
    [],
    'sb-0000000001',
    { id: 1, subnet: '10.231.0.8/29' },
    { id: 'sb-0000000001' },
    { id: '../../etc', subnet: '10.231.0.8/29' },
    { id: 'sb-0000000001', subnet: '10.231.0.8/24' },
  ]
  for (const body of strange)
    t.throws(() => ask('POST', body), { code: 'EGRESS_USAGE' }, JSON.stringify(body))
  t.strictSame(list(), [])
  t.strictSame(records, [])
  t.end()
})

void t.test('an end that cannot be recorded is recorded later', (t) => {
  const { records, disk, list, add, tell } = gateway()
  add('sb-0000000001', '10.231.0.8/29')
  disk.full = true
  tell('sb-0000000001.0')
  t.equal(list().length, 1)
  disk.full = false
  t.equal(list().length, 0)
  t.match(records[1], { action: 'sandbox-end', exitCode: 0 })
  t.end()
})

void t.test('the network of another sandbox is not given away', (t) => {
  const { records, list, add } = gateway()
  add('sb-0000000001', '10.231.0.8/29')
  t.throws(() => add('sb-0000000002', '10.231.0.8/29'), { message: /overlap/ })
  t.strictSame(list(), ['sb-0000000001 10.231.0.8/29 default'])
  t.equal(records.length, 1)
  add('sb-0000000002', '10.231.0.16/29')
  t.equal(list().length, 2)
  t.end()
})

void t.test('while all are stopped, a new sandbox is refused, and that is recorded', (t) => {
  const { operator, operatorRecords, records, add, list } = gateway()
  operator.stopAll('socket')
  t.throws(() => add('sb-0000000001', '10.231.0.8/29'), { code: 'EGRESS_STOPPED', exitCode: 125 })
  t.strictSame(list(), [])
  t.strictSame(records, [], 'it never started')
  t.match(operatorRecords, [
    { action: 'all-stopped', sandbox: null },
    { action: 'sandbox-refused', sandbox: { id: 'sb-0000000001', agent: 'default' } },
  ])
  operator.start('socket')
  add('sb-0000000001', '10.231.0.8/29')
  t.equal(list().length, 1)
  t.end()
})
