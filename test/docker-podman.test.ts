import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { LocalHost } from '#src/sandbox/backends/docker/local-host.js'
import { RunNetwork } from '#src/sandbox/backends/docker/network.js'
import { dockerOptions } from '#src/sandbox/backends/docker/options.js'
import { skipWithoutDocker } from './fixtures/docker.js'
import { eventually } from './fixtures/eventually.js'
import { collect } from './fixtures/run.js'

// Podman speaks Docker's interface, and drops the option that isolates a sandbox from the host.

const SANDBOX_RUN = fileURLToPath(new URL('../../sandbox-run', import.meta.url))

/** Its service needs root for networks. */
function skip(): string | false {
  if (process.env['CI'] === 'true') return false
  if (spawnSync('podman', ['--version']).status !== 0) return 'Podman is not installed'
  return process.getuid?.() === 0 ? skipWithoutDocker() : 'not root'
}

void t.test('Podman is refused, by whatever it is known', { skip: skip() }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'egress-podman-'))
  const socket = join(directory, 'socket')
  const podman = (...words: string[]) => [
    ...['--root', join(directory, 'root'), '--runroot', join(directory, 'run'), '--storage-driver', 'vfs'],
    ...words,
  ]
  const service = spawn('podman', podman('system', 'service', '--time', '0', `unix://${socket}`), {
    stdio: 'ignore',
  })
  t.teardown(() => {
    service.kill('SIGKILL')
    spawnSync('podman', podman('network', 'rm', '-f', '-a'))
    rmSync(directory, { recursive: true, force: true })
  })
  t.ok(await eventually(() => existsSync(socket)), 'it is there')
  const DOCKER_HOST = `unix://${socket}`
  const project = 'egress-podman-test'
  const env = { ...process.env, DOCKER_HOST, COMPOSE_PROJECT_NAME: project }

  for (const words of [
    ['--backend', 'docker', '--allow-old-engine', '--', 'true'],
    ['--backend', 'docker', '--doctor'],
  ]) {
    const child = spawn(SANDBOX_RUN, words, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const { code, stderr } = await collect(child)
    t.equal(code, 125, stderr)
    t.match(stderr, 'The engine is not Docker Engine but Podman Engine: the host is reachable')
    t.match(stderr, '--backend namespaces')
  }

  // Its own command, under the name that the package podman-docker gives it.
  const PATH = t.testdir({})
  const podmanPath = spawnSync('sh', ['-c', 'command -v podman'], { encoding: 'utf8' }).stdout.trim()
  symlinkSync(podmanPath, join(PATH, 'docker'))
  const shim = spawn(SANDBOX_RUN, ['--backend', 'docker', '--', 'true'], {
    cwd: directory,
    env: { ...process.env, PATH: `${PATH}:${process.env['PATH'] ?? ''}`, COMPOSE_PROJECT_NAME: project },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.match(await collect(shim), {
    code: 125,
    stderr: /The engine is not Docker Engine|Docker Compose is not installed/,
  })

  // An engine of another name would come to this.
  process.env['DOCKER_HOST'] = DOCKER_HOST
  const host = new LocalHost()
  const gateway = { dns: 'dns', proxy: 'proxy', running: true }
  const options = dockerOptions(env, { image: undefined, allowOldEngine: true })
  const network = new RunNetwork('sb-0123456789', {
    ...{ host, gateway, options, owner: 'place/0/1/2', emptyFile: join(directory, 'empty') },
  })
  const start = { user: '1000', image: null, directory: '/', commandLine: 'true' }
  const what = { command: 'true', start, labels: [] }
  await t.rejects(network.connect('', what), { message: /one that dropped what isolates the network/ })
  await network.close()
  t.equal((await host.docker(['network', 'rm', network.name])).code, 0, 'it made the network')
})
