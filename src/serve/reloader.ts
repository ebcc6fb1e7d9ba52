import type { LoadedPolicy } from '#config/load.js'
import { redactMessage } from '#config/issues/redact-message.js'
import type { Audit } from '../audit/audit.js'
import { formatError } from '../common/errors.js'
import { policyHash } from './policy-hash.js'

export type ReloadOutcome =
  | { readonly loaded: true; readonly hash: string | null }
  /** @param message the error as printed, several lines */
  | { readonly loaded: false; readonly message: string }

export interface ReloaderOptions<Loaded extends Pick<LoadedPolicy, 'text'>> {
  /** The policy in force. */
  readonly current: Pick<LoadedPolicy, 'text'>
  /** Reads and checks the policy, without side effects. Rejects with its errors. */
  readonly load: () => Promise<Loaded>
  /** The text of the policy file, null if it cannot be read. Needed to record the hash of a rejected policy. */
  readonly readText: () => string | null
  /** Does everything that can fail, and returns a function that puts the policy in force and cannot fail. */
  readonly prepare: (loaded: Loaded) => () => void
  readonly audit: Pick<Audit, 'policy'>
  /** Called with the error of every rejected policy. */
  readonly rejected: (message: string) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Changes the policy of a running gateway: checks it, records it, then swaps it. An invalid policy changes nothing. */
export class Reloader<Loaded extends Pick<LoadedPolicy, 'text'>> {
  readonly #options: ReloaderOptions<Loaded>
  #hash: string | null
  #isRejected = false
  #running: Promise<unknown> = Promise.resolve()
  #waiting: Promise<ReloadOutcome> | null = null

  constructor(options: ReloaderOptions<Loaded>) {
    this.#options = options
    this.#hash = policyHash(options.current.text)
  }

  /** Whether the policy that was read last was rejected. */
  get isRejected(): boolean {
    return this.#isRejected
  }

  /** Hash of the policy in force. */
  get hash(): string | null {
    return this.#hash
  }

  /** Never rejects. Reads the file after the call; calls during a running reload share the next one. */
  reload(): Promise<ReloadOutcome> {
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = null
      const outcome = this.#reload()
      this.#running = outcome
      return outcome
    })
    return this.#waiting
  }

  async #reload(): Promise<ReloadOutcome> {
    const { load, prepare, audit, now } = this.#options
    try {
      const loaded = await load()
      const commit = prepare(loaded)
      const hash = policyHash(loaded.text)
      audit.policy({ at: now(), action: 'policy-loaded', hash, previousHash: this.#hash, problem: null })
      commit()
      this.#hash = hash
      this.#isRejected = false
      return { loaded: true, hash }
    } catch (error) {
      this.#isRejected = true
      const message = formatError(error)
      this.#recordRejection(message)
      this.#options.rejected(message)
      return { loaded: false, message }
    }
  }

  #recordRejection(message: string): void {
    const { audit, now, readText } = this.#options
    const problem = redactMessage(message.split('\n')[0] ?? '', [])
    const hash = policyHash(readText())
    try {
      audit.policy({ at: now(), action: 'policy-rejected', hash, previousHash: this.#hash, problem })
    } catch {
      // The audit log reports its own errors, and the policy in force has not changed.
    }
  }
}
