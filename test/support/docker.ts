import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { collect } from './run.js'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const SANDBOX_RUN = join(ROOT, 'sandbox-run')

export const GATE_IMAGE = process.env['EGRESS_GATE_IMAGE'] ?? 'agent-egress-firewall:local'
export const SANDBOX_IMAGE = 'agent-egress-sandbox:local'

/** Why the tests of Docker cannot run here; false where they can, and on CI, where they must. */
export function skipWithoutDocker(): string | false {
  if (process.env['CI'] === 'true') return false
  const { status } = spawnSync('docker', ['info'], { stdio: 'ignore' })
  return status === 0 ? false : 'no Docker engine answers'
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs docker to its end. Throws when it fails. */
export async function docker(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryDocker(...words)
  if (code !== 0) throw new Error(`docker ${words.join(' ')}: ${stderr}`)
  return stdout.trim()
}

export function tryDocker(...words: string[]): Promise<Ended> {
  return collect(spawn('docker', words, { stdio: ['ignore', 'pipe', 'pipe'] }))
}

/** A request as an upstream saw it. */
export interface Seen {
  readonly url: string
  readonly host: string
  readonly authorization: string | null
}

/** Prints what it is sent, a line each; answers after as many milliseconds as the path `/slow/N` says. */
const UPSTREAM = `
require('node:http').createServer((request, response) => {
  const { url, headers } = request
  console.log(JSON.stringify({ url, host: headers.host, authorization: headers.authorization ?? null }))
  const wait = Number(/^\\/slow\\/(\\d+)/.exec(url)?.[1] ?? 0)
  setTimeout(() => response.end('from ' + headers.host + '\\n'), wait)
}).listen(80)
process.on('SIGTERM', () => process.exit())
`

/** A gate of its own, as docker-compose.yml makes it, with upstreams of its own on its outside network. */
export class DockerGate {
  readonly project = `egress-test-${String(randomInt(1e6))}`
  readonly directory = mkdtempSync(join(tmpdir(), 'egress-docker-'))
  readonly work = join(this.directory, 'work')
  readonly env: Record<string, string>

  constructor(policy: string, env: Record<string, string> = {}, dotenv = '') {
    const third = String(randomInt(256))
    const agents = `10.${String(randomInt(232, 255))}.${third}`
    mkdirSync(this.work)
    writeFileSync(join(this.directory, 'egress.yaml'), policy)
    writeFileSync(join(this.directory, '.env'), dotenv)
    this.env = {
      ...(process.env as Record<string, string>),
      COMPOSE_PROJECT_NAME: this.project,
      EGRESS_POLICY_DIR: this.directory,
      EGRESS_AGENTS_SUBNET: `${agents}.240/28`,
      EGRESS_AGENTS_DNS: `${agents}.242`,
      EGRESS_AGENTS_PROXY: `${agents}.243`,
      EGRESS_BACKEND: 'docker',
      EGRESS_ALLOW_OLD_ENGINE: '1',
      ...env,
    }
  }

  async up(): Promise<void> {
    await ensureImages()
    // The directory is made by root here, and the gate is another user.
    spawnSync('chmod', ['-R', 'a+rX', this.directory])
    await this.compose('up', '-d', '--wait', '--wait-timeout', '120')
  }

  async compose(...words: string[]): Promise<Ended> {
    const child = spawn('docker', ['compose', ...words], {
      cwd: ROOT,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = await collect(child)
    if (ended.code !== 0) throw new Error(`docker compose ${words.join(' ')}: ${ended.stderr}`)
    return ended
  }

  /** An upstream under these names, which the proxy resolves as it would any others. */
  async upstream(...names: string[]): Promise<void> {
    const aliases = names.flatMap((name) => ['--network-alias', name])
    await docker(
      ...['run', '-d', '--rm', '--name', `${this.project}-upstream`, '--network', `${this.project}_outside`],
      ...[...aliases, '--user', '0', '--entrypoint', 'node', GATE_IMAGE, '-e', UPSTREAM],
    )
  }

  /** What reached the upstream so far. */
  async seen(): Promise<Seen[]> {
    const lines = await docker('logs', `${this.project}-upstream`)
    return lines
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Seen)
  }

  /** sandbox-run with these words, in the work directory. */
  start(words: readonly string[], env: Record<string, string> = {}): ChildProcess {
    return spawn(SANDBOX_RUN, words, {
      cwd: this.work,
      env: { ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  run(...words: string[]): Promise<Ended> {
    return collect(this.start(words))
  }

  container(role: 'dns' | 'proxy'): string {
    return `${this.project}-${role}-1`
  }

  /** Names of the networks that runs have now. */
  async networks(): Promise<string[]> {
    const found = await docker(
      ...['network', 'ls', '--filter', `label=io.egress.project=${this.project}`, '--format', '{{.Name}}'],
    )
    return found === '' ? [] : found.split('\n')
  }

  /** The same once the engine has taken away what ended runs had, which goes on after them; what is left after ten seconds. */
  async networksLeft(): Promise<string[]> {
    for (let tries = 0; tries < 50 && (await this.networks()).length > 0; tries += 1) await sleep(200)
    return this.networks()
  }

  /** The audit log, as records. */
  async records(): Promise<Record<string, unknown>[]> {
    const text = await docker('exec', this.container('proxy'), 'egress', 'logs', '--json')
    return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  async down(): Promise<void> {
    const label = `label=io.egress.project=${this.project}`
    const left = await docker('ps', '-aq', '--filter', label)
    for (const id of [...left.split('\n'), `${this.project}-upstream`]) {
      if (id !== '') await tryDocker('rm', '-f', id)
    }
    await this.compose('down', '-v', '--timeout', '2')
    for (const network of await this.networks()) await tryDocker('network', 'rm', network)
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Builds what has changed; where nothing has, the engine knows. An image of yesterday would be a test of yesterday's code. */
export async function ensureImages(): Promise<void> {
  const build = (tag: string, file: string, context: string) =>
    docker('build', '-q', '-t', tag, '-f', join(ROOT, 'docker', file), context)
  if (process.env['EGRESS_GATE_IMAGE'] === undefined) await build(GATE_IMAGE, 'gate.Dockerfile', ROOT)
  await build(SANDBOX_IMAGE, 'sandbox.Dockerfile', join(ROOT, 'docker'))
}

/** The value of a container's `docker inspect`. */
export async function inspect(container: string): Promise<Inspected> {
  const [found] = JSON.parse(await docker('inspect', container)) as Inspected[]
  if (found === undefined) throw new Error(`there is no container ${container}`)
  return found
}

export interface Inspected {
  readonly State: { readonly Running: boolean; readonly Health?: { readonly Status: string } }
  readonly Config: Readonly<Record<string, unknown>> & { readonly Env: readonly string[] }
  readonly HostConfig: Readonly<Record<string, unknown>>
  readonly Mounts: readonly {
    readonly Type: string
    readonly Source: string
    readonly Destination: string
    readonly RW: boolean
  }[]
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> }
}

export function readText(path: string): string {
  return readFileSync(path, 'utf8')
}
