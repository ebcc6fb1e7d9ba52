import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { ListedSandbox } from '#src/control/operator-routes.js'
import { eventually } from './fixtures/eventually.js'
import { IN_NETWORK, skipWithoutNetworks } from './fixtures/own-network.js'
import { collect, MAIN, makeWorkspace, type Workspace } from './fixtures/run.js'

// The commands that operate what is running, on single runs and on a gateway in two processes.

t.setTimeout(240_000)

const WAIT_MS = 60_000
const POLICY = `
allow: [{ host: api.example }]
agents:
  default: { allow: all }
  ci: { allow: all }
`
const skip = skipWithoutNetworks()

/** No gateway on Docker: that of another test is none of this one's business. */
const OWN_PROJECT = { COMPOSE_PROJECT_NAME: 'egress-operate-test-none' }

function workspaceOf(t: Test): Workspace {
  const workspace = makeWorkspace(POLICY, OWN_PROJECT)
  t.teardown(() => workspace.remove())
  workspace.env['EGRESS_STATE_DIR'] = join(workspace.directory, 'state')
  workspace.env['EGRESS_RUN_DIR'] = join(workspace.directory, 'run')
  return workspace
}

async function sandboxes(workspace: Workspace): Promise<ListedSandbox[]> {
  const { stdout } = await workspace.run(['sandboxes', '--json'])
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ListedSandbox)
}

/** The actions in the logs of single runs. */
function runActions({ auditDir }: Workspace): string[] {
  const runs = join(auditDir, 'runs')
  return readdirSync(runs).flatMap((run) =>
    readFileSync(join(runs, run, 'sandbox.ndjson'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { event: { action: string } }).event.action),
  )
}

const socketsOf = ({ directory }: Workspace) => {
  const sockets = join(directory, '.local/state/egress/runs')
  return existsSync(sockets) ? readdirSync(sockets) : []
}

/** Asks the resolver for `api.example`, from an address of the fixed network, and prints the rcode. */
const LOOK_UP = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(30)
s.bind(('127.0.0.9', 0))
s.sendto(b'\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\3api\\7example\\0\\0\\1\\0\\1', ('127.0.0.1', 53))
print(s.recv(512)[3] & 15)
`

/** Asks for a name again and again, and prints whether it was answered. */
const ASKING = `
import socket, time
while True:
    try:
        socket.getaddrinfo('api.example', 443)
        print('answered', flush=True)
    except OSError:
        print('refused', flush=True)
    time.sleep(0.2)
`

void t.test(
  'single runs: listed, paused, resumed, stopped; and none starts while all are stopped',
  async (t) => {
    const workspace = workspaceOf(t)
    t.match(await workspace.run(['sandboxes']), { code: 0, stdout: '', stderr: /No sandbox is running/ })
    const run = workspace.spawn(['run', '--agent', 'ci', '--', 'python3', '-c', ASKING])
    let out = ''
    run.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()))
    const ended = collect(run)
    t.ok(await eventually(() => out.includes('answered'), WAIT_MS), out)
    const [one] = await sandboxes(workspace)
    t.match(one, { id: /^sb-[0-9a-f]{10}$/, agent: 'ci', state: 'running', command: 'python3', subnet: null })
    const table = await workspace.run(['sandboxes'])
    t.match(
      table.stdout,
      /^SANDBOX +AGENT +STATE +AGE +ALLOWED +DENIED +FAILED +COMMAND\nsb-\S+ +ci +running +\d+[sm] +0 +0 +0 +python3\n$/,
    )

    t.match(await workspace.run(['pause', 'ci']), {
      code: 0,
      stdout: /^Paused the network of ci/,
      stderr: '',
    })
    t.ok(await eventually(() => out.endsWith('refused\n'), WAIT_MS), out)
    t.match(await sandboxes(workspace), [{ state: 'paused' }])
    const other = await workspace.run(['run', '--agent', 'ci', '--', 'getent', 'hosts', 'api.example'])
    t.equal(other.code, 2, 'a run that starts now has no network either')
    t.match(other.stderr, /The network of agent ci is paused/)
    const free = await workspace.run(['run', '--', 'getent', 'hosts', 'api.example'])
    t.equal(free.code, 0, 'another agent has')
    t.match(await workspace.run(['resume', 'ci']), {
      code: 0,
      stdout: 'Resumed the network of ci\n',
      stderr: '',
    })
    t.ok(await eventually(() => out.endsWith('answered\n'), WAIT_MS), out)

    t.match(await workspace.run(['stop', 'sb-ffffffffff']), {
      code: 1,
      stderr: /^egress: No sandbox `sb-ffffffffff` is running\n {2}\S/,
    })
    t.match(await workspace.run(['stop', one?.id ?? '']), {
      code: 0,
      stdout: `Stopped ${one?.id ?? ''}\n`,
      stderr: '',
    })
    const { code, stderr } = await ended
    t.equal(code, 137)
    t.match(stderr, /egress: An operator has stopped this sandbox\n {2}\S/)
    t.strictSame(socketsOf(workspace), [], 'no socket is left')

    t.match(await workspace.run(['stop', '--all']), {
      code: 0,
      stdout: /^Stopped 0 sandboxes\. New ones are refused/,
    })
    const refused = await workspace.run(['run', '--', 'true'])
    t.equal(refused.code, 125)
    t.match(
      refused.stderr,
      /^egress: An operator has stopped all sandboxes, so no new one is started\n {2}\S.*\n/m,
    )
    t.match((await workspace.run(['sandboxes'])).stderr, 'No sandbox is running')
    t.match(await workspace.run(['start']), { code: 0, stdout: 'New sandboxes are started again\n' })
    t.equal((await workspace.run(['run', '--', 'true'])).code, 0)
    const actions = runActions(workspace)
    for (const action of ['agent-paused', 'agent-resumed', 'sandbox-stopped', 'sandbox-refused'])
      t.equal(actions.filter((one) => one === action).length, 1, action)
  },
)

void t.test('stop --all ends every run, also one that ignores signals', async (t) => {
  const workspace = workspaceOf(t)
  const runs = ['trap "" TERM INT HUP; echo up; while :; do sleep 1; done', 'echo up; sleep 600'].map(
    (script) => {
      const child = workspace.spawn(['run', '--', 'sh', '-c', script])
      const state = { out: '', ended: collect(child) }
      child.stdout?.on('data', (chunk: Buffer) => (state.out += chunk.toString()))
      return state
    },
  )
  t.ok(await eventually(() => runs.every(({ out }) => out.includes('up')), WAIT_MS))
  t.match(await workspace.run(['stop', '--all']), { code: 0, stdout: /^Stopped 2 sandboxes\./, stderr: '' })
  for (const { ended } of runs) t.equal((await ended).code, 137)
  t.equal(runActions(workspace).filter((action) => action === 'all-stopped').length, 2)
  t.equal((await workspace.run(['run', '--', 'true'])).code, 125)
})

void t.test('usage', async (t) => {
  const workspace = workspaceOf(t)
  for (const words of [['stop'], ['stop', 'sb-0000000001', '--all'], ['pause'], ['resume']])
    t.match(await workspace.run(words), { code: 2, stderr: /^egress: .*\n {2}\S/ }, words.join(' '))
  t.match(await workspace.run(['resume', 'nobody']), { code: 1, stderr: /No agent `nobody` is paused/ })
  for (const command of ['sandboxes', 'stop', 'start', 'pause', 'resume'])
    t.match((await workspace.run([command, '--help'])).stdout, /^Examples:\n {2}egress /, command)
})

void t.test('a gateway in two processes: held in both, over a restart', { skip }, async (t) => {
  const workspace = workspaceOf(t)
  const start = (role: 'dns' | 'proxy') => {
    const run = join(workspace.directory, role === 'proxy' ? 'run' : 'run-dns')
    const child = spawn('unshare', [...IN_NETWORK, process.execPath, MAIN, 'serve', role], {
      cwd: workspace.directory,
      env: { ...workspace.env, EGRESS_RUN_DIR: run, EGRESS_NETWORK_LOCAL: '127.0.0.0/8 ci' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const state = { err: '', child, ended: new Promise((resolve) => child.once('close', resolve)) }
    child.stderr.on('data', (chunk: Buffer) => (state.err += chunk.toString()))
    t.teardown(async () => {
      child.kill('SIGTERM')
      await state.ended
    })
    return state
  }
  let proxy = start('proxy')
  const dns = start('dns')
  t.ok(
    await eventually(() => proxy.err.includes('Ready: proxy') && dns.err.includes('Ready'), WAIT_MS),
    proxy.err,
  )
  const within = (role: typeof dns, words: readonly string[]) =>
    collect(spawn('nsenter', ['-t', String(role.child.pid), '-U', '-n', '--preserve-credentials', ...words]))
  const answers = async () => {
    const lookUp = await within(dns, ['python3', '-c', LOOK_UP])
    const request = await within(proxy, [
      'curl',
      '-s',
      '--interface',
      '127.0.0.9',
      '-H',
      'Host: unlisted.example',
      'http://127.0.0.1/',
    ])
    const { reason } = JSON.parse(request.stdout) as { reason: string }
    return [lookUp.stdout.trim(), reason]
  }
  t.strictSame(await answers(), ['0', 'host-not-listed'], 'the control')
  t.match(await sandboxes(workspace), [{ id: 'local', agent: 'ci', state: 'running', started_at: null }])
  t.match(await workspace.run(['pause', 'nobody']), {
    stderr: /No gateway that is running has an agent `nobody`/,
  })
  t.match(await workspace.run(['stop', '--all']), { code: 0, stdout: /^Stopped 1 sandbox\./ })
  t.match(await workspace.run(['pause', 'ci']), { code: 0 })
  t.match(await sandboxes(workspace), [{ state: 'stopped' }])
  t.strictSame(await answers(), ['5', 'sandbox-stopped'])
  proxy.child.kill('SIGKILL')
  await proxy.ended
  proxy = start('proxy')
  t.ok(await eventually(() => proxy.err.includes('Ready: proxy'), WAIT_MS), proxy.err)
  t.match(proxy.err, /An operator has stopped all sandboxes/)
  t.match(await sandboxes(workspace), [{ state: 'stopped' }])
  t.strictSame(await answers(), ['5', 'sandbox-stopped'], 'after a restart')
  t.match(await workspace.run(['start']), { code: 0 })
  t.match(await sandboxes(workspace), [{ state: 'paused' }])
  t.strictSame(await answers(), ['5', 'agent-paused'])
  t.match(await workspace.run(['resume', 'ci']), { code: 0 })
  t.match(await sandboxes(workspace), [{ state: 'running' }])
  t.strictSame(await answers(), ['0', 'host-not-listed'])
})
