/**
 * The end of a gateway, in order: from its beginning on nothing is allowed any more, what is under way is told and ends with
 * its record, and then the sockets close.
 */
export class Shutdown {
  #begun = false
  #inFlight = 0
  #whenIdle: () => void = () => undefined
  readonly #listeners = new Set<() => void>()

  hasStarted(): boolean {
    return this.#begun
  }

  /** Counts something that has a record to close; `leave` takes it back. */
  trackRequest(): void {
    this.#inFlight += 1
  }

  untrackRequest(): void {
    this.#inFlight -= 1
    if (this.#inFlight === 0) this.#whenIdle()
  }

  /** Calls back at the beginning, or soon if that was before; returns what takes it back. */
  onStart(listener: () => void): () => void {
    this.#listeners.add(listener)
    if (this.#begun) queueMicrotask(listener)
    return () => this.#listeners.delete(listener)
  }

  start(): void {
    if (this.#begun) return
    this.#begun = true
    for (const listener of [...this.#listeners]) listener()
  }

  /** Resolves once nothing is under way, or after so many milliseconds. */
  async waitForIdle(graceMs: number): Promise<void> {
    if (this.#inFlight === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs)
      this.#whenIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
