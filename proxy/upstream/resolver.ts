import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { classifyAddress, type AddressClass } from '#firewall/addresses/address.js'
import type { UpstreamNames } from '#firewall/contracts/policy.js'
import { NO_LISTENERS, type OwnListeners } from './own-listeners.js'
import { lookUpAbsolute } from './system-names.js'
import { WildcardNames } from './wildcard-names.js'

/** Where a name leads: addresses in order of preference, and a port when the policy sends it to another one. */
export interface Resolution {
  readonly addresses: readonly { readonly address: string; readonly kind: AddressClass }[]
  readonly port: number | null
}

function resolution(addresses: readonly string[], port: number | null): Resolution {
  return { addresses: addresses.map((address) => ({ address, kind: classifyAddress(address) })), port }
}

/** How long an answer is used again, in milliseconds: short, since the system's TTL is not ours to see. */
const CACHE_TTL_MS = 10_000

/** Milliseconds for which a name that a proxy resolves is looked up here. A first name under a wildcard waits for a second. */
const BRIEF_MS = 2_000

/** Milliseconds until such a name is looked up again. */
const UNKNOWN_MS = 60_000

/** Names that are kept. */
const MAX_CACHED = 4_096

interface CachedResolution {
  readonly until: number
  readonly resolution: Promise<Resolution>
}

/**
 * Finds the addresses of upstreams. Only names that were allowed get here: this is the one place where a name leaves
 * the gateway.
 */
export class UpstreamResolver {
  /** What it was made from. */
  readonly #made: string
  readonly #fixed: ReadonlyMap<string, Resolution>
  readonly #resolver: Resolver | null
  readonly #now: () => number
  readonly #cache = new Map<string, CachedResolution>()
  readonly #wildcardNames: WildcardNames<Resolution>
  /** Names that a proxy resolves and nobody here knows, with the time until which they are not looked up again. */
  readonly #unknown = new Map<string, number>()

  /** Where an upstream would be the gateway itself. */
  readonly own: OwnListeners

  constructor(names: UpstreamNames, timeoutMs: number, now: () => number, own: OwnListeners = NO_LISTENERS) {
    this.own = own
    this.#made = JSON.stringify([names, timeoutMs])
    const fixed = Object.entries(names.hosts)
    this.#fixed = new Map(fixed.map(([host, { address, port }]) => [host, resolution([address], port)]))
    this.#now = now
    this.#wildcardNames = new WildcardNames((host) => this.#lookUp(host), now)
    this.#resolver = null
    if (names.servers.length > 0) {
      this.#resolver = new Resolver({ timeout: Math.ceil(timeoutMs / 3), tries: 2 })
      this.#resolver.setServers(names.servers)
    }
  }

  /** Whether one that is made from these would be the same, apart from what this one has learnt. */
  isMadeFrom(names: UpstreamNames, timeoutMs: number): boolean {
    return this.#made === JSON.stringify([names, timeoutMs])
  }

  /**
   * Rejects when there is no address.
   *
   * @param wildcard true for a name that the sandbox made up, as far as a wildcard lets it
   */
  resolve(host: string, wildcard: boolean): Promise<Resolution> {
    const fixed = this.#fixed.get(host)
    if (fixed !== undefined) return Promise.resolve(fixed)
    return wildcard ? this.#wildcardNames.resolve(host) : this.#cached(host)
  }

  /** The address that the policy gives the name; null for none. */
  fixedAddress(host: string): string | null {
    return this.#fixed.get(host)?.addresses[0]?.address ?? null
  }

  /**
   * For a name that a proxy resolves: what is known of it here. Many networks with a proxy resolve no names but their own, so
   * null is an answer like any other, waited for briefly and kept for a while.
   */
  async resolveBriefly(host: string, wildcard: boolean): Promise<Resolution | null> {
    if ((this.#unknown.get(host) ?? 0) > this.#now()) return null
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), BRIEF_MS)
    })
    const found = await Promise.race([this.resolve(host, wildcard).catch(() => null), late])
    clearTimeout(timer)
    this.#unknown.delete(host)
    if (found === null) {
      this.#unknown.set(host, this.#now() + UNKNOWN_MS)
      const [oldest] = this.#unknown.keys()
      if (this.#unknown.size > MAX_CACHED && oldest !== undefined) this.#unknown.delete(oldest)
    }
    return found
  }

  /** True when a name under a wildcard would be answered without asking anybody. */
  isCached(host: string): boolean {
    return this.#fixed.has(host) || this.#wildcardNames.has(host)
  }

  /** Looks up again what is due of the names under wildcards. A timer does this. */
  refresh(): void {
    this.#wildcardNames.refresh()
  }

  /** Another one has taken its place: nothing is looked up any more unless somebody asks. */
  retire(): void {
    this.#wildcardNames.stop()
  }

  #cached(host: string): Promise<Resolution> {
    const known = this.#cache.get(host)
    if (known !== undefined && this.#now() < known.until) return known.resolution
    const resolution = this.#lookUp(host)
    this.#cache.delete(host)
    this.#cache.set(host, { until: this.#now() + CACHE_TTL_MS, resolution })
    resolution.catch(() => this.#cache.delete(host))
    const [oldest] = this.#cache.keys()
    if (this.#cache.size > MAX_CACHED && oldest !== undefined) this.#cache.delete(oldest)
    return resolution
  }

  async #lookUp(host: string): Promise<Resolution> {
    const found =
      this.#resolver === null ? await lookUpAbsolute(host) : await resolveBoth(this.#resolver, host)
    const addresses = found.filter((address) => isIP(address) !== 0)
    if (addresses.length === 0) throw new Error(`no address for ${host}`)
    return resolution(addresses, null)
  }
}

/** A and AAAA of exactly this name; one of them may be missing, not both. */
async function resolveBoth(resolver: Resolver, host: string): Promise<string[]> {
  const name = `${host}.`
  const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
  if (four.status === 'rejected' && six.status === 'rejected') throw four.reason
  return [four, six].flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
}
