import { createRequire } from 'node:module'
import type * as Undici from 'undici'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import { codeOf } from '../contracts/errors.js'
import { shownCertificate } from '../credentials/client-certificate.js'
import { ResponseDeadline } from './response-deadline.js'
import type { RawHeaders, ResolvedUpstream, UpstreamHandler, UpstreamRequest, Upstreams } from './upstream.js'

const require = createRequire(import.meta.url)

/** Loaded with the first pool, for it is as much as all the rest of the gateway, and an agent that starts need not wait for it. */
const loadUndici = () => require('undici') as typeof Undici

/** Pools kept of one owner's sandbox; beyond it the least recently used one is closed once its requests are done. */
const MAX_POOLS = 32

/** Sockets of one pool. How many requests a sandbox has open is limited before this. */
const MAX_CONNECTIONS = 256

/**
 * Keep-alive pools, one for each owner, upstream and set of pinned addresses. A connection is dialled to a checked address
 * and its certificate verified for the checked name, so a name that changes its address gets another pool, never this one.
 */
export class Http1Upstreams implements Upstreams {
  readonly #limits: HttpLimits
  /** Pools of each sandbox by key, the least recently used first; those of the gateway itself under ``. */
  readonly #pools = new Map<string, Map<string, Undici.Pool>>()
  /** Pools that take no more requests, until those that they have are done. */
  readonly #draining = new Set<Undici.Pool>()
  /** Set by `handOver`. */
  #successor: Http1Upstreams | null = null
  #closed = false

  constructor(limits: HttpLimits) {
    this.#limits = limits
  }

  /** Loads the client ahead of the first pool. */
  load(): void {
    loadUndici()
  }

  open(upstream: ResolvedUpstream, request: UpstreamRequest, handler: UpstreamHandler): void {
    const { method, path, headers, body } = request
    this.#poolOf(upstream).dispatch(
      { method, path, headers, body },
      new Call(handler, body, this.#limits.responseTimeoutMs),
    )
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

  #poolOf(upstream: ResolvedUpstream): Undici.Dispatcher {
    if (this.#successor !== null) return this.#successor.#poolOf(upstream)
    const { owner } = upstream
    const sandbox = owner.sandbox ?? GATEWAY
    let pools = this.#pools.get(sandbox)
    if (pools === undefined) {
      pools = new Map<string, Undici.Pool>()
      this.#pools.set(sandbox, pools)
    }
    const key = keyOf(upstream)
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
  handOver(successor: Http1Upstreams): void {
    this.#successor = successor
    for (const pool of this.#all()) successor.#drain(pool)
    this.#pools.clear()
    this.#draining.clear()
  }

  async close(): Promise<void> {
    this.#closed = true
    const pools = this.#all()
    this.#pools.clear()
    await Promise.all(pools.map((pool) => pool.destroy()))
  }

  #all(): Undici.Pool[] {
    return [...[...this.#pools.values()].flatMap((pools) => [...pools.values()]), ...this.#draining]
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

/** The gateway's own place among the sandboxes, whose ids are never empty. */
const GATEWAY = ''

/** Two requests of a sandbox may share a connection only where all of this is the same. */
function keyOf({ owner, origin, addresses, port, ca, clientCertificate: shown }: ResolvedUpstream): string {
  const { scheme, host } = origin
  const key = `${owner.destination} ${scheme}://${host}:${String(origin.port)} ${addresses.join()} ${String(port)} ${ca ?? ''}`
  // A connection that was opened with a certificate is that client's alone.
  return shown === null ? key : `${key} ${shown.certificate} ${String(shown.key.version)}`
}

/** One request, as undici tells of it. */
class Call implements Undici.Dispatcher.DispatchHandler {
  readonly #handler: UpstreamHandler
  readonly #body: UpstreamRequest['body']
  readonly #timeoutMs: number
  #deadline: ResponseDeadline | null = null
  #status = 0

  constructor(handler: UpstreamHandler, body: UpstreamRequest['body'], timeoutMs: number) {
    this.#handler = handler
    this.#body = body
    this.#timeoutMs = timeoutMs
  }

  onRequestStart(controller: Undici.Dispatcher.DispatchController): void {
    this.#deadline = new ResponseDeadline(this.#timeoutMs, (error) => controller.abort(error))
    this.#deadline.start(this.#body)
    this.#handler.onStart(controller)
  }

  onResponseStart(
    controller: Undici.Dispatcher.DispatchController,
    status: number,
    headers: RawHeaders,
  ): void {
    if (status < 200) {
      this.#deadline?.interim(headers)
      return
    }
    this.#deadline?.stop()
    this.#status = status
    this.#handler.onHead(controller, status, headers)
  }

  onResponseData(controller: Undici.Dispatcher.DispatchController, chunk: Buffer): void {
    if (chunk.length > 0) this.#handler.onData(controller, chunk)
  }

  /** Trailers end here: they cannot be announced to a client that did not ask for them (RFC 9110 section 6.5.1). */
  onResponseEnd(): void {
    this.#handler.onEnd()
  }

  onResponseError(_controller: Undici.Dispatcher.DispatchController, error: Error): void {
    this.#deadline?.stop()
    // A 304 may announce the length of the body that it leaves out (RFC 9110 section 8.6); undici misses the body.
    if (this.#status === 304 && codeOf(error) === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') this.#handler.onEnd()
    else this.#handler.onError(error)
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
