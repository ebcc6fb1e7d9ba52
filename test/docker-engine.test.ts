import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { skipWithoutDocker } from './fixtures/docker.js'

// An engine of our own, which can be killed, and which maps users (userns-remap). It has no networks.

t.setTimeout(600_000)

const COMPOSE = fileURLToPath(new URL('../../docker-compose.yml', import.meta.url))
const IMAGE = 'debian:bookworm-slim'
const USER = 1000

void t.test('an engine with userns-remap that is killed', { skip: skip() }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'egress-engine-'))
  chmodSync(directory, 0o755)
  const host = `unix://${join(directory, 'socket')}`
  const docker = (...words: string[]) => spawnSync('docker', ['-H', host, ...words], { encoding: 'utf8' })
  let engine = await start(directory, host)
  t.teardown(async () => {
    docker('rm', '-f', 'gateway')
    engine.kill('SIGTERM')
    await once(engine, 'exit')
    // It leaves a mount of its directory on itself.
    spawnSync('sh', ['-c', 'umount -l "$1"/data/*', 'sh', directory])
    rmSync(directory, { recursive: true, force: true })
  })
  t.match(docker('info', '--format', '{{.SecurityOptions}}').stdout, 'name=userns')
  spawnSync('sh', ['-c', `docker save ${IMAGE} | docker -H ${host} load`])

  const { services } = JSON.parse(
    spawnSync('docker', ['compose', '-f', COMPOSE, 'config', '--format', 'json'], { encoding: 'utf8' })
      .stdout,
  ) as { services: Record<string, { restart: string; userns_mode: string }> }
  for (const role of ['dns', 'proxy']) t.match(services[role], { userns_mode: 'host' }, role)

  const work = join(directory, 'work')
  mkdirSync(work)
  writeFileSync(join(work, 'own'), 'mine', { mode: 0o600 })
  for (const path of [work, join(work, 'own')]) chownSync(path, USER, USER)
  const inside = (...options: string[]) =>
    docker(
      ...['run', '--rm', '--network', 'none', '--user', `${String(USER)}:${String(USER)}`, ...options],
      ...['--mount', `type=bind,source=${work},target=${work}`, IMAGE],
      ...['sh', '-c', `cat ${work}/own && echo written > ${work}/new`],
    )
  t.not(inside().status, 0, 'the mapped user can neither read nor write')
  t.match(inside('--userns', 'host'), { status: 0, stdout: 'mine' }, 'with what a sandbox is started with')
  t.equal(readFileSync(join(work, 'new'), 'utf8'), 'written\n')

  const restart = services['proxy']?.restart ?? ''
  t.equal(services['dns']?.restart, restart)
  docker('run', '-d', '--name', 'gateway', '--restart', restart, '--network', 'none', IMAGE, 'sleep', '600')
  engine.kill('SIGKILL')
  await once(engine, 'exit')
  engine = await start(directory, host)
  let state = ''
  for (let tries = 0; tries < 100 && state !== 'running'; tries += 1) {
    await sleep(200)
    state = docker('inspect', '--format', '{{.State.Status}}', 'gateway').stdout.trim()
  }
  t.equal(state, 'running', 'the gateway is up again')
})

function skip(): string | false {
  if (process.env['CI'] === 'true') return false
  if (spawnSync('dockerd', ['--version']).status !== 0) return 'dockerd is not installed'
  return process.getuid?.() === 0 ? skipWithoutDocker() : 'not root'
}

async function start(directory: string, host: string): Promise<ChildProcess> {
  // In a network of its own: an engine that wants no bridge removes `docker0`, which belongs to the machine's.
  const engine = spawn(
    'unshare',
    [
      ...['--net', 'dockerd'],
      ...['--host', host, '--data-root', join(directory, 'data'), '--exec-root', join(directory, 'exec')],
      ...['--pidfile', join(directory, 'pid'), '--bridge', 'none', '--iptables=false'],
      ...['--userns-remap', 'default'],
    ],
    { stdio: 'ignore' },
  )
  for (let tries = 0; tries < 300; tries += 1) {
    if (spawnSync('docker', ['-H', host, 'version'], { stdio: 'ignore' }).status === 0) return engine
    await sleep(200)
  }
  throw new Error('the engine did not start')
}
