import { createRequire } from 'node:module'
import type * as Undici from 'undici'
import type { ClientCertificate } from '#firewall/contracts/credential.js'
import type { HttpLimits, Origin } from '#firewall/contracts/policy.js'
import { shownCertificate } from '../credentials/client-certificate.js'

/** An upstream whose addresses were all checked. Nothing is resolved again after this. */
export interface ResolvedUpstream {
  readonly origin: Origin
  /** In order of preference. Never empty. */
  readonly addresses: readonly string[]
  /** Differs from the origin's where the policy sends the name elsewhere. */
  readonly port: number
  /** PEM of the authorities to trust; null for the public ones. */
  readonly ca: string | null
  /** What the upstream is shown; null for nothing. */
  readonly clientCertificate: ClientCertificate | null
}

const require = createRequire(import.meta.url)

/** Loaded with the first pool, for it is as much as all the rest of the gateway, and an agent that starts need not wait for it. */
const loadUndici = () => require('undici') as typeof Undici

/** Pools kept; beyond it the least recently used one is closed once its requests are done. */
const MAX_POOLS = 256

/** Sockets to one upstream. */
const MAX_CONNECTIONS = 256

/**
 * Keep-alive pools, one for each upstream and set of pinned addresses. A connection is dialled to a checked address and
 * its certificate verified for the checked name, so a name that changes its address gets another pool, never this one.
 */
export class UpstreamPools {
  readonly #limits: HttpLimits
  readonly #pools = new Map<string, Undici.Pool>()
  /** Pools that take no more requests, until those that they have are done. */
  readonly #draining = new Set<Undici.Pool>()
  /** Set by `handOver`. */
  #successor: UpstreamPools | null = null
  #closed = false

  constructor(limits: HttpLimits) {
    this.#limits = limits
  }

  /** Loads the client ahead of the first pool. */
  load(): void {
    loadUndici()
  }

  get(upstream: ResolvedUpstream): Undici.Dispatcher {
    if (this.#successor !== null) return this.#successor.get(upstream)
    const { origin, addresses, port, ca, clientCertificate: shown } = upstream
    const { scheme, host } = origin
    const key = `${scheme}://${host}:${String(origin.port)} ${addresses.join()} ${String(port)} ${ca ?? ''}${
      // A connection that was opened with a certificate is that client's alone.
      shown === null ? '' : ` ${shown.certificate} ${String(shown.key.version)}`
    }`
    const pool = this.#pools.get(key) ?? this.#open(upstream)
    this.#pools.delete(key)
    this.#pools.set(key, pool)
    const [oldest] = this.#pools
    if (this.#pools.size > MAX_POOLS && oldest !== undefined) {
      this.#pools.delete(oldest[0])
      this.#drain(oldest[1])
    }
    return pool
  }

  /** Whether pools with these limits would be the same. */
  hasLimits({ connectTimeoutMs, responseTimeoutMs, idleTimeoutMs }: HttpLimits): boolean {
    return (
      connectTimeoutMs === this.#limits.connectTimeoutMs &&
      responseTimeoutMs === this.#limits.responseTimeoutMs &&
      idleTimeoutMs === this.#limits.idleTimeoutMs
    )
  }

  /**
   * A policy with other limits is in force: requests that are under way end as they began, and each that comes later, also
   * one that was decided before, goes through the successor, which closes what was open here.
   */
  handOver(successor: UpstreamPools): void {
    this.#successor = successor
    for (const pool of [...this.#pools.values(), ...this.#draining]) successor.#drain(pool)
    this.#pools.clear()
    this.#draining.clear()
  }

  /** Ends the requests that are under way, and each that comes later, with `UND_ERR_DESTROYED`. */
  async close(): Promise<void> {
    this.#closed = true
    const pools = [...this.#pools.values(), ...this.#draining]
    this.#pools.clear()
    await Promise.all(pools.map((pool) => pool.destroy()))
  }

  #drain(pool: Undici.Pool): void {
    this.#draining.add(pool)
    const forget = () => this.#draining.delete(pool)
    pool.close().then(forget, forget)
  }

  #open(upstream: ResolvedUpstream): Undici.Pool {
    const { scheme, host, port } = upstream.origin
    const { Pool } = loadUndici()
    const pool = new Pool(`${scheme}://${host}:${String(port)}`, {
      connections: MAX_CONNECTIONS,
      connect: resolvedConnector(upstream, this.#limits.connectTimeoutMs),
      headersTimeout: this.#limits.responseTimeoutMs,
      bodyTimeout: this.#limits.idleTimeoutMs,
    })
    if (this.#closed) void pool.destroy()
    return pool
  }
}

/** Dials the checked addresses in turn, and verifies the certificate for the checked name. */
function resolvedConnector(upstream: ResolvedUpstream, timeout: number): Undici.buildConnector.connector {
  const connect = loadUndici().buildConnector({
    timeout,
    maxCachedSessions: 16,
    allowH2: false,
    ...(upstream.ca === null ? {} : { ca: upstream.ca }),
    ...shownCertificate(upstream.clientCertificate),
  })
  return (options, callback) => {
    const attempt = (index: number) => {
      const address = upstream.addresses[index] ?? ''
      const pinned = {
        ...options,
        host: address,
        hostname: address,
        port: String(upstream.port),
        servername: upstream.origin.host,
      }
      connect(pinned, (...result: Parameters<Undici.buildConnector.Callback>) => {
        if (result[0] !== null && index + 1 < upstream.addresses.length) attempt(index + 1)
        else callback(...result)
      })
    }
    attempt(0)
  }
}
