import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { NO_HOLDS, type Holds } from '#firewall/contracts/holds.js'
import type { OperatorEvent } from '../events/events.js'
import { HoldFile } from './hold-file.js'
import { Operator } from './operator.js'

const RUNNING = [
  { id: 'sb-1', agent: 'ci' },
  { id: 'sb-2', agent: 'research' },
]

function setting(holds: Holds = NO_HOLDS) {
  const records: OperatorEvent[] = []
  const happened: string[] = []
  const broken = { log: false, disk: false }
  const state = { inForce: NO_HOLDS, kept: NO_HOLDS }
  const operator = new Operator({
    holds,
    apply(next) {
      happened.push('apply')
      state.inForce = next
    },
    keep(next) {
      if (broken.disk) throw new Error('the disk is full')
      happened.push('keep')
      state.kept = next
    },
    sandboxes: () => RUNNING,
    hasAgent: (agent) => ['ci', 'research'].includes(agent),
    audit: {
      operator(event) {
        if (broken.log) throw new Error('the log is gone')
        happened.push('record')
        records.push(event)
      },
    },
    now: () => 7,
  })
  happened.length = 0
  return { operator, records, happened, broken, state }
}

void t.test('pause and resume, stop, stop all and start: in force, kept, recorded', (t) => {
  const { operator, records, state } = setting()
  operator.pause('ci', 'socket')
  t.strictSame([...state.inForce.agents], ['ci'])
  operator.stop('sb-2', 'token')
  t.strictSame([...state.inForce.sandboxes], ['sb-2'])
  operator.stopAll('socket')
  t.ok(state.inForce.all)
  t.equal(state.kept, state.inForce)
  operator.start('socket')
  operator.resume('ci', 'socket')
  t.match(state.inForce, { all: false, agents: new Set(), sandboxes: new Set(['sb-2']) })
  operator.forget('sb-2')
  t.strictSame([...state.kept.sandboxes], [])
  t.strictSame(
    records.map(({ action, sandbox, agent, access }) => [action, sandbox?.id ?? agent, access]),
    [
      ['agent-paused', 'ci', 'socket'],
      ['sandbox-stopped', 'sb-2', 'token'],
      ['all-stopped', null, 'socket'],
      ['all-started', null, 'socket'],
      ['agent-resumed', 'ci', 'socket'],
    ],
  )
  t.end()
})

void t.test('names that nobody has are refused, and change nothing', (t) => {
  const { operator, happened } = setting({ ...NO_HOLDS, agents: new Set(['gone']) })
  t.throws(() => operator.pause('Ci', 'socket'), { code: 'EGRESS_UNKNOWN_AGENT' })
  t.throws(() => operator.resume('other', 'socket'), { code: 'EGRESS_UNKNOWN_AGENT' })
  t.throws(() => operator.stop('sb-3', 'socket'), { code: 'EGRESS_UNKNOWN_SANDBOX' })
  t.strictSame(happened, [])
  operator.resume('gone', 'socket')
  t.strictSame([...operator.holds.agents], [], 'an agent that the policy no longer has can be resumed')
  t.end()
})

void t.test('holding works without a log and on a full disk; letting go does not', (t) => {
  const { operator, broken, state, happened } = setting()
  operator.pause('research', 'socket')
  t.strictSame(happened, ['apply', 'record', 'keep'])
  broken.log = true
  t.throws(() => operator.stopAll('socket'), /the log is gone/)
  t.ok(state.inForce.all, 'in force')
  t.ok(state.kept.all, 'and kept')
  t.throws(() => operator.start('socket'), /the log is gone/)
  t.ok(state.inForce.all)
  broken.log = false
  broken.disk = true
  t.throws(() => operator.pause('ci', 'socket'), /the disk is full/)
  t.ok(state.inForce.agents.has('ci'))
  t.throws(() => operator.resume('ci', 'socket'), /the disk is full/)
  t.ok(state.inForce.agents.has('ci'))
  broken.disk = false
  operator.resume('ci', 'socket')
  t.notOk(state.inForce.agents.has('ci'))
  t.end()
})

void t.test('new sandboxes are taken unless all are stopped', (t) => {
  const { operator, records } = setting({ ...NO_HOLDS, agents: new Set(['ci']) })
  operator.admit({ id: 'sb-9', agent: 'ci' }, 'file')
  t.strictSame(records, [], 'a paused agent may start, without a network')
  operator.stopAll('socket')
  t.throws(() => operator.admit({ id: 'sb-9', agent: 'ci' }, 'file'), { code: 'EGRESS_STOPPED' })
  t.match(records.at(-1), { action: 'sandbox-refused', sandbox: { id: 'sb-9', agent: 'ci' }, at: 7 })
  t.end()
})

void t.test('the file: what was written is read, also by another process; what is strange holds all', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'egress-holds-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'deep', 'holds.json')
  const [writer, reader] = [new HoldFile(path), new HoldFile(path)]
  t.equal(reader.read(), NO_HOLDS)
  const holds: Holds = { all: false, agents: new Set(['ci']), sandboxes: new Set(['sb-1']) }
  writer.write(holds)
  t.strictSame(reader.read(), holds)
  t.equal(reader.read(), reader.read(), 'the same while nothing changes')
  writer.write({ ...holds, all: true })
  t.equal(reader.read().all, true)
  for (const text of ['', '{', 'null', '[]', '{"all":false}', '{"all":false,"agents":[1],"sandboxes":[]}']) {
    writer.write(NO_HOLDS)
    t.equal(reader.read().all, false, 'the control')
    rmSync(path)
    writeFileSync(path, text)
    t.equal(reader.read().all, true, JSON.stringify(text))
  }
  writer.write(NO_HOLDS)
  t.equal(reader.read().all, false)
  t.end()
})
