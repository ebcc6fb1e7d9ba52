import type { Credential } from '#firewall/credential.js'
import { Needles } from '#firewall/needles.js'
import type { Policy } from '#firewall/policy.js'

interface NeedleSet {
  readonly credentials: readonly Credential[]
  /** The needles of each, of which the union was made: a credential gives new ones when its secret changes. */
  of: readonly Needles[]
  union: Needles
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
    const set = this.#sets.get(agent) ?? this.#open(agent)
    const { credentials, of } = set
    if (credentials.every((credential, index) => credential.needles() === of[index])) return set.union
    set.of = credentials.map((credential) => credential.needles())
    set.union = Needles.union(credentials.map(({ id }, index) => [id, set.of[index] ?? Needles.NONE]))
    return set.union
  }

  #open(agent: string): NeedleSet {
    const usable = this.#policy.agents.get(agent)?.services ?? null
    const credentials = [...this.#policy.services.values()].flatMap(({ name, credential }) =>
      credential !== null && (usable === null || usable.includes(name)) ? [credential] : [],
    )
    const set = { credentials, of: [], union: Needles.NONE }
    this.#sets.set(agent, set)
    return set
  }
}
