/** The byte sequences to redact: every form in which a service may send a secret back. */
export class SecretPatterns {
  static readonly NONE = new SecretPatterns([])

  readonly bytes: readonly Buffer[]
  /** The id of the credential that each secret pattern belongs to; null if all belong to the credential that made them. */
  readonly owners: readonly (string | null)[]
  /** What a search derives from these, made by the first one and dropped with them. */
  readonly derived: { search: object | null } = { search: null }
  #folded: SecretPatterns | null = null
  #sums: WeakMap<SecretPatterns, SecretPatterns> | null = null

  constructor(bytes: readonly Buffer[], owners: readonly (string | null)[] = bytes.map(() => null)) {
    this.bytes = bytes
    this.owners = owners
  }

  /** The secret patterns of several credentials, by credential id. Build it once per set of credentials, not per request. */
  static union(parts: Iterable<readonly [owner: string, secretPatterns: SecretPatterns]>): SecretPatterns {
    const all = [...parts].flatMap(([owner, { bytes }]) => bytes.map((pattern) => [pattern, owner] as const))
    return new SecretPatterns(
      all.map(([pattern]) => pattern),
      all.map(([, owner]) => owner),
    )
  }

  /** These and others: the same object for the same others, and this one where it has them already. */
  plus(others: SecretPatterns): SecretPatterns {
    this.#sums ??= new WeakMap()
    const both = this.#sums.get(others) ?? sum(this, others)
    this.#sums.set(others, both)
    return both
  }

  /** The patterns in lower case, for header names, which are case-insensitive. */
  get folded(): SecretPatterns {
    this.#folded ??= new SecretPatterns(
      this.bytes.map((pattern) => Buffer.from(pattern.toString('latin1').toLowerCase(), 'latin1')),
      this.owners,
    )
    return this.#folded
  }
}

function sum(first: SecretPatterns, second: SecretPatterns): SecretPatterns {
  const known = new Set(first.bytes.map((pattern) => pattern.toString('latin1')))
  const added = second.bytes.flatMap((pattern, index) =>
    known.has(pattern.toString('latin1')) ? [] : [{ pattern, owner: second.owners[index] ?? null }],
  )
  if (added.length === 0) return first
  return new SecretPatterns(
    [...first.bytes, ...added.map(({ pattern }) => pattern)],
    [...first.owners, ...added.map(({ owner }) => owner)],
  )
}
