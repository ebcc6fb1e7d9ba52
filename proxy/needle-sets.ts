import { Needles } from '#firewall/needles.js'
import type { Policy } from '#firewall/policy.js'

interface NeedleSet {
  /** The needles that it was made of: a credential gives new ones when its secret changes. */
  readonly of: readonly Needles[]
  readonly union: Needles
}

/**
 * What must not come back to an agent: the secrets of every service that it may use, not only of the one that it asks.
 * Threat: a secret that one service stored (a token pasted into a ticket) is read back through another.
 */
export class NeedleSets {
  readonly #policy: Policy
  readonly #sets = new Map<string, NeedleSet>()

  constructor(policy: Policy) {
    this.#policy = policy
  }

  /** The same object until a secret changes. */
  of(agent: string): Needles {
    const credentials = this.#credentialsOf(agent)
    const of = credentials.map((credential) => credential.needles())
    const made = this.#sets.get(agent)
    if (made?.of.length === of.length && made.of.every((needles, index) => needles === of[index])) {
      return made.union
    }
    const union = Needles.union(credentials.map(({ id }, index) => [id, of[index] ?? Needles.NONE] as const))
    this.#sets.set(agent, { of, union })
    return union
  }

  #credentialsOf(agent: string) {
    const usable = this.#policy.agents.get(agent)?.services ?? null
    return [...this.#policy.services.values()].flatMap(({ name, credential }) =>
      credential !== null && (usable === null || usable.includes(name)) ? [credential] : [],
    )
  }
}
