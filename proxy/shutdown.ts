/**
 * The end of a gate, in order: from its beginning on nothing is allowed any more, what is under way is told and ends with
 * its record, and then the sockets close.
 */
export class Shutdown {
  #begun = false
  #underWay = 0
  #whenIdle: () => void = () => undefined
  readonly #listeners = new Set<() => void>()

  hasBegun(): boolean {
    return this.#begun
  }

  /** Counts something that has a record to close; `leave` takes it back. */
  enter(): void {
    this.#underWay += 1
  }

  leave(): void {
    this.#underWay -= 1
    if (this.#underWay === 0) this.#whenIdle()
  }

  /** Calls back at the beginning, or soon if that was before; returns what takes it back. */
  onBegin(listener: () => void): () => void {
    this.#listeners.add(listener)
    if (this.#begun) queueMicrotask(listener)
    return () => this.#listeners.delete(listener)
  }

  begin(): void {
    if (this.#begun) return
    this.#begun = true
    for (const listener of [...this.#listeners]) listener()
  }

  /** Resolves once nothing is under way, or after so many milliseconds. */
  async idle(patienceMs: number): Promise<void> {
    if (this.#underWay === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patienceMs)
      this.#whenIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
