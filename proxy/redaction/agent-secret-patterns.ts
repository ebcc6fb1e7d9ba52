import type { Credential } from '#firewall/contracts/credential.js'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { Policy } from '#firewall/contracts/policy.js'

interface PatternSet {
  readonly credentials: readonly Credential[]
  /** The secret patterns of each, of which the union was made: a credential gives new ones when its secret changes. */
  of: readonly SecretPatterns[]
  union: SecretPatterns
}

/** Patterns kept of earlier policies: those of some fifty secrets, in all their encodings. */
const MAX_RETIRED = 2_048

/**
 * What must not come back to an agent: the secrets of every service that it may use, not only of the one that it asks.
 * Threat: a secret that one service stored (a token pasted into a ticket) is read back through another.
 */
export class AgentSecretPatterns {
  readonly #policy: Policy
  readonly #sets = new Map<string, PatternSet>()
  /** By agent: what it was kept from before this policy. */
  readonly #retired: ReadonlyMap<string, SecretPatterns>

  /**
   * Threat: a token that a new policy has replaced or dropped, or an access token that was fetched under the one before, may
   * still be valid, and still stored where the agent can read it.
   *
   * @param previous those of the policy before
   */
  constructor(policy: Policy, previous: AgentSecretPatterns | null = null) {
    this.#policy = policy
    this.#retired = new Map(
      previous === null ? [] : [...policy.agents.keys()].map((agent) => [agent, newest(previous.of(agent))]),
    )
  }

  /** The same object until a secret changes. */
  of(agent: string): SecretPatterns {
    const set = this.#sets.get(agent) ?? this.#open(agent)
    const { credentials, of } = set
    if (credentials.every((credential, index) => credential.secretPatterns() === of[index])) return set.union
    set.of = credentials.map((credential) => credential.secretPatterns())
    set.union = SecretPatterns.union(
      credentials.map(({ id }, index) => [id, set.of[index] ?? SecretPatterns.NONE]),
    ).plus(this.#retired.get(agent) ?? SecretPatterns.NONE)
    return set.union
  }

  #open(agent: string): PatternSet {
    const usable = this.#policy.agents.get(agent)?.services ?? null
    const credentials = [...this.#policy.services.values()].flatMap(({ name, credential }) =>
      credential !== null && (usable === null || usable.includes(name)) ? [credential] : [],
    )
    const set = { credentials, of: [], union: this.#retired.get(agent) ?? SecretPatterns.NONE }
    this.#sets.set(agent, set)
    return set
  }
}

/** Those of the policy before come first, and then those that it had kept itself. */
function newest(patterns: SecretPatterns): SecretPatterns {
  if (patterns.bytes.length <= MAX_RETIRED) return patterns
  return new SecretPatterns(patterns.bytes.slice(0, MAX_RETIRED), patterns.owners.slice(0, MAX_RETIRED))
}
