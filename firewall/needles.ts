import { Automaton } from './automaton.js'
import { GramFilter } from './gram-filter.js'

/** What is needed to find needles in a stream; it depends on nothing else, so one serves every stream. */
export interface Matcher {
  readonly automaton: Automaton
  readonly filter: GramFilter
  /** By byte: 1 where a needle holds it. */
  readonly alphabet: Uint8Array
}

/** What redaction looks for: every byte sequence in which a service may say a secret back. */
export class Needles {
  static readonly NONE = new Needles([])

  readonly bytes: readonly Buffer[]
  /** The id of the credential that each needle belongs to; null where whoever uses them knows. */
  readonly owners: readonly (string | null)[]
  #matcher: Matcher | null = null
  #folded: Needles | null = null

  constructor(bytes: readonly Buffer[], owners: readonly (string | null)[] = bytes.map(() => null)) {
    this.bytes = bytes
    this.owners = owners
  }

  /** The needles of several credentials, by credential id. Make it once for a set of credentials, not for each request. */
  static union(parts: Iterable<readonly [owner: string, needles: Needles]>): Needles {
    const all = [...parts].flatMap(([owner, { bytes }]) => bytes.map((needle) => [needle, owner] as const))
    return new Needles(
      all.map(([needle]) => needle),
      all.map(([, owner]) => owner),
    )
  }

  /** Made when it is first asked for: milliseconds for a hundred secrets. */
  get matcher(): Matcher {
    this.#matcher ??= compile(this.bytes)
    return this.#matcher
  }

  /** The same in lower case, for header names, in which case means nothing. */
  get folded(): Needles {
    this.#folded ??= new Needles(
      this.bytes.map((needle) => Buffer.from(needle.toString('latin1').toLowerCase(), 'latin1')),
      this.owners,
    )
    return this.#folded
  }
}

function compile(bytes: readonly Buffer[]): Matcher {
  const alphabet = new Uint8Array(256)
  for (const needle of bytes) for (const byte of needle) alphabet[byte] = 1
  return { automaton: new Automaton(bytes), filter: new GramFilter(bytes), alphabet }
}
