/** How many secrets were taken out, by the id of their credential; null where the secret patterns do not say. */
export class Tally {
  #byOwner: Map<string | null, number> | null = null

  get byOwner(): ReadonlyMap<string | null, number> {
    return this.#byOwner ?? NONE
  }

  get total(): number {
    return [...this.byOwner.values()].reduce((sum, count) => sum + count, 0)
  }

  add(owner: string | null): void {
    this.#byOwner ??= new Map()
    this.#byOwner.set(owner, (this.#byOwner.get(owner) ?? 0) + 1)
  }
}

const NONE: ReadonlyMap<string | null, number> = Object.freeze(new Map<string | null, number>())
