import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { classifyAddress, type AddressClass } from '#firewall/addresses/address.js'
import type { UpstreamNames } from '#firewall/contracts/policy.js'
import { lookUpAbsolute } from './system-names.js'

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

/**
 * The same under a wildcard. When a name is looked up again tells its name server something, and a sandbox says when; once
 * an hour it tells next to nothing (docs/dns.md). A failure is tried again sooner, later each time.
 */
const WILDCARD_CACHE_TTL_MS = 3_600_000

/** More than a day's budget of a wildcard has names, so that a flood of them frees none to be asked again. */
const MAX_CACHED = 4_096

interface CachedResolution {
  /** Until when it is used for a name under a wildcard. */
  readonly until: number
  /** The same for any other name. */
  readonly untilExact: number
  readonly resolution: Promise<Resolution>
  /** Failures in a row before this one. */
  readonly failures: number
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

  constructor(names: UpstreamNames, timeoutMs: number, now: () => number) {
    this.#made = JSON.stringify([names, timeoutMs])
    const fixed = Object.entries(names.hosts)
    this.#fixed = new Map(fixed.map(([host, { address, port }]) => [host, resolution([address], port)]))
    this.#now = now
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
    return fixed === undefined ? this.#cached(host, wildcard) : Promise.resolve(fixed)
  }

  /** True when the name would be answered without asking anybody. */
  isCached(host: string): boolean {
    const known = this.#cache.get(host)
    return this.#fixed.has(host) || (known !== undefined && this.#now() < known.until)
  }

  #cached(host: string, wildcard: boolean): Promise<Resolution> {
    const known = this.#cache.get(host)
    // A policy may list by name what was under a wildcard before: then it is looked up as often as any other.
    const until = wildcard ? known?.until : known?.untilExact
    if (known !== undefined && this.#now() < (until ?? 0)) return known.resolution
    const failures = known?.failures ?? 0
    const resolution = this.#lookUp(host)
    const hold = (ms: number, failed: number) => {
      this.#cache.delete(host)
      const now = this.#now()
      const untilExact = now + Math.min(ms, CACHE_TTL_MS)
      this.#cache.set(host, { until: now + ms, untilExact, resolution, failures: failed })
    }
    hold(wildcard ? WILDCARD_CACHE_TTL_MS : CACHE_TTL_MS, 0)
    resolution.catch(() => {
      if (wildcard) hold(Math.min(CACHE_TTL_MS * 2 ** failures, WILDCARD_CACHE_TTL_MS), failures + 1)
      else this.#cache.delete(host)
    })
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
