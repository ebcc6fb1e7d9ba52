import type { Credential } from '#firewall/contracts/credential.js'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { Policy } from '#firewall/contracts/policy.js'

interface PatternSet {
  readonly credentials: readonly Credential[]
  /** The secret patterns of each, of which the union was made: a credential gives new ones when its secret changes. */
  of: readonly SecretPatterns[]
  union: SecretPatterns
}

/**
 * What must not come back to an agent: the secrets of every service that it may use, not only of the one that it asks.
 * Threat: a secret that one service stored (a token pasted into a ticket) is read back through another.
 */
export class AgentSecretPatterns {
  readonly #policy: Policy
  readonly #sets = new Map<string, PatternSet>()

  constructor(policy: Policy) {
    this.#policy = policy
  }

  /** The same object until a secret changes. */
  of(agent: string): SecretPatterns {
    const set = this.#sets.get(agent) ?? this.#open(agent)
    const { credentials, of } = set
    if (credentials.every((credential, index) => credential.secretPatterns() === of[index])) return set.union
    set.of = credentials.map((credential) => credential.secretPatterns())
    set.union = SecretPatterns.union(
      credentials.map(({ id }, index) => [id, set.of[index] ?? SecretPatterns.NONE]),
    )
    return set.union
  }

  #open(agent: string): PatternSet {
    const usable = this.#policy.agents.get(agent)?.services ?? null
    const credentials = [...this.#policy.services.values()].flatMap(({ name, credential }) =>
      credential !== null && (usable === null || usable.includes(name)) ? [credential] : [],
    )
    const set = { credentials, of: [], union: SecretPatterns.NONE }
    this.#sets.set(agent, set)
    return set
  }
}
