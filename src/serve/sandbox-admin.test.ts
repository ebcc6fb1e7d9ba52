import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { testPolicy } from '#test/fixtures/policy.js'
import type { SandboxEvent } from '../events/events.js'
import { EndedSandboxes } from './ended.js'
import { SandboxRegistry } from './registry.js'
import { endSandbox, sandboxAdmin } from './sandbox-admin.js'

function gateway() {
  const directory = mkdtempSync(join(tmpdir(), 'egress-admin-'))
  const told = join(directory, 'ended')
  const records: SandboxEvent[] = []
  const disk = { full: false }
  const problem = () => (disk.full ? new Error('the disk is full') : null)
  const sandbox = (event: SandboxEvent) => {
    if (disk.full) throw new Error('the disk is full')
    records.push(event)
  }
  const registry = new SandboxRegistry(join(directory, 'sandboxes'), [])
  const dropped: string[] = []
  const context = {
    policy: () => testPolicy({ destinations: [] }),
    registry,
    audit: { sandbox, problem },
    drop: (id: string) => void dropped.push(id),
    now: () => 0,
  }
  const ended = new EndedSandboxes(told, (id, code) => endSandbox(id, code, context))
  t.teardown(() => {
    ended.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const ask = sandboxAdmin({ ...context, readEnded: () => ended.read() })
  const add = (id: string, subnet: string) => ask({ do: 'add', id, subnet, agent: '', command: 'true' })
  return {
    told,
    records,
    dropped,
    disk,
    ask,
    add,
    tell: (name: string) => writeFileSync(join(told, name), ''),
  }
}

void t.test('a sandbox begins and ends, and each is recorded', (t) => {
  const { told, records, dropped, ask, add, tell } = gateway()
  t.match(add('sb-0000000001', '10.231.0.8/29')[0], /^# processors \d+$/)
  t.strictSame(ask({ do: 'list' }), ['sb-0000000001 10.231.0.8/29 default'])
  tell('sb-0000000001.7')
  t.strictSame(ask({ do: 'list' }), [])
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

void t.test('an unknown exit code, an unknown sandbox, and names that mean nothing', (t) => {
  const { told, records, ask, add, tell } = gateway()
  add('sb-0000000001', '10.231.0.8/29')
  for (const name of ['sb-0000000001.', 'sb-0000000002.0', 'sb-1.0', 'x', 'sb-0000000001.0000']) tell(name)
  ask({ do: 'health' })
  t.match(records[1], { action: 'sandbox-end', exitCode: null })
  t.equal(records.length, 2)
  t.strictSame(readdirSync(told).sort(), ['sb-0000000001.0000', 'sb-1.0', 'x'])
  t.end()
})

void t.test('a gateway whose log cannot be written is not well', (t) => {
  const { ask, disk } = gateway()
  t.strictSame(ask({ do: 'health' }), [])
  disk.full = true
  t.throws(() => ask({ do: 'health' }), { message: 'the disk is full' })
  disk.full = false
  t.strictSame(ask({ do: 'health' }), [])
  t.end()
})

void t.test('an end that cannot be recorded is recorded later', (t) => {
  const { records, disk, ask, add, tell } = gateway()
  add('sb-0000000001', '10.231.0.8/29')
  disk.full = true
  tell('sb-0000000001.0')
  t.equal(ask({ do: 'list' }).length, 1)
  disk.full = false
  t.equal(ask({ do: 'list' }).length, 0)
  t.match(records[1], { action: 'sandbox-end', exitCode: 0 })
  t.end()
})

void t.test('the network of another sandbox is not given away', (t) => {
  const { records, ask, add } = gateway()
  add('sb-0000000001', '10.231.0.8/29')
  t.throws(() => add('sb-0000000002', '10.231.0.8/29'), { message: /overlap/ })
  t.strictSame(ask({ do: 'list' }), ['sb-0000000001 10.231.0.8/29 default'])
  t.equal(records.length, 1)
  add('sb-0000000002', '10.231.0.16/29')
  t.equal(ask({ do: 'list' }).length, 2)
  t.end()
})
