import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { eventually } from './fixtures/eventually.js'
import { IN_NETWORK, skipWithoutNetworks } from './fixtures/own-network.js'
import { collect, MAIN, makeWorkspace, type Workspace } from './fixtures/run.js'

t.setTimeout(180_000)

const WAIT_MS = 40_000
const BEFORE = 'allow: [{ host: before.example }]\n'
const AFTER = 'allow: [{ host: after.example }]\n'
const BROKEN = 'allow: [{ host: after.example }]\nallowed: []\n'

const skip = skipWithoutNetworks()

interface Program {
  readonly child: ChildProcess
  readonly stderr: () => string
}

function start(t: Test, workspace: Workspace, runDirectory: string, words: readonly string[]): Program {
  const child = spawn('unshare', [...IN_NETWORK, process.execPath, MAIN, ...words], {
    cwd: workspace.directory,
    env: { ...workspace.env, EGRESS_RUN_DIR: runDirectory },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ended = new Promise((resolve) => child.once('close', resolve))
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
  return { child, stderr: () => text }
}

interface Record {
  readonly event: { readonly action: string; readonly reason: string | null }
  readonly egress: { readonly policy?: { readonly hash: string; readonly previous_hash: string } }
}

function policyRecords({ auditDir }: Workspace, role: 'dns' | 'http'): Record[] {
  return readFileSync(join(auditDir, `${role}.ndjson`), 'utf8')
    .split('\n')
    .filter((line) => line.includes('"policy-'))
    .map((line) => JSON.parse(line) as Record)
}

const actions = (workspace: Workspace, role: 'dns' | 'http') =>
  policyRecords(workspace, role).map(({ event }) => event.action)

function workspaceOf(t: Test): { workspace: Workspace; write: (text: string) => void; run: string } {
  const workspace = makeWorkspace(BEFORE, {})
  t.teardown(() => workspace.remove())
  workspace.env['EGRESS_STATE_DIR'] = join(workspace.directory, 'state')
  const run = join(workspace.directory, 'run')
  workspace.env['EGRESS_RUN_DIR'] = run
  return { workspace, run, write: (text) => writeFileSync(join(workspace.directory, 'egress.yaml'), text) }
}

void t.test('one process: SIGHUP and `egress reload`', { skip }, async (t) => {
  const { workspace, write, run } = workspaceOf(t)
  const { child, stderr } = start(t, workspace, run, ['serve'])
  t.ok(await eventually(() => stderr().includes('Ready: resolver and proxy'), WAIT_MS), stderr())

  write(BROKEN)
  child.kill('SIGHUP')
  t.ok(await eventually(() => stderr().includes('the previous policy stays in force'), WAIT_MS), stderr())
  t.match(stderr(), /^egress\.yaml:2:1: Unknown key `allowed`/m, 'the error with its line')
  const refused = await workspace.run(['reload'])
  t.equal(refused.code, 1)
  t.match(
    refused.stderr,
    /^egress: Could not reload the policy, so the previous policy stays in force\negress\.yaml:2:1: /,
  )
  t.equal(refused.stdout, '')
  t.strictSame(actions(workspace, 'http'), ['policy-rejected', 'policy-rejected'])

  write(AFTER)
  child.kill('SIGHUP')
  t.ok(await eventually(() => stderr().includes('Policy reloaded'), WAIT_MS), stderr())
  const loaded = await workspace.run(['reload'])
  t.strictSame(loaded, { code: 0, stdout: 'Policy reloaded\n', stderr: '' })
  const records = policyRecords(workspace, 'http')
  t.strictSame(
    records.map(({ event }) => event.action),
    ['policy-rejected', 'policy-rejected', 'policy-loaded', 'policy-loaded'],
  )
  const [first, , third, fourth] = records.map(({ egress }) => egress.policy)
  t.equal(third?.previous_hash, first?.previous_hash, 'a policy that was rejected was never in force')
  t.not(third?.hash, first?.hash)
  t.equal(fourth?.previous_hash, third?.hash)
  t.match(records[0]?.event.reason, /^egress\.yaml:2:1: /)

  write('')
  t.equal((await workspace.run(['reload'])).code, 0, 'an empty policy denies all, and may be meant')
  spawnSync('rm', [join(workspace.directory, 'egress.yaml')])
  t.equal((await workspace.run(['reload'])).code, 1, 'one that is gone is a slip')
  t.equal(child.exitCode, null)
})

void t.test('two processes: the resolver follows, and who asked waits for both', { skip }, async (t) => {
  const { workspace, write, run } = workspaceOf(t)
  const proxy = start(t, workspace, run, ['serve', 'proxy'])
  const dns = start(t, workspace, join(workspace.directory, 'run-dns'), ['serve', 'dns'])
  t.ok(await eventually(() => proxy.stderr().includes('Ready: proxy'), WAIT_MS), proxy.stderr())
  t.ok(await eventually(() => dns.stderr().includes('Ready: resolver'), WAIT_MS), dns.stderr())

  write(AFTER)
  t.strictSame(await workspace.run(['reload']), { code: 0, stdout: 'Policy reloaded\n', stderr: '' })
  t.strictSame(actions(workspace, 'dns'), ['policy-loaded'], 'in the resolver, by the time that it is said')
  t.strictSame(actions(workspace, 'http'), ['policy-loaded'])
  t.equal(
    policyRecords(workspace, 'dns')[0]?.egress.policy?.hash,
    policyRecords(workspace, 'http')[0]?.egress.policy?.hash,
  )

  write(BROKEN)
  t.equal((await workspace.run(['reload'])).code, 1)
  t.strictSame(actions(workspace, 'dns'), ['policy-loaded'], 'the resolver has not even seen it')

  write(BEFORE)
  proxy.child.kill('SIGHUP')
  t.ok(await eventually(() => actions(workspace, 'dns').length === 2, WAIT_MS), dns.stderr())
  dns.child.kill('SIGHUP')
  t.ok(await eventually(() => actions(workspace, 'dns').length === 3, WAIT_MS), dns.stderr())

  t.equal((await workspace.run(['reload'])).code, 0)
  t.equal(
    actions(workspace, 'dns').length,
    4,
    'the same text again: the resolver may have rejected it before',
  )

  dns.child.kill('SIGKILL')
  write(AFTER)
  const silent = await workspace.run(['reload'])
  t.equal(silent.code, 1)
  t.match(silent.stderr, /The proxy reloaded the policy, but the resolver did not confirm it/)
  t.equal((await workspace.run(['reload'])).code, 1, 'nor has it when the proxy has nothing new')
})

void t.test('where no gateway runs', async (t) => {
  const { workspace } = workspaceOf(t)
  const { code, stderr } = await workspace.run(['reload'])
  t.equal(code, 1)
  t.match(stderr, /^egress: No gateway is running here /)
})

void t.test('a run keeps its policy: SIGHUP neither reloads nor ends it', { skip }, async (t) => {
  const { workspace } = workspaceOf(t)
  const child = workspace.spawn(['run', '--', 'sh', '-c', 'echo begun; sleep 3; echo done'])
  const ended = collect(child)
  child.stdout?.once('data', () => child.kill('SIGHUP'))
  const { code, stdout, stderr } = await ended
  t.equal(code, 0, stderr)
  t.equal(stdout, 'begun\ndone\n')
  t.match(stderr, /a run keeps the policy that it was started with/)
})
