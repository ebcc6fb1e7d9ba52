import { createHmac } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApprovalWebhook } from '#firewall/contracts/approvals.js'

/** Messages that wait for a receiver that is away. The newest are those that somebody can still act on. */
const MAX_WAITING = 64

/** Milliseconds before each further attempt. */
const PAUSES_MS: readonly number[] = [1_000, 4_000, 15_000, 60_000]

/** Milliseconds in which the receiver must answer. */
const TIMEOUT_MS = 10_000

export interface WebhookOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** What it is for, in messages (default: approvals). */
  readonly what?: string
  /** Problems, for the program's log. */
  readonly warn: (message: string) => void
  /** Before each further attempt (default: longer and longer, a minute and a half in all). */
  readonly pausesMs?: readonly number[]
}

interface Message {
  readonly to: ApprovalWebhook
  readonly body: string
}

/**
 * Sends messages as JSON, one after the other, each until the receiver has taken it. `Egress-Signature: t=TIME,v1=HEX` is an
 * HMAC-SHA256 over `TIME.BODY`, made for each attempt, with TIME in seconds since 1970: the receiver can tell a replay by it.
 */
export class WebhookSender {
  readonly #options: WebhookOptions
  readonly #waiting: Message[] = []
  readonly #closed = new AbortController()
  #isSending = false

  constructor(options: WebhookOptions) {
    this.#options = options
  }

  get #name(): string {
    return `The webhook for ${this.#options.what ?? 'approvals'}`
  }

  /** Sends a message in time. Never throws, and never blocks. */
  send(to: ApprovalWebhook, message: unknown): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#waiting.shift()
      this.#options.warn(`${this.#name} does not keep up: the oldest message was dropped`)
    }
    this.#waiting.push({ to, body: JSON.stringify(message) })
    if (!this.#isSending) void this.#sendAll()
  }

  close(): void {
    this.#waiting.length = 0
    this.#closed.abort()
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift())
      await this.#deliver(message)
    this.#isSending = false
  }

  async #deliver(message: Message): Promise<void> {
    const { pausesMs = PAUSES_MS, warn } = this.#options
    let problem = ''
    for (const pause of [0, ...pausesMs]) {
      try {
        if (pause > 0) await sleep(pause, undefined, { signal: this.#closed.signal, ref: false })
        const status = await this.#post(message)
        if (status >= 200 && status < 300) return
        problem = `status ${String(status)}`
      } catch (error) {
        if (this.#closed.signal.aborted) return
        problem = error instanceof Error ? error.name : 'no answer'
      }
    }
    warn(`${this.#name} could not be reached (${problem})`)
  }

  async #post({ to, body }: Message): Promise<number> {
    const time = String(Math.floor(this.#options.now() / 1000))
    const signature = createHmac('sha256', to.secret.reveal()).update(`${time}.${body}`).digest('hex')
    const response = await fetch(to.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'egress-signature': `t=${time},v1=${signature}` },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), this.#closed.signal]),
    })
    await response.body?.cancel()
    return response.status
  }
}
