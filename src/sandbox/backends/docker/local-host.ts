import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { constants, networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'
import type { CommandStreams } from '../../backend.js'
import type { SandboxPlan } from '../../plan.js'
import { reservations, reserve, sweepReserved } from '../../reserved-paths.js'
import type { CleanUpOrder } from './clean-up.js'
import { gatewayStarts } from './gateway-starts.js'
import type { DockerHost, DockerResult, HostFacts } from './host.js'
import { ownerName } from './owner.js'

const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url))
const CLEAN_UP = fileURLToPath(new URL('./clean-up-main.js', import.meta.url))
const RUN_DIRECTORY = 'egress-run.'

const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']

/** Host access for a program that runs on the host itself. */
export class LocalHost implements DockerHost {
  #directory: string | null = null
  #release: () => void = () => undefined

  get facts(): HostFacts {
    // Created on first use, so that a run that is rejected earlier leaves nothing.
    const directory = () => (this.#directory ??= makeRunDirectory())
    return {
      pid: process.pid,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      terminals: { input: isatty(0), output: isatty(1) },
      root: ROOT,
      get directory() {
        return directory()
      },
    }
  }

  docker(args: readonly string[], { showErrors = false } = {}): Promise<DockerResult> {
    return new Promise((resolve) => {
      const child = spawn('docker', args, { stdio: ['ignore', 'pipe', showErrors ? 2 : 'pipe'] })
      const output = { stdout: '', stderr: '' }
      child.stdout?.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()))
      child.stderr?.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()))
      child.once('error', (error) => resolve({ code: 127, stdout: '', stderr: error.message }))
      child.once('close', (code) => resolve({ code: code ?? 1, ...output }))
    })
  }

  attach(args: readonly string[], streams: CommandStreams): Promise<number> {
    const hasTerminal = args.includes('--tty')
    return new Promise((resolve) => {
      // Detached from the terminal, whose signals would otherwise reach the command twice (`signal` passes them on).
      const child = spawn('docker', args, { stdio: [...streams], detached: !hasTerminal })
      const name = args[args.indexOf('--name') + 1]
      if (args.includes('--name') && name !== undefined) endWithThisProcess(name, child)
      child.once('error', () => resolve(125))
      child.once('exit', (code, signal) =>
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      )
    })
  }

  onGatewayStart(project: string, listener: () => void): () => void {
    // The read ends with the pipe, that is, with this process however it ends.
    const script = '"$@" & read -r _; kill "$!"'
    const child = spawn('sh', ['-c', script, 'sh', 'docker', ...gatewayStarts(project)], {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    })
    for (const one of [child, child.stdin, child.stdout]) one.on('error', () => undefined)
    child.stdout.on('data', listener)
    child.unref()
    return () => child.stdin.end()
  }

  onSignal(listener: (name: NodeJS.Signals) => void): void {
    for (const name of SIGNALS) process.on(name, () => listener(name))
  }

  owner(pid: number): Promise<string | null> {
    return Promise.resolve(ownerName(pid))
  }

  isFile(path: string): Promise<boolean> {
    return Promise.resolve(statSync(path, { throwIfNoEntry: false })?.isFile() ?? false)
  }

  addresses(): Promise<string[]> {
    const all = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
    return Promise.resolve(
      all.filter(({ internal, family }) => !internal && family === 'IPv4').map(({ address }) => address),
    )
  }

  reserve(plan: Pick<SandboxPlan, 'id' | 'reserved' | 'readOnly' | 'pinned'>): Promise<void> {
    return Promise.resolve().then(() => {
      this.#release = reserve(plan, reservations(), plan.id)
    })
  }

  release(): Promise<void> {
    this.#release()
    return Promise.resolve()
  }

  sweepReserved(): Promise<void> {
    sweepReserved(reservations())
    return Promise.resolve()
  }

  runDirectories(): Promise<{ directory: string; owner: string }[]> {
    const names = readdirSync(tmpdir()).filter((name) => name.startsWith(RUN_DIRECTORY))
    return Promise.resolve(
      names.flatMap((name) => {
        const directory = join(tmpdir(), name)
        try {
          return [{ directory, owner: readFileSync(join(directory, 'owner'), 'utf8').trim() }]
        } catch {
          return []
        }
      }),
    )
  }

  removeDirectory(directory: string): Promise<void> {
    rmSync(directory, { recursive: true, force: true })
    return Promise.resolve()
  }

  /** In a separate process, so that the run can exit immediately. */
  cleanUpLater(order: CleanUpOrder): void {
    spawn(process.execPath, [CLEAN_UP, JSON.stringify(order)], {
      stdio: 'ignore',
      detached: true,
    }).unref()
  }
}

/**
 * Removes a container when this process ends before it. Threat: a container that outlives its run goes on without anybody who
 * hides files that appear, or who knows that it still writes.
 */
function endWithThisProcess(name: string, container: ChildProcess): void {
  // The read ends with the pipe, that is, with this process however it ends.
  const guard = spawn('sh', ['-c', 'read -r _; exec docker rm -f "$1"', 'sh', name], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.on('error', () => undefined)
  guard.stdin.on('error', () => undefined)
  guard.unref()
  container.once('exit', () => guard.kill('SIGKILL'))
}

function makeRunDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), RUN_DIRECTORY))
  // As mkdtemp(3) makes it, whatever the umask.
  chmodSync(directory, 0o700)
  writeFileSync(join(directory, 'owner'), `${ownerName(process.pid) ?? ''}\n`)
  return directory
}
