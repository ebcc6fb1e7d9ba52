import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn, nameOf, type Outcome } from './lib/attempt.mjs'
import { exchange, get, openTcp } from './lib/http.mjs'
import { statusField, visibleProcesses } from './lib/processes.mjs'
import { isInstalled, run } from './lib/run.mjs'
import { chunksOf, walk } from './lib/search-files.mjs'
import { askJira } from './lib/twins.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'fork-bomb': { attack: fork, twin: askJira },
  'gate-internals': { attack: lookForGate, twin: askJira },
  'nested-namespace': { attack: nest, twin: askJira },
  ptrace: { attack: trace, twin: askJira },
}

/** Children that a bomb may have before it counts as unbounded; a limit that contains one is far below. */
const MAX_CHILDREN = 2000

async function fork(): Promise<Attempt[]> {
  const children: ChildProcess[] = []
  const refusals: string[] = []
  const bomb = async (): Promise<Outcome> => {
    while (children.length < MAX_CHILDREN && refusals.length === 0) {
      const child = spawn('sleep', ['30'], { stdio: 'ignore' })
      child.once('error', (error) => refusals.push(nameOf(error)))
      if (child.pid !== undefined) children.push(child)
      await sleep(0)
    }
    const [refusal] = refusals
    return {
      reached: refusal !== 'EAGAIN',
      said: `${refusal ?? 'no limit'} after ${children.length} processes`,
    }
  }
  const result = await attempt('start processes without end', bomb)
  await Promise.all(children.map((child) => end(child)))
  return [result]
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => {
      resolve()
    })
    child.kill('SIGKILL')
  })
}

async function lookForGate({ doors, hidden, since }: Brief): Promise<Attempt[]> {
  const doorPorts = new Set(Object.values(doors).map(({ port }) => port))
  const scan = async (): Promise<Outcome> => {
    const open = await openPorts('127.0.0.1')
    const strange = open.filter((port) => !doorPorts.has(port))
    return { reached: strange.length > 0, said: `open: ${open.join(', ')}` }
  }
  const keys = (): Outcome => {
    const found = walk('/', since).fresh.filter((path) => holds(path, 'PRIVATE KEY-----\n'))
    return { reached: found.length > 0, said: found.join(', ') || 'no key' }
  }
  const admin = ['/metrics', '/health', '/ready', '/admin', '/debug/pprof', '/reload', '/policy']
  return inTurn([
    () => attempt('every port of 127.0.0.1', scan),
    () => attempt('private keys in files since the start', keys),
    ...hidden.map(
      (path) => () => attempt(`read ${path}`, () => ({ said: `read ${readFileSync(path).length} bytes` })),
    ),
    ...[doors.http, doors.proxy, doors.routes].flatMap((door) =>
      admin.map(
        (path) => () =>
          attempt(`GET ${path} at port ${door.port}`, async () =>
            exchange(await openTcp(door), get('egress', path)),
          ),
      ),
    ),
  ])
}

/** Ports that accept a connection, all 65,535 of them tried. */
async function openPorts(host: string): Promise<number[]> {
  const open: number[] = []
  let next = 1
  const scanner = async (): Promise<void> => {
    while (next <= 65_535) {
      const port = next++
      if (await accepts(host, port)) open.push(port)
    }
  }
  await Promise.all(Array.from({ length: 200 }, scanner))
  return open.sort((a, b) => a - b)
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    socket.once('error', () => {
      resolve(false)
    })
    socket.once('connect', () => {
      // A scanner may be given its own port as the source, and then finds itself.
      resolve(socket.localPort !== port)
      socket.destroy()
    })
  })
}

function holds(path: string, text: string): boolean {
  for (const chunk of chunksOf(path)) if (Buffer.from(chunk).includes(text)) return true
  return false
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
              : { reached: false, said: `there is no ${command} here` },
          ),
    ),
  )
}

/** A process that can be traced does what the tracer wants, so none of them may be more than the agent is. */
async function trace(): Promise<Attempt[]> {
  const seize = (pid: number): Outcome => {
    // PTRACE_SEIZE attaches without stopping: the sandbox's first process is not to hang by its own demo.
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
    () => attempt('processes in sight', () => ({ reached: false, said: `${others.length} beside this one` })),
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
