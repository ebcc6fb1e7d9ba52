import { appendFileSync } from 'node:fs'

/** Checkpoints that wait for a receiver that is away; the last of them vouches for all before it. */
const MAX_WAITING = 1_000
const TIMEOUT_MS = 10_000
const RETRY_MS = 5_000

/** Takes the line of each checkpoint to a place that whoever changes the log cannot change. */
export interface Anchor {
  /** Never throws, and never blocks for longer than a write to a file. */
  readonly add: (line: string) => void
  close(): void
}

/** @param target an absolute path, or a URL that gets a POST of each line */
export function openAnchor(target: string, warn: (message: string) => void): Anchor {
  return target.startsWith('/') ? new FileAnchor(target, warn) : new UrlAnchor(target, warn)
}

class FileAnchor implements Anchor {
  readonly #path: string
  readonly #warn: (message: string) => void
  #waiting: string[] = []
  #isFailing = false

  constructor(path: string, warn: (message: string) => void) {
    this.#path = path
    this.#warn = warn
  }

  readonly add = (line: string): void => {
    this.#waiting = [...this.#waiting, line].slice(-MAX_WAITING)
    try {
      appendFileSync(this.#path, this.#waiting.map((one) => `${one}\n`).join(''), { mode: 0o600 })
      this.#waiting = []
      this.#isFailing = false
    } catch (error) {
      const { code = 'unknown error' } = error as NodeJS.ErrnoException
      if (!this.#isFailing) this.#warn(`Cannot write the anchor of the audit log ${this.#path} (${code})`)
      this.#isFailing = true
    }
  }

  close(): void {
    // Each line is written when it comes.
  }
}

class UrlAnchor implements Anchor {
  readonly #url: string
  readonly #warn: (message: string) => void
  #waiting: string[] = []
  #isSending = false
  #isFailing = false
  #retry: NodeJS.Timeout | null = null

  constructor(url: string, warn: (message: string) => void) {
    this.#url = url
    this.#warn = warn
  }

  readonly add = (line: string): void => {
    this.#waiting = [...this.#waiting, line].slice(-MAX_WAITING)
    if (!this.#isSending && this.#retry === null) void this.#sendAll()
  }

  close(): void {
    if (this.#retry !== null) clearTimeout(this.#retry)
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    this.#retry = null
    for (let [line] = this.#waiting; line !== undefined; [line] = this.#waiting) {
      const problem = await this.#post(line)
      if (problem === null) {
        this.#isFailing = false
        this.#waiting = this.#waiting.slice(1)
        continue
      }
      if (!this.#isFailing) this.#warn(`Cannot reach the anchor of the audit log (${problem})`)
      this.#isFailing = true
      this.#retry = setTimeout(() => void this.#sendAll(), RETRY_MS)
      this.#retry.unref()
      break
    }
    this.#isSending = false
  }

  /** Null, or what went wrong. */
  async #post(line: string): Promise<string | null> {
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: line,
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      await response.body?.cancel()
      return response.ok ? null : `status ${String(response.status)}`
    } catch (error) {
      return error instanceof Error ? error.name : 'no answer'
    }
  }
}
