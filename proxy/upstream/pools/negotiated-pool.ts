import type { Socket } from 'node:net'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import { dial, type TlsSession } from '../dial.js'
import { Http1Pool } from '../http1/http1-pool.js'
import { UpstreamsClosed } from '../errors.js'
import type { KeptConnections } from '../idle-connections.js'
import { Http2Connection } from '../http2/connection.js'
import { Http2Pool, speaksOther, type Waiting } from '../http2/http2-pool.js'
import type { UpstreamPool } from '../upstream-pool.js'
import type { ResolvedUpstream, UpstreamHandler, UpstreamRequest } from '../upstream.js'

export interface PoolOptions {
  readonly limits: HttpLimits
  /** Ends connections that are being made. */
  readonly signal: AbortSignal
  /** Told of each connection while it is idle; it may close it. */
  readonly kept: KeptConnections
  /** Called when a pool that drains has no connection any more. */
  readonly onEmpty: () => void
}

/**
 * Speaks HTTP/2 with an upstream that does, and HTTP/1.1 with any other. The first connection finds out and is the first of the pool
 * that follows.
 *
 *     https   ALPN: the server chooses (RFC 7301)
 *     http    HTTP/1.1; HTTP/2 where the client has prior knowledge and the server answers in it (RFC 9113 section 3.3)
 */
export class NegotiatedPool implements UpstreamPool {
  readonly #upstream: ResolvedUpstream
  readonly #options: PoolOptions
  /** Of this pool alone: all of its connections are verified with the same. */
  readonly #session: TlsSession = { latest: null }
  #chosen: UpstreamPool | null = null
  /** Beside one of HTTP/2, for requests that the server wants in HTTP/1.1. */
  #beside: Http1Pool | null = null
  #waiting: Waiting[] = []
  #isAsking = false
  #isDraining = false
  #isClosed = false

  constructor(upstream: ResolvedUpstream, options: PoolOptions) {
    this.#upstream = upstream
    this.#options = options
    if (upstream.origin.scheme === 'http' && !upstream.knowsHttp2) this.#chosen = this.#http1(null)
  }

  send(request: UpstreamRequest, handler: UpstreamHandler): void {
    if (this.#chosen !== null) {
      this.#chosen.send(request, handler)
      return
    }
    if (this.#isClosed) {
      queueMicrotask(() => handler.onError(new UpstreamsClosed()))
      return
    }
    this.#waiting.push({ request, handler })
    if (!this.#isAsking) void this.#ask()
  }

  drain(): void {
    this.#isDraining = true
    this.#chosen?.drain()
    this.#beside?.drain()
    if (this.#chosen === null && !this.#isAsking) this.#options.onEmpty()
  }

  close(): void {
    this.#isClosed = true
    for (const { handler } of this.#waiting.splice(0)) handler.onError(new UpstreamsClosed())
    this.#chosen?.close()
    this.#beside?.close()
    if (this.#chosen === null) this.#options.onEmpty()
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    try {
      const socket = await this.#dial(['h2', 'http/1.1'])
      if (this.#isClosed) socket.destroy()
      else if (this.#upstream.origin.scheme === 'http') await this.#choosePlain(socket)
      else this.#choose(speaksOther(socket) ? this.#http1(socket) : this.#http2(socket))
    } catch (error) {
      // Whoever asks again because of it is not one of those that it failed for.
      this.#isAsking = false
      for (const { handler } of this.#waiting.splice(0)) handler.onError(error as Error)
      if (this.#isDraining) this.#options.onEmpty()
    }
  }

  /** A server that does not speak HTTP/2 answers its preface with an error, or closes. Nothing of a request was sent by then. */
  async #choosePlain(socket: Socket): Promise<void> {
    let pool: Http2Pool | null = null
    const connection = new Http2Connection(socket, `http://${this.#upstream.origin.host}`, {
      onRoom: () => pool?.onRoom(),
      onIdle: (idle) => pool?.onIdle(idle),
      onBusy: (busy) => pool?.onBusy(busy),
      onClosed: (closed) => pool?.onClosed(closed),
    })
    const timer = setTimeout(() => connection.destroy(), this.#options.limits.connectTimeoutMs)
    const isHttp2 = await connection.isConfirmed
    clearTimeout(timer)
    if (isHttp2) pool = this.#http2(connection)
    // It may have gone while nobody was told.
    if (connection.isClosed) pool?.onClosed(connection)
    else if (this.#isClosed) connection.destroy()
    this.#choose(pool ?? this.#http1(null))
  }

  #choose(pool: UpstreamPool): void {
    this.#chosen = pool
    if (this.#isClosed) pool.close()
    for (const { request, handler } of this.#waiting.splice(0)) pool.send(request, handler)
    if (this.#isDraining) pool.drain()
  }

  #http1(first: Socket | null): Http1Pool {
    const { limits, kept } = this.#options
    return new Http1Pool(
      () => this.#dial(['http/1.1']),
      first,
      limits,
      kept,
      () => this.#options.onEmpty(),
    )
  }

  #http2(first: Socket | Http2Connection): Http2Pool {
    const pool: Http2Pool = new Http2Pool(first, {
      origin: this.#upstream.origin,
      limits: this.#options.limits,
      kept: this.#options.kept,
      dial: () => this.#dial(['h2', 'http/1.1']),
      onOther: (socket, waiting) => {
        pool.drain()
        const other = this.#http1(socket)
        this.#choose(other)
        for (const { request, handler } of waiting) other.send(request, handler)
      },
      onHttp1Required: (request, handler) => {
        this.#beside ??= this.#http1(null)
        this.#beside.send(request, handler)
      },
      onEmpty: () => {
        if (this.#chosen === pool) this.#options.onEmpty()
      },
    })
    return pool
  }

  #dial(alpn: readonly string[]): Promise<Socket> {
    return dial(this.#upstream, {
      timeoutMs: this.#options.limits.connectTimeoutMs,
      alpn,
      session: this.#session,
      signal: this.#options.signal,
    })
  }
}
