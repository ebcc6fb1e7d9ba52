import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn, type ForwardResult } from './lib/attempt.mjs'
import { exchange, get, openTcp } from './lib/http.mjs'
import { statusField, visibleProcesses } from './lib/processes.mjs'
import { isInstalled, run } from './lib/run.mjs'
import { askJira } from './lib/controls.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'fork-bomb': { attack: fork, control: askJira },
  'gateway-internals': { attack: lookForGateway, control: askJira },
  'nested-namespace': { attack: nest, control: askJira },
  ptrace: { attack: trace, control: askJira },
}

/** Number of children above which a fork bomb counts as unlimited; a useful limit is far below. */
const MAX_CHILDREN = 2000

/** Milliseconds for the bomb to go off, and for the clean-up. */
const BOMB_MS = 15_000

async function fork(): Promise<Attempt[]> {
  return [
    await attempt('start unlimited processes', async () => {
      const loop = `i=0; while [ $i -lt ${MAX_CHILDREN} ]; do sleep 60 & i=$((i+1)); done`
      // Its own process group, so that it can be ended as a whole.
      const bomb = spawn('sh', ['-c', loop], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
      let complaint = ''
      bomb.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
      const [code] = (await once(bomb, 'exit', { signal: AbortSignal.timeout(BOMB_MS) })) as [number | null]
      const count = visibleProcesses().length
      await clearAway(bomb.pid ?? 0)
      const denial = /cannot fork|resource temporarily/i.exec(complaint)?.[0] ?? `exit ${code ?? 'by signal'}`
      return { reached: code === 0, said: `${denial} at ${count} processes` }
    }),
  ]
}

async function clearAway(group: number): Promise<void> {
  const deadline = Date.now() + BOMB_MS
  const before = new Set([process.pid, 1])
  process.kill(-group, 'SIGKILL')
  while (Date.now() < deadline && visibleProcesses().filter((pid) => !before.has(pid)).length > 5)
    await sleep(20)
}

async function lookForGateway({ listeners, hidden }: Brief): Promise<Attempt[]> {
  const expected = new Set(Object.values(listeners).map(({ port }) => port))
  const scan = async (): Promise<ForwardResult> => {
    const open = await openPorts('127.0.0.1')
    const strange = open.filter((port) => !expected.has(port))
    return { reached: strange.length > 0, said: `open: ${open.join(', ')}` }
  }
  const admin = ['/metrics', '/health', '/ready', '/admin', '/debug/pprof', '/reload', '/policy']
  return inTurn([
    () => attempt('every port of 127.0.0.1', scan),
    ...hidden.map(
      (path) => () => attempt(`read ${path}`, () => ({ said: `read ${readFileSync(path).length} bytes` })),
    ),
    ...[listeners.http, listeners.proxy, listeners.reverse].flatMap((listener) =>
      admin.map(
        (path) => () =>
          attempt(`GET ${path} at port ${listener.port}`, async () =>
            exchange(await openTcp(listener), get('egress', path)),
          ),
      ),
    ),
  ])
}

/** Ports that accept a connection: those that the kernel lists as listening, or any port if it lists none. */
async function openPorts(host: string): Promise<number[]> {
  const listed = listeningPorts()
  const candidates = listed.length > 0 ? listed : Array.from({ length: 65_535 }, (_, index) => index + 1)
  const open: number[] = []
  const scanner = async (): Promise<void> => {
    for (let port = candidates.pop(); port !== undefined; port = candidates.pop()) {
      if (await accepts(host, port)) open.push(port)
    }
  }
  await Promise.all(Array.from({ length: 200 }, scanner))
  return open.sort((a, b) => a - b)
}

/** proc_pid_net(5): the local port is hexadecimal, state 0A is LISTEN. */
function listeningPorts(): number[] {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].filter((path) => existsSync(path))
  const lines = tables.flatMap((path) => readFileSync(path, 'utf8').split('\n'))
  const ports = lines.map((line) => /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ 0A /.exec(line)?.[1])
  return [...new Set(ports.filter((port) => port !== undefined).map((port) => parseInt(port, 16)))]
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    socket.once('error', () => {
      resolve(false)
    })
    socket.once('connect', () => {
      // A scanner may get a scanned port as its source port, and then find itself.
      resolve(socket.localPort !== port)
      socket.destroy()
    })
  })
}

async function nest(): Promise<Attempt[]> {
  const programs: [command: string, ...args: string[]][] = [
    ['unshare', '--user', 'true'],
    ['unshare', '--user', '--map-root-user', '--net', 'true'],
    ['unshare', '--net', 'true'],
    ['unshare', '--mount', 'true'],
    ['nsenter', '--target', '1', '--net', 'true'],
    ['nsenter', '--target', '1', '--mount', 'true'],
    ['bwrap', '--ro-bind', '/', '/', 'true'],
    ['perl', '-e', `exit(syscall(${process.arch === 'arm64' ? 97 : 272}, 0x10000000) == 0 ? 0 : 1)`],
  ]
  return inTurn(
    programs.map(
      ([command, ...args]) =>
        () =>
          attempt([command, ...args].join(' '), () =>
            isInstalled(command)
              ? run(command, args)
              : { reached: false, said: `${command} is not installed` },
          ),
    ),
  )
}

/** A tracer controls the traced process, so a traceable process must not have more rights than the agent. */
async function trace(): Promise<Attempt[]> {
  const seize = (pid: number): ForwardResult => {
    // PTRACE_SEIZE attaches without stopping: the demo must not stop the first process of the sandbox.
    const number = process.arch === 'arm64' ? 117 : 101
    return run('perl', ['-e', `exit(syscall(${number}, 0x4206, ${pid}, 0, 0) == 0 ? 0 : 1)`])
  }
  const others = visibleProcesses().filter((pid) => pid !== process.pid)
  return inTurn([
    ...others.map(
      (pid) => () =>
        attempt(`process ${pid}`, () => {
          const opened = opens(`/proc/${pid}/mem`)
          const seized = isInstalled('perl') && seize(pid).reached === true
          const more = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].some(
            (field) => !/^0*$/.test(statusField(pid, field)),
          )
          const traceable = opened || seized
          return {
            reached: traceable && more,
            said: traceable
              ? `traceable, ${more ? 'and has capabilities' : 'no more than the agent'}`
              : 'refused',
          }
        }),
    ),
    () => attempt('visible processes', () => ({ reached: false, said: `${others.length} beside this one` })),
  ])
}

function opens(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'))
    return true
  } catch {
    return false
  }
}
