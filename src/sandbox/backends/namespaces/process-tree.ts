import { spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process'
import type { Socket as DatagramSocket } from 'node:dgram'
import type { Server } from 'node:net'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import type { CommandStreams } from '../../backend.js'
import { explainFailure } from './host-check.js'
import type { HelperReport } from './helper-messages.js'
import { findTool, systemPath } from './host-tools.js'
import { agentId } from '../../etc-files.js'
import type { UnixUser } from '../../identity.js'
import { exitWord, readyLine } from './init-script.js'
import { SandboxError } from '../../sandbox-error.js'

export interface Instructions {
  /** whether there is a pipe for them beside the IPC channel */
  readonly piped: boolean
  /**
   * Sends them. Called after the processes have been started, so that slow parts do not delay them.
   *
   * @returns number of sockets that will be handed over
   */
  send(child: ChildProcess): Promise<number>
}

export interface ProcessTreeInput {
  /** first part of PID 1's script */
  init: string
  /** what the program in the first part of the script is told */
  instructions: Instructions
  /** root's script, and the user that root then becomes; null if an ordinary user starts the sandbox */
  staging: { script: string; identity: UnixUser } | null
  /** whether the tree stays in the session of the caller's terminal */
  keepsTerminal: boolean
  descriptors: CommandStreams
}

/** A sandbox whose PID 1 waits for the second part of its script. */
export interface ProcessTree {
  pid: number
  sockets: ReadonlyMap<string, Server | DatagramSocket>
  exit: Promise<{ code: number }>
  finishScript: (text: string) => void
  kill: () => void
}

const setUpLimitMs = 30_000

/**
 *   gateway ── setpriv → unshare ── sh (PID 1) ── socket helper, then the agent
 *   gateway ── setpriv → unshare → sh → setpriv → unshare ── sh (PID 1) …        started by root
 *
 * An arrow is an exec, a line a fork. Each process dies with the one before it.
 */
export function treeCommand(staging: ProcessTreeInput['staging']): string[] {
  const dieWithParent = ['setpriv', '--pdeathsig', 'KILL']
  const enter = ['unshare', '--user', `--map-user=${agentId}`, `--map-group=${agentId}`, '--keep-caps']
  const namespaces = [
    '--net',
    '--mount',
    '--pid',
    '--ipc',
    '--uts',
    '--cgroup',
    '--fork',
    '--kill-child=KILL',
  ]
  const init = [...enter, ...namespaces, '--', 'sh', '-s']
  if (staging === null) return [...dieWithParent, '--', ...init]
  const { uid, gid } = staging.identity
  const become = [
    ...dieWithParent,
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--inh-caps=-all',
    '--',
  ]
  const prepare = ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', staging.script, 'sh']
  return [...dieWithParent, '--', ...prepare, ...become, ...init]
}

/** Starts the processes; resolves when the sockets have been handed over and everything is mounted. Throws a SandboxError. */
export async function startProcessTree(input: ProcessTreeInput): Promise<ProcessTree> {
  const [program = '', ...words] = treeCommand(input.staging)
  const child = spawn(program, words, {
    // Threat: the gateway's environment contains real credentials, and /proc/PID/environ can be read.
    env: { PATH: systemPath.join(':'), LC_ALL: 'C' },
    cwd: '/',
    stdio: [
      ...['pipe', 'pipe', 'pipe', 'ipc', ...input.descriptors],
      ...(input.instructions.piped ? ['pipe'] : []),
    ] as StdioOptions,
    detached: !input.keepsTerminal,
  })
  const kill = () => void child.kill('SIGKILL')
  const standard = standardStreams(child)
  const exit = watchExit(child, standard.output)
  // A write to a process that has ended fails; its exit is handled below.
  standard.input.on('error', () => undefined)
  try {
    const sockets = await setUp(child, standard, input, exit)
    if (child.connected) child.disconnect()
    return { pid: child.pid ?? 0, sockets, exit, kill, finishScript: (text) => void standard.input.end(text) }
  } catch (error) {
    kill()
    throw error
  }
}

/** The exit code that PID 1 reported. A tree that ends without a report was killed. */
function watchExit(child: ChildProcess, output: Readable): ProcessTree['exit'] {
  let last = ''
  output.on('data', (chunk: Buffer) => (last = (last + chunk.toString()).slice(-64)))
  // Not the child's `close` event, which may never be emitted after its channel was disconnected.
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const drained = new Promise((resolve) => output.once('close', resolve))
  return Promise.all([ended, drained]).then(() => {
    const code = new RegExp(`^${exitWord} (\\d+)$`, 'm').exec(last)?.[1]
    return { code: code === undefined ? 128 + constants.signals.SIGKILL : Number(code) }
  })
}

interface StandardStreams {
  input: Writable
  output: Readable
  error: Readable
}

function standardStreams({ stdin, stdout, stderr }: ChildProcess): StandardStreams {
  if (!stdin || !stdout || !stderr)
    throw new SandboxError(
      'EGRESS_SANDBOX_SETUP',
      'Too many open files',
      'Increase the limit with `ulimit -n`',
    )
  return { input: stdin, output: stdout, error: stderr }
}

function setUp(
  child: ChildProcess,
  standard: StandardStreams,
  input: ProcessTreeInput,
  exit: ProcessTree['exit'],
) {
  const sockets = new Map<string, Server | DatagramSocket>()
  return new Promise<typeof sockets>((resolve, reject) => {
    let said = ''
    let progress = ''
    let settled = false
    const settle = (then: () => void) => {
      // The end of the tree is reported here as well. By then, the sockets belong to the gateway.
      if (settled) return
      settled = true
      clearTimeout(timer)
      then()
    }
    const giveUp = (error: Error) =>
      settle(() => {
        for (const socket of sockets.values()) socket.close()
        reject(error)
      })
    const fail = (text: string) => giveUp(explainFailure(text))
    let wanted = Infinity
    const timer = setTimeout(() => fail(`not ready after ${setUpLimitMs / 1000} s; ${said}`), setUpLimitMs)
    child.once('error', (error) => fail(error.message))
    child.on('message', (message: HelperReport, socket) => {
      if ('failed' in message) fail(message.failed)
      else if ('socket' in message) sockets.set(message.socket, socket as Server | DatagramSocket)
      else child.send('bye')
    })
    standard.error.on('data', (chunk: Buffer) => (said += chunk.toString()))
    standard.output.on('data', (chunk: Buffer) => {
      progress += chunk.toString()
      if (!progress.includes(readyLine + '\n')) return
      if (sockets.size === wanted) settle(() => resolve(sockets))
      else fail('a socket was not handed over')
    })
    void exit.then(() => fail(said))
    standard.input.write(input.init)
    input.instructions.send(child).then((count) => (wanted = count), giveUp)
  })
}

/** Saves the state of the caller's terminal. Returns a function that restores it. */
export function rememberTerminal(): () => void {
  const stty = findTool('stty')
  if (stty === null) return () => undefined
  const saved = spawnSync(stty, ['-g'], { stdio: [0, 'pipe', 'ignore'] })
  const state = saved.stdout.toString().trim()
  return () => {
    if (saved.status === 0) spawnSync(stty, [state], { stdio: [0, 'ignore', 'ignore'] })
  }
}
