/** Connections of one sandbox, at all listeners together: a quarter of what one listener takes. */
const MAX_OF_ONE = 1_024

/** Threat: one sandbox takes all the connections that the gateway has, and every other one finds it shut. */
export class ConnectionLimit {
  readonly #open = new Map<string, number>()

  /** False when the sandbox has as many as it may; else there is one more, until it is given back. */
  take(sandbox: string): boolean {
    const count = this.#open.get(sandbox) ?? 0
    if (count >= MAX_OF_ONE) return false
    this.#open.set(sandbox, count + 1)
    return true
  }

  giveBack(sandbox: string): void {
    const count = this.#open.get(sandbox) ?? 0
    if (count > 1) this.#open.set(sandbox, count - 1)
    else this.#open.delete(sandbox)
  }
}
