import type { LoadedPolicy } from '#config/load.js'
import { redactMessage } from '#config/issues/redact-message.js'
import type { Audit } from '../audit/audit.js'
import { formatError } from '../common/errors.js'
import { policyHash } from './policy-hash.js'

export type ReloadOutcome =
  | { readonly loaded: true; readonly hash: string | null }
  /** @param message what is wrong, as it is printed; more than one line */
  | { readonly loaded: false; readonly message: string }

export interface ReloaderOptions<Loaded extends Pick<LoadedPolicy, 'text'>> {
  /** The policy in force. */
  readonly current: Pick<LoadedPolicy, 'text'>
  /** Reads and checks the policy as it is now, without any effect. Rejects with what is wrong with it. */
  readonly load: () => Promise<Loaded>
  /** The text of the policy as it is now, where it could be read: of one that was refused, the hash is recorded. */
  readonly readText: () => string | null
  /** Does what can fail, and returns what puts the policy in force, which cannot. */
  readonly prepare: (loaded: Loaded) => () => void
  readonly audit: Pick<Audit, 'policy'>
  /** Told of every policy that was refused. */
  readonly rejected: (message: string) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Changes the policy of a gateway that runs. Checked, recorded, then swapped; a bad one changes nothing. */
export class Reloader<Loaded extends Pick<LoadedPolicy, 'text'>> {
  readonly #options: ReloaderOptions<Loaded>
  #hash: string | null
  #running: Promise<unknown> = Promise.resolve()
  #waiting: Promise<ReloadOutcome> | null = null

  constructor(options: ReloaderOptions<Loaded>) {
    this.#options = options
    this.#hash = policyHash(options.current.text)
  }

  /** Never rejects. Reads the file after the call; calls that come while one is under way share the next one. */
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
      return { loaded: true, hash }
    } catch (error) {
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
      // The audit log says by itself that it cannot be written, and nothing has changed.
    }
  }
}
