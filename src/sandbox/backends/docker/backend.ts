import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { OWN_STREAMS, type CommandStreams, type SandboxBackend } from '../../backend.js'
import type { SandboxPlan } from '../../plan.js'
import { containerArguments, environmentText } from './arguments.js'
import { emptyFileIn, sweep, tellEnd, type CleanUpOrder } from './clean-up.js'
import type { DockerHost } from './host.js'
import { HidingWatch } from '../../watch/hiding-watch.js'
import { LateMasks } from './late-masks.js'
import type { RunNetwork } from './network.js'
import type { DockerOptions } from './options.js'

/** The container may not have started yet. */
const SIGNAL_ATTEMPTS = 5

export interface DockerBackendInput {
  readonly host: DockerHost
  readonly options: DockerOptions
  readonly network: RunNetwork
  /** the value of TERM on a terminal */
  readonly term: string
  /** told of what the operator has to know, one line each */
  readonly warn: (message: string) => void
}

/** Runs a plan as a Docker container, in a network that the gateway has joined. */
export class DockerBackend implements SandboxBackend {
  readonly #input: DockerBackendInput
  #streams: CommandStreams = OWN_STREAMS
  #arguments: readonly string[] = []
  #exit: Promise<number> | null = null
  #ended = false
  #stopFollowing = (): void => undefined
  #watch: HidingWatch | null = null
  #lateMasks: LateMasks | null = null

  constructor(input: DockerBackendInput) {
    this.#input = input
  }

  attach(streams: CommandStreams): void {
    this.#streams = streams
  }

  async prepare(plan: SandboxPlan): Promise<void> {
    await this.#input.host.reserve(plan)
    this.#keepHidden(plan)
    const { host, network, options, term } = this.#input
    const { directory } = host.facts
    const files = Object.entries(plan.files).map(([path, content], index) => {
      const source = join(directory, `file-${String(index)}`)
      writeShown(source, content)
      return [path, source] as const
    })
    const shownInstead = plan.hidden.flatMap(({ path, content }, index): [string, string][] => {
      if (content === undefined) return []
      const source = join(directory, `shown-${String(index)}`)
      writeShown(source, content)
      return [[path, source]]
    })
    const environmentFile = join(directory, 'environment')
    writeFileSync(environmentFile, environmentText(plan), { mode: 0o600 })
    this.#arguments = containerArguments({
      plan,
      name: network.name,
      project: options.project,
      image: options.image,
      files: Object.fromEntries(files),
      emptyFile: emptyFileIn(directory),
      shownInstead: Object.fromEntries(shownInstead),
      environmentFile,
      ipv6: !existsSync('/proc/sys/net') || existsSync('/proc/sys/net/ipv6'),
      term,
    })
  }

  #keepHidden(plan: SandboxPlan): void {
    const { host, network, warn } = this.#input
    const watch = new HidingWatch(plan)
    const stop = (reason: string) => {
      masks.close()
      warn(`The sandbox was stopped, because a new file could not be hidden: ${reason}`)
      void host.docker(['rm', '-f', network.name])
    }
    const masks = new LateMasks({
      host,
      gateway: () => network.gateway,
      name: network.name,
      isOwnSocket: (pid, path) => watch.isOwnSocket(pid, path),
      hidden: (path) => watch.note(path),
      failed: stop,
    })
    this.#watch = watch
    this.#lateMasks = masks
    const warning = watch.start()
    if (warning !== null) warn(warning)
    watch.attach(null, (finding) => masks.add(finding), stop)
  }

  /** Paths that were hidden while the command ran. */
  get hiddenLate(): readonly string[] {
    return this.#watch?.hidden ?? []
  }

  start(): void {
    const { host, options, network } = this.#input
    this.#stopFollowing = host.onGatewayStart(options.project, () => void network.rejoin())
    this.#exit = host.attach(this.#arguments, this.#streams)
  }

  signal(name: NodeJS.Signals): void {
    void this.#kill(name.replace(/^SIG/, ''))
  }

  async #kill(name: string): Promise<void> {
    const { host, network } = this.#input
    for (let attempt = 0; attempt < SIGNAL_ATTEMPTS && !this.#ended; attempt += 1) {
      if (attempt > 0) await sleep(1000)
      if ((await host.docker(['kill', '-s', name, network.name])).code === 0) return
    }
  }

  async wait(): Promise<number> {
    return (await this.#exit) ?? 125
  }

  async end(exitCode: number | null): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#watch?.close()
    this.#lateMasks?.close()
    this.#stopFollowing()
    const { host, network } = this.#input
    await network.close()
    const order = this.#cleanUpOrder()
    const isTold = !network.begun || (await tellEnd(host, order, network.name, { exitCode }))
    await host.release()
    host.cleanUpLater({
      ...order,
      network: network.begun ? network.name : null,
      untold: isTold ? null : { exitCode },
    })
  }

  async sweep(): Promise<void> {
    await sweep(this.#input.host, this.#cleanUpOrder())
  }

  #cleanUpOrder(): CleanUpOrder {
    const { host, options, network } = this.#input
    const { gateway } = network
    const { directory } = host.facts
    return {
      project: options.project,
      place: network.place,
      containers: { dns: gateway.dns, proxy: gateway.proxy },
      network: network.name,
      untold: null,
      directories: [directory],
      emptyFile: emptyFileIn(directory),
    }
  }
}

/** Writes a file that every user can read, because the user in the sandbox is a different one. */
export function writeShown(path: string, content: string): void {
  writeFileSync(path, content)
  chmodSync(path, 0o644)
}
