import { setTimeout as sleep } from 'node:timers/promises'
import { encodePath } from '../../raw-path.js'
import { maskCommand } from '../../watch/mask-program.js'
import type { WatchFinding } from '../../watch/tree-watch.js'
import type { GatewayContainers } from './clean-up.js'
import type { DockerHost } from './host.js'

/** Seconds until a container that was created must run. */
const START_SECONDS = 60

/** It joins the namespaces of the sandbox, which needs privileges, and has no network, log or writable files. */
const HELPER_OPTIONS =
  'run --rm --privileged --userns host --pid host --network none --read-only --no-healthcheck --user 0:0 --log-driver none'

/** The words of a fixed text, and others as they are. */
const words = (text: string, ...others: string[]): string[] => [...text.split(' '), ...others]

export interface LateMasksInput {
  readonly host: DockerHost
  /** as it is now: its image is that of the helper */
  readonly gateway: () => GatewayContainers
  /** of the sandbox's container */
  readonly name: string
  /** whether a path can stay visible, because the sandbox itself has opened the socket */
  isOwnSocket(pid: number, path: string): boolean
  hidden(path: string): void
  /** paths could not be hidden: the sandbox must end */
  failed(reason: string): void
}

/**
 * Hides paths in a running container. The engine cannot add a mount to one, so a helper container in the host's process namespace
 * does it, from the gateway's image. It is started only when there is something to hide; until it is done the sandbox is paused.
 */
export class LateMasks {
  readonly #input: LateMasksInput
  readonly #queue = new Map<string, WatchFinding>()
  #pid: number | null = null
  #isWorking = false
  #isClosed = false

  constructor(input: LateMasksInput) {
    this.#input = input
  }

  add(finding: WatchFinding): void {
    this.#queue.set(finding.path, finding)
    if (!this.#isWorking) void this.#work()
  }

  close(): void {
    this.#isClosed = true
    this.#queue.clear()
  }

  async #work(): Promise<void> {
    const { host, name } = this.#input
    this.#isWorking = true
    try {
      while (this.#queue.size > 0) {
        // On an engine that cannot pause, paths are visible until the helper is done. Before the container runs, this fails.
        await host.docker(['pause', name])
        const pid = (this.#pid ??= await this.#findPid())
        if (pid === null) return
        for (const path of [...this.#queue.keys()])
          if (this.#input.isOwnSocket(pid, path)) this.#queue.delete(path)
        const reason = this.#queue.size === 0 ? null : await this.#hide(pid)
        if (reason === null) await host.docker(['unpause', name])
        else if (!this.#isClosed) this.#input.failed(reason)
      }
    } finally {
      this.#isWorking = false
    }
  }

  /** Of the container's first process; null if the run is over. */
  async #findPid(): Promise<number | null> {
    const { host, name } = this.#input
    for (let tries = 0; tries < START_SECONDS * 10 && !this.#isClosed; tries += 1) {
      const { stdout } = await host.docker(['container', 'inspect', '--format', '{{.State.Pid}}', name])
      if (Number(stdout) > 0) return Number(stdout)
      await sleep(100)
    }
    return null
  }

  /** Null, or why something could not be hidden. */
  async #hide(pid: number): Promise<string | null> {
    const { host, gateway } = this.#input
    const findings = [...this.#queue.values()]
    this.#queue.clear()
    const [perl = '', ...program] =
      maskCommand({
        architecture: process.arch,
        perl: 'perl',
        // What the container has anyway.
        empty: { file: '/dev/null', directory: '' },
      }) ?? []
    if (perl === '') return `${process.arch} is not supported`
    const { stdout: image } = await host.docker(
      words('container inspect --format {{.Image}}', gateway().proxy),
    )
    const lines = findings.map(({ how, path }) => `${how} ${encodePath(path).toString('hex')}\n`).join('')
    const { code, stdout, stderr } = await host.docker([
      ...words(HELPER_OPTIONS, '--env', `FINDINGS=${String(pid)}\n${lines}`),
      ...words('--entrypoint sh', image.trim(), '-c', 'printf %s "$FINDINGS" | exec "$@"', 'sh'),
      perl,
      ...program,
    ])
    const failed = stdout.split('\n').find((line) => line.startsWith('failed'))
    if (code === 0 && failed === undefined && stdout.startsWith('ready')) {
      for (const { how, path } of findings) if (how === 'mask') this.#input.hidden(path)
      return null
    }
    return (
      failed?.replace(/^failed [0-9a-f]* */, '') ??
      (stderr.trim().split('\n')[0] || 'the helper container failed')
    )
  }
}
