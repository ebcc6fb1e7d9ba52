import { constants } from 'node:os'
import { EgressError } from '../common/errors.js'
import type { DockerHost } from '../sandbox/backends/docker/host.js'

/** The run was told to end before its command existed. */
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

/** What a signal to the run does: it ends what is being prepared, and goes to the command once there is one. */
export class Interruption {
  #deliver: (name: NodeJS.Signals) => void = () => undefined
  readonly #early: Promise<never>

  constructor(host: Pick<DockerHost, 'onSignal'>) {
    this.#early = new Promise((_resolve, reject) => {
      this.#deliver = (name) => reject(new InterruptedError(name))
    })
    // Without a listener at that moment it would end the program.
    this.#early.catch(() => undefined)
    host.onSignal((name) => this.#deliver(name))
  }

  /** Rejects with an InterruptedError when a signal comes first. */
  async orEnd(work: () => Promise<void>): Promise<void> {
    await Promise.race([work(), this.#early])
  }

  /** From now on, signals go there. */
  passOn(deliver: (name: NodeJS.Signals) => void): void {
    this.#deliver = deliver
  }
}
