import { constants } from 'node:os'
import { EgressError } from '../common/errors.js'
import type { DockerHost } from '../sandbox/backends/docker/host.js'

/** A signal ended the run before its command was started. */
export class InterruptedError extends EgressError {
  constructor(signal: NodeJS.Signals) {
    super({
      code: 'EGRESS_INTERRUPTED',
      problem: `${signal} received before the command was started`,
      fix: 'Run it again if the signal was not intended',
      exitCode: 128 + constants.signals[signal],
    })
  }
}

/** Handles signals to the run: they cancel the preparation, or go to the command once it has started. */
export class Interruption {
  #deliver: (name: NodeJS.Signals) => void = () => undefined
  readonly #early: Promise<never>

  constructor(host: Pick<DockerHost, 'onSignal'>) {
    this.#early = new Promise((_resolve, reject) => {
      this.#deliver = (name) => reject(new InterruptedError(name))
    })
    // Without a handler, an early rejection would end the process.
    this.#early.catch(() => undefined)
    host.onSignal((name) => this.#deliver(name))
  }

  /** Waits for `work`, or rejects with an InterruptedError if a signal arrives first. */
  async orEnd(work: () => Promise<void>): Promise<void> {
    await Promise.race([work(), this.#early])
  }

  /** Passes all later signals to `deliver`. */
  passOn(deliver: (name: NodeJS.Signals) => void): void {
    this.#deliver = deliver
  }
}
