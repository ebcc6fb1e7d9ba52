import { spawn, spawnSync } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { askAdmin } from '#src/control/ask-admin.js'
import type { HealthReport } from '#src/control/health.js'
import { eventually } from './fixtures/eventually.js'
import { IN_NETWORK, skipWithoutNetworks } from './fixtures/own-network.js'
import { MAIN, makeWorkspace } from './fixtures/run.js'

// What /health, /ready and /metrics say of a gateway whose parts fail one after the other.

t.setTimeout(240_000)

/** Looked at again and again; a failure must show within ten seconds, and a busy machine needs some more. */
const WAIT_MS = 40_000
const skip = skipWithoutNetworks()

const POLICY = `
services:
  api:
    url: https://api.example
    credential: { bearer: "\${TOKEN}" }
    rules: [{ allow: GET /** }]
secrets:
  TOKEN: { file: token.txt }
`

function setting(t: Test) {
  const workspace = makeWorkspace(POLICY, {}, { 'token.txt': 'real-token-0123456789abcdef\n' })
  t.teardown(() => workspace.remove())
  workspace.env['EGRESS_STATE_DIR'] = join(workspace.directory, 'state')
  const start = (role: 'dns' | 'proxy', env: Record<string, string> = {}) => {
    const run = join(workspace.directory, `run-${role}`)
    const child = spawn('unshare', [...IN_NETWORK, process.execPath, MAIN, 'serve', role], {
      cwd: workspace.directory,
      env: { ...workspace.env, EGRESS_RUN_DIR: run, EGRESS_NETWORK_LOCAL: '127.0.0.0/8 default', ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let err = ''
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    const ended = new Promise((resolve) => child.once('close', resolve))
    const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
      child.kill(signal)
      await ended
    }
    t.teardown(() => stop('SIGKILL'))
    const socket = join(run, 'admin.sock')
    const get = async (path: string) => (await askAdmin(socket, { method: 'GET', path }))?.body
    /** The names of the checks that fail. */
    const failing = async (path = '/health') => {
      const report = (await get(path)) as HealthReport | undefined
      return report === undefined ? null : report.checks.filter(({ ok }) => !ok).map(({ name }) => name)
    }
    const comesTo = async (wanted: readonly string[] | null, path = '/health') => {
      let seen: readonly string[] | null = null
      for (const end = Date.now() + WAIT_MS; Date.now() < end;) {
        seen = await failing(path)
        if (JSON.stringify(seen) === JSON.stringify(wanted)) return seen
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return seen
    }
    return {
      stop,
      get,
      failing,
      comesTo,
      child,
      ready: () => eventually(() => err.includes('Ready'), 60_000),
      err: () => err,
    }
  }
  return { workspace, start }
}

void t.test('each part that fails is named, and well again when it is mended', { skip }, async (t) => {
  const { workspace, start } = setting(t)
  const { directory, auditDir } = workspace
  const proxy = start('proxy')
  t.ok(await proxy.ready(), proxy.err())
  t.strictSame(await proxy.failing(), [], 'a proxy whose resolver never came is not unwell for that')
  let dns = start('dns')
  t.ok(await dns.ready(), dns.err())
  t.strictSame([await proxy.failing(), await dns.failing(), await proxy.failing('/ready')], [[], [], []])

  await dns.stop('SIGKILL')
  t.strictSame(await proxy.comesTo(['roles']), ['roles'])
  dns = start('dns')
  t.ok(await dns.ready(), dns.err())
  t.strictSame(await proxy.comesTo([]), [])

  proxy.child.kill('SIGSTOP')
  t.strictSame(await dns.comesTo(['roles']), ['roles'], 'one that hangs is gone, too')
  proxy.child.kill('SIGCONT')
  t.strictSame(await dns.comesTo([]), [])

  renameSync(join(directory, 'token.txt'), join(directory, 'token.away'))
  t.strictSame(await proxy.comesTo(['secrets']), ['secrets'])
  const report = (await proxy.get('/health')) as HealthReport
  t.match(report, { status: 'failing' })
  t.match(
    report.checks.find(({ name }) => name === 'secrets'),
    { problem: /^Secret TOKEN cannot be refreshed/, fix: /\S/ },
  )
  t.match(await proxy.get('/metrics'), /^egress_secret_refresh_failing\{secret="TOKEN"\} 1$/m)
  writeFileSync(join(directory, 'token.txt'), 'real-token-another-0123456789\n')
  t.strictSame(await proxy.comesTo([]), [])

  renameSync(join(auditDir, 'http.ndjson'), join(auditDir, 'http.away'))
  t.strictSame(await proxy.comesTo(['audit']), ['audit'])
  t.match(await proxy.get('/metrics'), /^egress_health_check_ok\{check="audit"\} 0$/m)
  t.strictSame(await dns.failing(), [], 'the other role has a log of its own')
  renameSync(join(auditDir, 'http.away'), join(auditDir, 'http.ndjson'))
  t.strictSame(await proxy.comesTo([]), [])

  t.match(await askAdmin(join(directory, 'run-proxy', 'admin.sock'), { method: 'POST', path: '/stop' }), {
    status: 200,
  })
  t.strictSame(await proxy.failing(), [])
  t.strictSame(await proxy.comesTo(['started'], '/ready'), ['started'])
  t.strictSame(await dns.comesTo(['started'], '/ready'), ['started'])
})

void t.test('too little free space for the log', { skip }, async (t) => {
  const { start } = setting(t)
  const proxy = start('proxy', { EGRESS_AUDIT_MIN_FREE: '1000000GiB' })
  t.ok(await proxy.ready(), proxy.err())
  t.strictSame(await proxy.failing(), ['disk'])
  const { checks } = (await proxy.get('/health')) as HealthReport
  t.match(checks.find(({ name }) => name === 'disk')?.problem, /^Only \d+ MiB are free for the audit log/)
})

void t.test('a log above its limit, of which nothing can be removed', { skip }, async (t) => {
  const { start } = setting(t)
  const proxy = start('proxy', { EGRESS_AUDIT_MAX: '1B' })
  t.ok(await proxy.ready(), proxy.err())
  t.strictSame(await proxy.comesTo(['disk']), ['disk'])
})

void t.test('metrics: of what is there, and of nothing else', { skip }, async (t) => {
  const { workspace, start } = setting(t)
  const proxy = start('proxy')
  t.ok(await proxy.ready(), proxy.err())
  const words = [
    '-t',
    String(proxy.child.pid),
    '-U',
    '-n',
    '--preserve-credentials',
    'curl',
    '-s',
    '--interface',
    '127.0.0.9',
  ]
  const hosts = ['unlisted-host.example', 'another.host.example', 'api.example']
  for (const host of hosts) spawnSync('nsenter', [...words, '-H', `Host: ${host}`, 'http://127.0.0.1/'])
  const metrics = String(await proxy.get('/metrics'))
  t.match(
    metrics,
    /^egress_decisions_total\{agent="default",verdict="denied",reason="host-not-listed",protocol="http",host_class="unlisted"\} 2$/m,
  )
  t.match(
    metrics,
    /^egress_decisions_total\{agent="default",verdict="denied",reason="port-not-listed",protocol="http",host_class="exact"\} 1$/m,
  )
  t.match(metrics, /^egress_sandboxes\{agent="default",state="running"\} 1$/m)
  t.match(metrics, /^egress_open_connections\{sandbox="local",agent="default"\} \d+$/m)
  t.match(metrics, /^egress_policy_info\{hash="[0-9a-f]{64}"\} 1$/m)
  t.match(metrics, /^egress_audit_free_bytes \d{6,}/m)
  t.match(metrics, /^egress_ca_expiry_timestamp_seconds \d{10}/m)
  t.match(metrics, /^egress_secret_age_seconds\{secret="TOKEN"\} /m)
  t.match(metrics, /^egress_event_loop_delay_p99_seconds /m)
  for (const host of hosts) t.notMatch(metrics, host, 'no host name')
  t.notMatch(metrics, 'real-token')

  writeFileSync(join(workspace.directory, 'egress.yaml'), 'allow: {}\n')
  await askAdmin(join(workspace.directory, 'run-proxy', 'admin.sock'), { method: 'POST', path: '/reload' })
  const after = String(await proxy.get('/metrics'))
  t.match(after, /^egress_policy_reloads_total\{outcome="rejected"\} 1$/m)
  t.match(after, /^egress_policy_last_reload_successful 0$/m)
})
