import type { ShareLimit } from '../contracts/limits.js'

/** One of so many parts of the whole is every sandbox's, however much the others hold. */
const FLOOR_PARTS = 64

/**
 * Counts what sandboxes hold of one thing. Threat: one takes all there is, and the others find nothing left. So nobody may hold
 * more than is left over: one sandbox alone gets half of the whole at most, the next one half of the rest, and each its small
 * part even when nothing is left. The whole may be exceeded by these small parts, up to twofold.
 */
export class FairShare {
  readonly #held = new Map<string, number>()
  #total = 0

  /** Of all sandboxes. */
  get total(): number {
    return this.#total
  }

  /** What one sandbox holds. */
  of(sandbox: string): number {
    return this.#held.get(sandbox) ?? 0
  }

  /** False when the sandbox may not hold so much more; then nothing is counted. What was taken must be given back. */
  take(sandbox: string, amount: number, { own, all }: ShareLimit): boolean {
    const held = this.of(sandbox) + amount
    if (held > own) return false
    const isSmall = held <= all / FLOOR_PARTS
    const fits = isSmall ? this.#total + amount <= 2 * all : held <= all - this.#total
    if (!fits) return false
    this.#held.set(sandbox, held)
    this.#total += amount
    return true
  }

  giveBack(sandbox: string, amount: number): void {
    const held = this.of(sandbox) - amount
    if (held > 0) this.#held.set(sandbox, held)
    else this.#held.delete(sandbox)
    this.#total -= amount
  }
}
