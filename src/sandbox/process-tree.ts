import { spawn, type ChildProcess } from 'node:child_process'
import type { Socket as DatagramSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import type { Server } from 'node:net'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { HelperReport } from './helper-messages.js'
import { systemPath } from './host-tools.js'
import { formatInitScript, formatStartScript } from './init-script.js'
import type { Plan } from './plan.js'
import { SandboxError } from './sandbox-error.js'
import type { Sandbox } from './spec.js'

export interface ProcessTreeInput {
  plan: Plan
  script: string | null
  node: string
  tmpBytes: number
  terminal: boolean
}

const namespaces = [
  '--user',
  '--map-user=1000',
  '--map-group=1000',
  '--keep-caps',
  '--net',
  '--mount',
  '--pid',
  '--ipc',
  '--uts',
  '--cgroup',
  '--fork',
  '--kill-child',
]

export async function startProcessTree(input: ProcessTreeInput): Promise<Sandbox> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'unshare', ...namespaces, '--', 'sh', '-s'], {
    env: { PATH: systemPath.join(':'), LC_ALL: 'C' },
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe', 'ipc', 0, 1, 2],
    detached: !input.terminal,
  })
  const helper = readFileSync(fileURLToPath(new URL('./socket-helper.js', import.meta.url)), 'utf8')
  const { stdin, stdout, stderr } = child
  if (!stdin || !stdout || !stderr) throw new Error('unreachable')
  stdin.on('error', () => {})
  stdin.write(
    formatInitScript({ root: input.plan.order.root, node: input.node, helper, tmpBytes: input.tmpBytes }),
  )
  let diagnostics = ''
  stderr.on('data', (chunk: Buffer) => (diagnostics += chunk.toString()))
  const exit = new Promise<{ code: number }>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve({ code: code ?? 128 + (signal ? constants.signals[signal] : 0) }),
    )
  })
  const sockets = new Map<string, Server | DatagramSocket>()
  await new Promise<void>((resolve, reject) => {
    const fail = (message: string) => reject(new SandboxError('EGRESS_SANDBOX_SETUP', message, 'fix it'))
    child.send(input.plan.order)
    child.on('message', (message: HelperReport, handle) => {
      if ('socket' in message) sockets.set(message.socket, handle as Server)
      else if ('done' in message) child.send('bye')
      else fail(message.failed)
    })
    void exit.then(({ code }) => fail(`exit ${code}: ${diagnostics}`))
    stdout.on('data', (c: Buffer) => c.toString().includes('ready') && resolve())
  })
  child.disconnect()
  return {
    sockets,
    warnings: [],
    start: () => void stdin.end(formatStartScript(input.script)),
    signal: () => {},
    exit,
    kill: () => void child.kill('SIGKILL'),
  }
}
void (0 as unknown as ChildProcess)
