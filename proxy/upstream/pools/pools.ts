import { setMaxListeners } from 'node:events'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import { connectionKey } from '../connection-key.js'
import { UpstreamsClosed } from '../errors.js'
import { IdleConnections } from '../idle-connections.js'
import type { UpstreamPool } from '../upstream-pool.js'
import { NegotiatedPool } from './negotiated-pool.js'
import type { ResolvedUpstream, UpstreamHandler, UpstreamRequest, Upstreams } from '../upstream.js'

/** Pools kept of one owner's sandbox; beyond it the least recently used one is closed once its requests are done. */
const MAX_POOLS = 32

/**
 * Keep-alive pools, one for each owner, upstream and set of pinned addresses. A connection is dialled to a checked address
 * and its certificate verified for the checked name, so a name that changes its address gets another pool, never this one.
 */
export class PooledUpstreams implements Upstreams {
  readonly #limits: HttpLimits
  /** Pools of each sandbox by key, the least recently used first; those of the gateway itself under ``. */
  readonly #pools = new Map<string, Map<string, UpstreamPool>>()
  /** Pools that take no more requests, until those that they have are done. */
  readonly #draining = new Set<UpstreamPool>()
  readonly #idle = new IdleConnections()
  /** Set by `handOver`. */
  #successor: PooledUpstreams | null = null
  readonly #closing = new AbortController()

  constructor(limits: HttpLimits) {
    this.#limits = limits
    // One listener for each connection that is being made.
    setMaxListeners(0, this.#closing.signal)
  }

  load(): void {
    // Nothing that this file does not load.
  }

  open(upstream: ResolvedUpstream, request: UpstreamRequest, handler: UpstreamHandler): void {
    this.#poolOf(upstream).send(request, handler)
  }

  drop(sandbox: string): void {
    for (const pool of this.#pools.get(sandbox)?.values() ?? []) this.#drain(pool)
    this.#pools.delete(sandbox)
    this.#successor?.drop(sandbox)
  }

  prune(isActive: (sandbox: string) => boolean): void {
    for (const sandbox of [...this.#pools.keys()]) {
      if (sandbox !== GATEWAY && !isActive(sandbox)) this.drop(sandbox)
    }
  }

  #poolOf(upstream: ResolvedUpstream): UpstreamPool {
    if (this.#successor !== null) return this.#successor.#poolOf(upstream)
    const { owner } = upstream
    const sandbox = owner.sandbox ?? GATEWAY
    let pools = this.#pools.get(sandbox)
    if (pools === undefined) {
      pools = new Map<string, UpstreamPool>()
      this.#pools.set(sandbox, pools)
    }
    const key = connectionKey(upstream)
    const pool = pools.get(key) ?? this.#open(upstream)
    pools.delete(key)
    pools.set(key, pool)
    const [oldest] = pools
    if (pools.size > MAX_POOLS && oldest !== undefined) {
      pools.delete(oldest[0])
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
  handOver(successor: PooledUpstreams): void {
    this.#successor = successor
    for (const pool of this.#all()) successor.#drain(pool)
    this.#pools.clear()
    this.#draining.clear()
  }

  close(): Promise<void> {
    this.#closing.abort(new UpstreamsClosed())
    const pools = this.#all()
    this.#pools.clear()
    for (const pool of pools) pool.close()
    return Promise.resolve()
  }

  #all(): UpstreamPool[] {
    return [...[...this.#pools.values()].flatMap((pools) => [...pools.values()]), ...this.#draining]
  }

  #drain(pool: UpstreamPool): void {
    this.#draining.add(pool)
    pool.drain()
  }

  #open(upstream: ResolvedUpstream): UpstreamPool {
    const sandbox = upstream.owner.sandbox ?? GATEWAY
    const pool: UpstreamPool = new NegotiatedPool(upstream, {
      limits: this.#limits,
      signal: this.#closing.signal,
      kept: {
        add: (connection) => this.#idle.add(sandbox, connection),
        delete: (connection) => this.#idle.delete(sandbox, connection),
      },
      onEmpty: () => this.#draining.delete(pool),
    })
    if (this.#closing.signal.aborted) pool.close()
    return pool
  }
}

/** The gateway's own place among the sandboxes, whose ids are never empty. */
const GATEWAY = ''
