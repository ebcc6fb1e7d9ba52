import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { decodePath, encodePath } from '../raw-path.js'
import type { WatchFinding } from './tree-watch.js'

export interface MaskHelperEvents {
  hidden(path: string): void
  /** the helper could not hide a path, or has ended (path '') */
  failed(path: string, reason: string): void
}

/** The process of `maskCommand`, and what has been asked of it. */
export class MaskHelper {
  readonly #child: ChildProcess
  readonly #events: MaskHelperEvents
  readonly #pending = new Map<string, WatchFinding>()
  #said = ''
  #ended = false
  #idle: () => void = () => undefined

  /** @param command as `maskCommand` returns it, with the command under which it runs */
  constructor([program = '', ...words]: readonly string[], events: MaskHelperEvents) {
    this.#events = events
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'], env: { LC_ALL: 'C' }, cwd: '/' })
    this.#child = child
    // A write to a process that has ended is followed by its exit.
    child.stdin.on('error', () => undefined)
    child.stderr.on('data', (chunk: Buffer) => (this.#said += chunk.toString()))
    child.once('error', (error) => this.#fail(error.message))
    child.once('exit', () => this.#fail(this.#said.trim() || 'the process that hides files has ended'))
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line))
    child.unref()
  }

  /** Joins a sandbox, given one of its processes. */
  join(pid: number): void {
    this.#child.stdin?.write(`${String(pid)}\n`)
    this.#pending.set('ready', { how: 'protect', path: '', shownAs: '' })
  }

  apply(finding: WatchFinding): void {
    const hex = encodePath(finding.path).toString('hex')
    this.#pending.set(hex, finding)
    this.#child.stdin?.write(`${finding.how} ${hex} ${encodePath(finding.shownAs).toString('hex')}\n`)
  }

  /** Resolves when everything that was asked has been answered, or after `failed`. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#pending.size === 0 || this.#ended) resolve()
      else this.#idle = resolve
    })
  }

  close(): void {
    this.#ended = true
    this.#idle()
    this.#child.stdin?.end()
    this.#child.kill('SIGKILL')
  }

  #hear(line: string): void {
    const [result = '', hex = '', ...reason] = line.split(' ')
    const finding = this.#pending.get(result === 'ready' ? 'ready' : hex)
    this.#pending.delete(result === 'ready' ? 'ready' : hex)
    const path = decodePath(Buffer.from(hex, 'hex'))
    if (result === 'failed') this.#events.failed(path, reason.join(' '))
    else if (result === 'ok' && finding?.how === 'mask') this.#events.hidden(path)
    if (this.#pending.size === 0) this.#idle()
  }

  #fail(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#events.failed('', reason)
    this.#idle()
  }
}
