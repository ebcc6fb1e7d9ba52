import { readFileSync, writeFileSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { quoteCommand } from '../../shell-quote.js'
import { cleanUp, type CleanUpOrder } from './clean-up.js'
import type { SandboxPlan } from '../../plan.js'
import { gatewayStarts } from './gateway-starts.js'
import type { DockerHost, DockerResult, HostFacts } from './host.js'
import { dockerError } from './options.js'

/** Seconds of events that are asked for at once: an order brings its output when it has ended. */
const WINDOW_SECONDS = 5

const now = (): number => Math.floor(Date.now() / 1000)

/** Standard output, from which sandbox-run reads orders. */
const ORDERS = 1

/**
 * Host access for a host without Node.js: sandbox-run runs this program in the gateway's image and carries out the orders on its
 * standard output. The arguments of order N are in the file N.sh in the run's directory, quoted for a shell.
 *
 *   docker N   run docker with the words of N.sh; then N.out, N.err, and the line `N CODE`
 *   show N     the same, and errors go to whoever started the run
 *   attach N   docker with the run's own standard streams; then `N CODE`
 *   owner N    name the process of N.sh, in N.out; then `N CODE`
 *   file N     whether N.sh names a file; then `N CODE`
 *   addresses N, runs N    the host's addresses, the directories of runs, in N.out; then `N CODE`
 *   reserve N, release N    create the names of N.sh (kind, path, content), remove them; then `N CODE`
 *   remove N   remove the run's directory of N.sh, and the names that the run has reserved; then `N CODE`
 *   say N      print N.sh as it is
 *   exit CODE  end with that code, and go on with what is ordered after it
 *
 * Lines come back on standard input: `N CODE`, and `signal NAME` for a signal to the run.
 */
export class FrontHost implements DockerHost {
  readonly facts: HostFacts
  readonly #waiting = new Map<number, (code: number) => void>()
  #count = 0
  /** Default: exit, like a program without a signal handler. */
  #onSignal: (name: NodeJS.Signals) => void = (name) => process.exit(128 + constants.signals[name])
  #later: CleanUpOrder | null = null
  readonly #lines = createInterface({ input: process.stdin })

  constructor(facts: HostFacts) {
    this.facts = facts
    this.#lines.on('line', (line) => this.#hear(line))
    // sandbox-run was killed. The next run removes its remains.
    this.#lines.once('close', () => process.exit())
  }

  async docker(args: readonly string[], { showErrors = false } = {}): Promise<DockerResult> {
    return this.#ask(showErrors ? 'show' : 'docker', args)
  }

  async attach(args: readonly string[]): Promise<number> {
    return (await this.#ask('attach', args)).code
  }

  onGatewayStart(project: string, listener: () => void): () => void {
    const stopped = new AbortController()
    const isOn = () => !stopped.signal.aborted
    const watch = async () => {
      for (let since = 0; isOn();) {
        const from = since === 0 ? now() : since
        since = from + WINDOW_SECONDS
        const window = ['--since', String(from), '--until', String(since)]
        const { code, stdout } = await this.docker([...gatewayStarts(project), ...window])
        if (isOn() && stdout.trim() !== '') listener()
        if (code !== 0) await sleep(WINDOW_SECONDS * 1000)
      }
    }
    void watch()
    return () => stopped.abort()
  }

  onSignal(listener: (name: NodeJS.Signals) => void): void {
    this.#onSignal = listener
  }

  async owner(pid: number): Promise<string | null> {
    const { code, stdout } = await this.#ask('owner', [String(pid)])
    return code === 0 && stdout !== '' ? stdout.trim() : null
  }

  async isFile(path: string): Promise<boolean> {
    return (await this.#ask('file', [path])).code === 0
  }

  async addresses(): Promise<string[]> {
    return (await this.#ask('addresses', [])).stdout.split(/\s+/).filter((word) => /^[0-9.]+$/.test(word))
  }

  async reserve({ reserved: paths }: Pick<SandboxPlan, 'reserved'>): Promise<void> {
    const words = paths.flatMap(({ kind, path, content }) => [kind, path, content])
    const { code, stderr } = paths.length === 0 ? { code: 0, stderr: '' } : await this.#ask('reserve', words)
    if (code !== 0)
      throw dockerError(
        `Cannot reserve names in the writable directories: ${stderr.trim()}`,
        'Make the directory writable for the user who starts the sandbox, or start without --write',
      )
  }

  async release(): Promise<void> {
    await this.#ask('release', [])
  }

  /** sandbox-run releases the names of a killed run together with its directory. */
  sweepReserved(): Promise<void> {
    return Promise.resolve()
  }

  async runDirectories(): Promise<{ directory: string; owner: string }[]> {
    const lines = (await this.#ask('runs', [])).stdout.split('\n').filter((line) => line !== '')
    return lines.map((line) => {
      const at = line.indexOf(' ')
      return { owner: line.slice(0, at), directory: line.slice(at + 1) }
    })
  }

  async removeDirectory(directory: string): Promise<void> {
    await this.#ask('remove', [directory])
  }

  cleanUpLater(order: CleanUpOrder): void {
    this.#later = order
  }

  /** Prints on the run's standard error. */
  say(text: string): void {
    this.#order('say', text)
  }

  /** Returns the exit code of the run, then cleans up. */
  async leave(code: number): Promise<void> {
    writeSync(ORDERS, `exit ${String(code)}\n`)
    if (this.#later !== null) await cleanUp(this, this.#later)
    process.exit(code)
  }

  async #ask(what: string, words: readonly string[]): Promise<DockerResult> {
    const number = this.#order(what, `set -- ${quoteCommand(words)}\n`)
    const code = await new Promise<number>((resolve) => this.#waiting.set(number, resolve))
    return { code, stdout: this.#read(`${String(number)}.out`), stderr: this.#read(`${String(number)}.err`) }
  }

  #order(what: string, text: string): number {
    this.#count += 1
    writeFileSync(join(this.facts.directory, `${String(this.#count)}.sh`), text)
    writeSync(ORDERS, `${what} ${String(this.#count)}\n`)
    return this.#count
  }

  #read(name: string): string {
    try {
      return readFileSync(join(this.facts.directory, name), 'utf8')
    } catch {
      return ''
    }
  }

  #hear(line: string): void {
    const [, name] = /^signal ([A-Z0-9]+)$/.exec(line) ?? []
    if (name !== undefined) {
      this.#onSignal(`SIG${name}` as NodeJS.Signals)
      return
    }
    const [number, code] = line.split(' ').map(Number)
    if (number === undefined || code === undefined) return
    this.#waiting.get(number)?.(code)
    this.#waiting.delete(number)
  }
}

/** Facts that sandbox-run passes in variables; null if it did not start this program. */
export function frontFacts(env: Readonly<Record<string, string | undefined>>): HostFacts | null {
  const directory = env['EGRESS_FRONT_DIRECTORY']
  const root = env['EGRESS_FRONT_ROOT']
  if (directory === undefined || root === undefined) return null
  const number = (name: string) => Number(env[name] ?? '')
  const terminals = env['EGRESS_FRONT_TERMINALS'] ?? ''
  return {
    pid: number('EGRESS_FRONT_PID'),
    uid: number('EGRESS_FRONT_UID'),
    gid: number('EGRESS_FRONT_GID'),
    terminals: { input: terminals.includes('0'), output: terminals.includes('1') },
    root,
    directory,
  }
}
