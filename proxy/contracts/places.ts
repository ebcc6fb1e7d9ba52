/**
 * What is there now, each thing in a place that the next one takes over. For what comes and goes with every request: a `Set` of
 * V8 is copied whenever as many have left it as it holds, and each copy keeps the one before it and all that was in it in the
 * old generation, until the next full collection.
 */
export class Places<T extends object> {
  readonly #taken: (T | null)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#taken.length - this.#free.length
  }

  /** Returns the place to leave. */
  take(one: T): number {
    const place = this.#free.pop() ?? this.#taken.length
    this.#taken[place] = one
    return place
  }

  /** Whether this is still in its place. */
  has(place: number, one: T): boolean {
    return this.#taken[place] === one
  }

  /** Once for each `take`. */
  leave(place: number): void {
    this.#taken[place] = null
    this.#free.push(place)
  }

  /** All of them as they are now: whoever is told of may leave meanwhile. */
  all(): readonly T[] {
    return this.#taken.filter((one) => one !== null)
  }
}
