import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { parentPort, workerData } from 'node:worker_threads'
import { decodePath, encodePath } from '../raw-path.js'
import { TreeWatch, type TreeWatchInput, type WatchFinding } from './tree-watch.js'

/*
 * Watches the trees of a sandbox in a thread of its own, so that the gateway's traffic does not delay it.
 *
 *   ready      everything is watched, and what had appeared before is hidden
 *   hidden     a path was hidden
 *   found      there is no program to hide a path: the receiver has to do it
 *   failed     a path could not be hidden
 *   unwatched  the kernel allows no more watches
 */
export type WatchMessage =
  | { readonly what: 'ready' }
  | ({ readonly what: 'hidden' | 'found' } & WatchFinding)
  | { readonly what: 'failed'; readonly path: string; readonly reason: string }
  | { readonly what: 'unwatched'; readonly directories: number }

/** Sent to the worker once the sandbox exists. */
export interface WatchAttach {
  readonly pid: number
  /** the command of `maskCommand`, with the command that it runs under; null if the receiver hides */
  readonly command: readonly string[] | null
}

const input = workerData as TreeWatchInput
const send = (message: WatchMessage) => parentPort?.postMessage(message)
let apply: ((finding: WatchFinding) => void) | null = null
const early: WatchFinding[] = []
const tree = new TreeWatch(input, (finding) => {
  if (apply === null) early.push(finding)
  else apply(finding)
})

try {
  tree.start()
} catch {
  send({ what: 'unwatched', directories: tree.size })
}

parentPort?.once('message', ({ pid, command }: WatchAttach) => {
  input.pid = pid
  if (command === null) {
    apply = (finding) => send({ what: 'found', ...finding })
    for (const finding of early) apply(finding)
    send({ what: 'ready' })
  } else startProgram(command)
})

function startProgram([program = '', ...words]: readonly string[]): void {
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'], env: { LC_ALL: 'C' }, cwd: '/' })
  let said = ''
  const pending = new Map<string, WatchFinding>()
  let isReady = false
  const ready = () => {
    if (!isReady && pending.size === 0) {
      isReady = true
      send({ what: 'ready' })
    }
  }
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stdin.on('error', () => undefined)
  child.once('error', (error) => send({ what: 'failed', path: '', reason: error.message }))
  child.once('exit', () => send({ what: 'failed', path: '', reason: said.trim() }))
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'ready') {
      apply = (finding) => {
        const hex = encodePath(finding.path).toString('hex')
        pending.set(hex, finding)
        child.stdin.write(`${finding.how} ${hex} ${Buffer.from(finding.shownAs).toString('hex')}\n`)
      }
      for (const finding of early) apply(finding)
      ready()
      return
    }
    const [result = '', hex = '', ...reason] = line.split(' ')
    const finding = pending.get(hex)
    pending.delete(hex)
    if (result === 'failed')
      send({ what: 'failed', path: decodePath(Buffer.from(hex, 'hex')), reason: reason.join(' ') })
    else if (result === 'ok' && finding?.how === 'mask') send({ what: 'hidden', ...finding })
    ready()
  })
}
