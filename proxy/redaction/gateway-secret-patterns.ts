import type { Policy } from '#firewall/contracts/policy.js'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { encodedForms } from './encoded-forms.js'

/** Patterns kept of earlier policies: those of some fifty secrets, in all their encodings. */
const MAX_RETIRED = 2_048

/** Something that has patterns under one id; a new object when a secret of it has changed. */
interface PatternSource {
  readonly owner: string
  readonly patterns: () => SecretPatterns
}

/**
 * What no response may bring to a sandbox: every secret of the gateway, whoever may use it, and whatever host answers. Threat: a
 * secret that one service stored (a token pasted into a ticket) is read back through another, or by another agent.
 */
export class GatewaySecretPatterns {
  readonly #sources: readonly PatternSource[]
  /** What was kept back before this policy. */
  readonly #retired: SecretPatterns
  /** The patterns of each source, of which the union was made. */
  #of: readonly SecretPatterns[] = []
  #union: SecretPatterns

  /**
   * Threat: a token that a new policy has replaced or dropped, or an access token that was fetched under the one before, may
   * still be valid, and still stored where the agent can read it.
   *
   * @param previous those of the policy before
   */
  constructor(policy: Policy, previous: GatewaySecretPatterns | null = null) {
    const credentials = [...policy.services.values()].flatMap(({ credential }) =>
      credential === null ? [] : [{ owner: credential.id, patterns: () => credential.secretPatterns() }],
    )
    const fields = policy.secrets.map((field) => ({ owner: field.owner, patterns: patternsOf(field) }))
    this.#sources = [...credentials, ...fields]
    this.#retired = previous === null ? SecretPatterns.NONE : newest(previous.current())
    this.#union = this.#retired
  }

  /** Those of now: the same object until a secret changes. */
  current(): SecretPatterns {
    const sources = this.#sources
    if (this.#of.length > 0 && sources.every(({ patterns }, index) => patterns() === this.#of[index]))
      return this.#union
    if (sources.length === 0) return this.#union
    this.#of = sources.map(({ patterns }) => patterns())
    this.#union = distinct(
      sources.map(({ owner }, index) => [owner, this.#of[index] ?? SecretPatterns.NONE]),
    ).plus(this.#retired)
    return this.#union
  }
}

function patternsOf({ secret, caseless }: Policy['secrets'][number]): () => SecretPatterns {
  let made: { readonly version: number; readonly patterns: SecretPatterns } | null = null
  return () => {
    if (made?.version !== secret.version) {
      const texts = secret.revealSensitive()
      const all = caseless ? texts.flatMap((text) => [text, text.toLowerCase()]) : texts
      made = { version: secret.version, patterns: new SecretPatterns(all.flatMap(encodedForms)) }
    }
    return made.patterns
  }
}

/** Each pattern once, under the first that has it. */
function distinct(parts: readonly (readonly [owner: string, patterns: SecretPatterns])[]): SecretPatterns {
  const found = new Map<string, readonly [owner: string, pattern: Buffer]>()
  for (const [owner, { bytes }] of parts)
    for (const pattern of bytes) {
      const text = pattern.toString('latin1')
      if (!found.has(text)) found.set(text, [owner, pattern])
    }
  const all = [...found.values()]
  return all.length === 0
    ? SecretPatterns.NONE
    : new SecretPatterns(
        all.map(([, pattern]) => pattern),
        all.map(([owner]) => owner),
      )
}

/** Those of the policy before come first, and then those that it had kept itself. */
function newest(patterns: SecretPatterns): SecretPatterns {
  if (patterns.bytes.length <= MAX_RETIRED) return patterns
  return new SecretPatterns(patterns.bytes.slice(0, MAX_RETIRED), patterns.owners.slice(0, MAX_RETIRED))
}
