import type { Socket as DatagramSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import type { Server } from 'node:net'
import { OWN_STREAMS, type CommandStreams, type SandboxBackend } from '../../backend.js'
import { rootEtcFiles } from '../../etc-files.js'
import type { SandboxPlan } from '../../plan.js'
import { reservations, reserve, sweepReserved } from '../../reserved-paths.js'
import { SandboxError } from '../../sandbox-error.js'
import type { SandboxFiles } from '../../spec.js'
import { signalAgent } from './agent-process.js'
import { formatAgentScript, type AgentTools } from './agent-script.js'
import { chooseBuilder } from './builders.js'
import { findTool } from './host-tools.js'
import { formatStartScript } from './init-script.js'
import { maskCommand } from '../../watch/mask-program.js'
import { HidingWatch } from '../../watch/hiding-watch.js'
import { MaskHelper } from '../../watch/mask-helper.js'
import {
  checkFiles,
  emptyDirectory,
  emptyFile,
  launchScript,
  planMounts,
  shownAs,
  type MountPlan,
} from './mount-plan.js'
import { memoryIn, packageSettings } from './package-settings.js'
import { isWithin } from '../../paths.js'
import { stateDirectory } from '../../../common/sandbox-writes.js'
import { parseMountinfo } from './mount-table.js'
import { findProcFiles } from './proc-files.js'
import { rememberTerminal, startProcessTree, type ProcessTree } from './process-tree.js'
import { stage, withoutStaging, type Staging } from './staging.js'
import { filterInstaller } from './syscall-filter.js'
import { listSystemFiles } from './system-files.js'

/**
 * Builds a sandbox out of Linux namespaces. Every process dies with its parent. Nothing is
 * written outside the sandbox's own memory, except for reserved names.
 */
export class NamespacesBackend implements SandboxBackend {
  readonly #lateFiles: () => Promise<SandboxFiles>
  #streams: CommandStreams = OWN_STREAMS
  readonly #perl: string | null
  #script: string | null = null
  #tree: ProcessTree | null = null
  readonly #warn: (message: string) => void
  #helper: MaskHelper | null = null
  #failure: string | null = null
  #isPrepared = false
  #watch: HidingWatch | null = null
  #release: () => void = () => undefined
  #exit: Promise<{ code: number }> = Promise.resolve({ code: 125 })

  /**
   * @param lateFiles further files of the sandbox, asked for while its processes start: a certificate takes time to make
   * @param warn told of what the operator has to know, one line each
   * @param perl path of the Perl that builds the sandbox; null to build it with the tools of util-linux
   */
  constructor(
    lateFiles: () => Promise<SandboxFiles> = () => Promise.resolve({}),
    warn: (message: string) => void = () => undefined,
    perl: string | null = findTool('perl'),
  ) {
    this.#perl = perl
    this.#lateFiles = lateFiles
    this.#warn = warn
  }

  attach(streams: CommandStreams): void {
    this.#streams = streams
  }

  async prepare(plan: SandboxPlan): Promise<void> {
    this.#release = reserve(plan, reservations(), plan.id)
    const masks = this.#startHiding(plan)
    const staging = plan.runAs
      ? stage(plan.shown, process.execPath)
      : withoutStaging(plan.shown, process.execPath)
    this.#script = plan.terminal ? findTool('script') : null
    const agent = formatAgentScript({
      command: plan.command,
      workdir: plan.workdir,
      environment: plan.environment,
      limits: plan.limits,
      tools: agentTools(),
      filter: filterPrefix(),
      leaveTerminal: this.#script === null,
    })
    const restoreTerminal = plan.terminal ? rememberTerminal() : () => undefined
    const { init, instructions } = chooseBuilder({
      staging,
      tmpBytes: plan.limits.tmpBytes,
      plan: async () => mountsOf(plan, staging, await this.#lateFiles(), agent),
      perl: this.#perl,
    })
    this.#tree = await startProcessTree({
      init,
      instructions,
      staging:
        plan.runAs && staging.script !== null ? { script: staging.script, identity: plan.runAs } : null,
      keepsTerminal: this.#script !== null,
      descriptors: this.#streams,
    })
    this.#exit = this.#tree.exit.finally(restoreTerminal)
    await this.#keepHidden(this.#tree.pid, masks)
  }

  /** Started early, because Perl takes time to start. Null if there is no Perl. */
  #startHiding(plan: SandboxPlan): MaskHelper | null {
    const watch = new HidingWatch(plan, shownAs)
    this.#watch = watch
    const command = maskCommand({
      architecture: process.arch,
      perl: findTool('perl'),
      empty: { file: emptyFile, directory: emptyDirectory },
    })
    if (command === null) {
      this.#warn('Files to hide that appear during this run stay visible, because Perl is not installed')
      return null
    }
    const become =
      plan.runAs === null ? [] : [`--reuid=${plan.runAs.uid}`, `--regid=${plan.runAs.gid}`, '--clear-groups']
    this.#helper = new MaskHelper([tool('setpriv'), '--pdeathsig', 'KILL', ...become, '--', ...command], {
      hidden: (path) => watch.note(path),
      failed: (path, reason) => {
        this.#stop(`${path || 'A new file'} could not be hidden: ${reason}`)
      },
    })
    return this.#helper
  }

  /** Resolves when everything is watched, and what has appeared since the plan was made is hidden. */
  async #keepHidden(pid: number, helper: MaskHelper | null): Promise<void> {
    if (helper === null || this.#watch === null) return
    helper.join(pid)
    const warning = this.#watch.start()
    if (warning !== null) this.#warn(warning)
    this.#watch.attach(
      pid,
      (finding) => helper.apply(finding),
      (reason) => this.#stop(`New files cannot be hidden: ${reason}`),
    )
    await helper.idle()
    if (this.#failure !== null)
      throw new SandboxError(
        'EGRESS_SANDBOX_HIDING',
        this.#failure,
        'Start it again, or use --backend docker',
      )
    this.#isPrepared = true
  }

  #stop(failure: string): void {
    if (this.#isPrepared && this.#failure === null) this.#warn(`The sandbox was stopped. ${failure}`)
    this.#failure ??= failure
    this.#tree?.kill()
  }

  /** Paths that were hidden while the command ran. */
  get hiddenLate(): readonly string[] {
    return this.#watch?.hidden ?? []
  }

  /** By name, open in the sandbox's network namespace, living in this process; after `prepare`. */
  get sockets(): ReadonlyMap<string, Server | DatagramSocket> {
    return this.#tree?.sockets ?? new Map()
  }

  start(): void {
    this.#tree?.finishScript(formatStartScript(this.#script))
  }

  signal(name: NodeJS.Signals): void {
    if (this.#tree !== null) signalAgent(this.#tree.pid, this.#script !== null, name)
  }

  async wait(): Promise<number> {
    return (await this.#exit).code
  }

  async end(): Promise<void> {
    this.#helper?.close()
    this.#watch?.close()
    this.#tree?.kill()
    await this.#exit
    this.#release()
  }

  /** The kernel has removed the sandbox itself. */
  sweep(): Promise<void> {
    sweepReserved(reservations())
    return Promise.resolve()
  }
}

function mountsOf(plan: SandboxPlan, staging: Staging, late: SandboxFiles, agent: string): MountPlan {
  const system = listSystemFiles()
  const trees = [...plan.shown, ...system.filter(({ kind }) => kind !== 'link')].map(({ path }) => path)
  checkFiles(Object.keys(late), trees)
  const files: SandboxFiles = { ...rootEtcFiles(plan), ...plan.files, ...late, [launchScript]: agent }
  const own = new Set([...Object.keys(files), ...system.map(({ path }) => path)])
  const { copies, filtered } = packageSettings(
    { memory: memoryIn(stateDirectory()) },
    (path) => own.has(path) || trees.some((tree) => isWithin(path, tree)),
  )
  return planMounts({
    plan,
    root: staging.root,
    table: parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')),
    system,
    trees: staging.trees,
    ...findProcFiles(),
    files: { ...contentsOf(copies), ...filtered, ...files },
  })
}

/** Programs do without a file that cannot be read, as they do where its package is not installed. */
function contentsOf(paths: readonly string[]): SandboxFiles {
  return Object.fromEntries(
    paths.flatMap((path) => {
      try {
        return [[path, readFileSync(path)]]
      } catch {
        return []
      }
    }),
  )
}

function agentTools(): AgentTools {
  return { env: tool('env'), prlimit: tool('prlimit'), setpriv: tool('setpriv'), setsid: tool('setsid') }
}

function filterPrefix(): string[] {
  const prefix = filterInstaller(process.arch, { perl: findTool('perl'), python: findTool('python3') })
  if (prefix === null)
    throw new SandboxError(
      'EGRESS_SANDBOX_TOOLS',
      'Cannot install the system call filter',
      'Install perl or python3',
    )
  return prefix
}

function tool(name: string): string {
  const found = findTool(name)
  if (found === null)
    throw new SandboxError('EGRESS_SANDBOX_TOOLS', `${name} not found`, 'Install util-linux')
  return found
}
