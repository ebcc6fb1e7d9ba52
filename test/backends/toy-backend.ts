import { spawn, type ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { OWN_STREAMS, type CommandStreams, type SandboxBackend } from '#src/sandbox/backend.js'
import { signalAgent } from '#src/sandbox/backends/namespaces/agent-process.js'
import { reservations, reserve } from '#src/sandbox/reserved-paths.js'
import type { SandboxPlan } from '#src/sandbox/plan.js'
import { quoteCommand, quoteWord } from '#src/sandbox/shell-quote.js'

/** Where things are put aside while others are mounted; it exists on every host. */
const ASIDE = '/mnt'

/**
 * A backend in one file: the plan in a plain `unshare`, with the host's own root. It shows what the interface asks of a new
 * backend, and where it differs the parity table says so.
 */
export class ToyBackend implements SandboxBackend {
  #streams: CommandStreams = OWN_STREAMS
  #child: ChildProcess | null = null
  #release: () => void = () => undefined
  #exit: Promise<number> = Promise.resolve(125)

  attach(streams: CommandStreams): void {
    this.#streams = streams
  }

  async prepare(plan: SandboxPlan): Promise<void> {
    this.#release = reserve(plan, reservations(), plan.id)
    const { uid, gid } = plan.user
    const identity = plan.runAs ?? {}
    const child = spawn(
      'unshare',
      [
        ...[
          '--user',
          `--map-user=${String(uid)}`,
          `--map-group=${String(gid)}`,
          '--keep-caps',
          '--net',
          '--mount',
        ],
        ...[
          '--pid',
          '--ipc',
          '--uts',
          '--cgroup',
          '--fork',
          '--kill-child=KILL',
          '--',
          'sh',
          '-c',
          script(plan),
        ],
      ],
      { ...identity, cwd: '/', stdio: ['pipe', 'pipe', 'inherit', 'ignore', ...this.#streams] },
    )
    this.#child = child
    this.#exit = new Promise((resolve) => {
      child.once('error', () => resolve(125))
      child.once('exit', (code, signal) =>
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      )
    })
    const ready = new Promise<string>((resolve) => child.stdout?.once('data', () => resolve('ready')))
    if ((await Promise.race([ready, this.#exit])) !== 'ready') throw new Error('the toy did not come up')
  }

  start(): void {
    this.#child?.stdin?.end('start\n')
  }

  signal(name: NodeJS.Signals): void {
    if (this.#child?.pid !== undefined) signalAgent(this.#child.pid, false, name)
  }

  wait(): Promise<number> {
    return this.#exit
  }

  async end(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#exit
    this.#release()
  }

  sweep(): Promise<void> {
    return Promise.resolve()
  }
}

function mask(source: string, path: string): string {
  const word = quoteWord(path)
  return `mount --bind ${source} ${word}; mount -o remount,bind,ro,nosuid,nodev,noexec ${word}`
}

/** What process 1 of the sandbox does: mounts from the outside in, waits for `start`, runs the command. */
function script(plan: SandboxPlan): string {
  const { limits } = plan
  const aside = plan.shown.map((_, index) => `${ASIDE}/tree-${String(index)}`)
  const make = ({ kind }: { kind: string }, path: string) =>
    kind === 'directory'
      ? `mkdir -p ${quoteWord(path)}`
      : `mkdir -p "$(dirname ${quoteWord(path)})"; : >${quoteWord(path)}`
  const files = Object.entries(plan.files).map(([path, content], index) => {
    const file = `${ASIDE}/file-${String(index)}`
    return `printf %s ${quoteWord(content)} >${file}; mount --bind ${file} ${quoteWord(path)}`
  })
  const environment = Object.entries(plan.environment).map(([name, value]) => `${name}=${value}`)
  const command = quoteCommand([
    ...['prlimit', `--nproc=${String(limits.processes)}`, `--data=${String(limits.memoryBytes)}`],
    ...[`--nofile=${String(limits.openFiles)}`, '--core=0', '--', 'setpriv', '--no-new-privs'],
    ...['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--', 'env', '-i', ...environment],
    ...plan.command,
  ])
  return `set -eu
mount -t tmpfs -o mode=0755 none ${ASIDE}
mkdir ${ASIDE}/nothing ${aside.filter((_, index) => plan.shown[index]?.kind === 'directory').join(' ')}
${plan.shown.map((tree, index) => `${make(tree, aside[index] ?? '')}; mount --rbind ${quoteWord(tree.path)} ${aside[index] ?? ''}`).join('\n')}
mkdir ${ASIDE}/home && mount --bind ${ASIDE}/home /home && mkdir -p /home/agent
mount -t tmpfs -o mode=0755 none /run
${plan.scratch
  .map(
    ({ path, mode, executable }) =>
      `mount -t tmpfs -o nosuid,nodev,${executable ? 'exec' : 'noexec'},mode=${mode},size=${String(limits.tmpBytes)} none ${path}`,
  )
  .join('\n')}
${plan.shown
  .map((tree, index) => {
    const path = quoteWord(tree.path)
    const readOnly = `mount -o remount,bind,ro,nosuid,nodev ${path}`
    return `${make(tree, tree.path)}; mount --rbind ${aside[index] ?? ''} ${path}; ${tree.writable ? ':' : readOnly}`
  })
  .join('\n')}
${plan.pinned.map((path) => `mount --rbind ${quoteWord(path)} ${quoteWord(path)}`).join('\n')}
${plan.readOnly
  .map(({ path }) => {
    const word = quoteWord(path)
    return `mount --rbind ${word} ${word}; mount -o remount,bind,ro,nosuid,nodev ${word}`
  })
  .join('\n')}
${plan.hidden
  .map(({ path, kind, content = '' }, index) => {
    const source = kind === 'file' ? `${ASIDE}/shown-${String(index)}` : `${ASIDE}/nothing`
    if (kind === 'file') return `printf %s ${quoteWord(content)} >${source}; ${mask(source, path)}`
    return mask(source, path)
  })
  .join('\n')}
${files.join('\n')}
mount -t proc -o nosuid,nodev,noexec proc /proc
mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro,nosuid,nodev,noexec /proc/sys
hostname ${quoteWord(plan.hostname)}
umount -l ${ASIDE}
mount -o remount,bind,ro /
cd ${quoteWord(plan.workdir)}
echo ready
read -r go
code=0
${command} <&4 >&5 2>&6 4<&- 5>&- 6>&- || code=$?
exit $code
`
}
