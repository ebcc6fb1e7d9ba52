import { constants } from 'node:http2'
import type { Socket } from 'node:net'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import type { Origin } from '#firewall/contracts/origin.js'
import { authorityText } from '#firewall/names/default-port.js'
import { UpstreamsClosed } from '../errors.js'
import type { KeptConnections } from '../idle-connections.js'
import type { UpstreamPool } from '../upstream-pool.js'
import type { UpstreamHandler, UpstreamRequest } from '../upstream.js'
import { Http2Call, type CallEvents } from './call.js'
import { Http2Connection, type ConnectionEvents } from './connection.js'
import { Http2Error } from './errors.js'

const { NGHTTP2_REFUSED_STREAM } = constants

/** Connections of one pool. One is enough for most servers, which take a hundred requests at once. */
const MAX_CONNECTIONS = 16

export interface Http2PoolOptions {
  readonly origin: Origin
  readonly limits: HttpLimits
  /** Told of each connection while it is idle; it may close it. */
  readonly kept: KeptConnections
  /** Makes another connection. */
  readonly dial: () => Promise<Socket>
  /** The server does not speak HTTP/2 any more, on a connection that was just made; what waits is sent in another way. */
  onOther(socket: Socket, waiting: readonly Waiting[]): void
  /** One request is to be sent in another way. */
  onHttp1Required(request: UpstreamRequest, handler: UpstreamHandler): void
  /** Called when a pool that drains has no connection any more. */
  onEmpty(): void
}

/** A request that was not sent. */
export interface Waiting {
  readonly request: UpstreamRequest
  readonly handler: UpstreamHandler
}

/** HTTP/2 to one upstream: requests share connections. */
export class Http2Pool implements UpstreamPool, ConnectionEvents, CallEvents {
  readonly #options: Http2PoolOptions
  readonly #connections = new Set<Http2Connection>()
  #waiting: (Waiting & { readonly call: Http2Call })[] = []
  readonly #calls = new WeakMap<Http2Call, Waiting>()
  #isDialling = false
  #isDraining = false
  #isClosed = false

  constructor(first: Http2Connection | Socket, options: Http2PoolOptions) {
    this.#options = options
    if (first instanceof Http2Connection) this.#connections.add(first)
    else this.#add(first)
  }

  send(request: UpstreamRequest, handler: UpstreamHandler): void {
    const { origin, limits } = this.#options
    const call = new Http2Call(request, handler, origin.scheme, limits, this)
    this.#calls.set(call, { request, handler })
    this.onWaiting(call)
  }

  onWaiting(call: Http2Call): void {
    const { request, handler } = this.#calls.get(call) ?? {}
    if (this.#isClosed || request === undefined || handler === undefined) {
      queueMicrotask(() => call.onFailed(new UpstreamsClosed()))
      return
    }
    this.#waiting.push({ call, request, handler })
    this.onRoom()
  }

  onHttp1Required(request: UpstreamRequest, handler: UpstreamHandler): void {
    this.#options.onHttp1Required(request, handler)
  }

  onRoom(): void {
    for (const connection of this.#connections) {
      while (connection.hasRoom) {
        const next = this.#waiting.shift()
        if (next === undefined) return
        next.call.onConnection(connection)
      }
    }
    const connections = [...this.#connections]
    if (this.#waiting.length === 0 || this.#isDialling || connections.some(({ isKnown }) => !isKnown)) return
    // Threat: an upstream that allows no stream would have connections made to it without end, and requests wait for ever.
    if (connections.some(({ takesNothing }) => takesNothing))
      for (const { call } of this.#waiting.splice(0)) call.onFailed(new Http2Error(NGHTTP2_REFUSED_STREAM))
    else if (this.#connections.size < MAX_CONNECTIONS) void this.#dial()
  }

  onIdle(connection: Http2Connection): void {
    this.#options.kept.add(connection)
  }

  onBusy(connection: Http2Connection): void {
    this.#options.kept.delete(connection)
  }

  onClosed(connection: Http2Connection): void {
    this.#options.kept.delete(connection)
    this.#connections.delete(connection)
    this.onRoom()
    this.#checkEmpty()
  }

  drain(): void {
    this.#isDraining = true
    if (this.#waiting.length === 0) for (const connection of this.#connections) connection.drain()
    this.#checkEmpty()
  }

  close(): void {
    this.#isClosed = true
    this.#isDraining = true
    for (const { call } of this.#waiting.splice(0)) call.onFailed(new UpstreamsClosed())
    for (const connection of [...this.#connections]) connection.destroy()
    this.#checkEmpty()
  }

  async #dial(): Promise<void> {
    this.#isDialling = true
    try {
      const socket = await this.#options.dial()
      this.#isDialling = false
      if (this.#isClosed) socket.destroy()
      else if (speaksOther(socket)) this.#options.onOther(socket, this.#waiting.splice(0))
      else this.#add(socket)
    } catch (error) {
      this.#isDialling = false
      for (const { call } of this.#waiting.splice(0)) call.onFailed(error as Error)
    }
    this.#checkEmpty()
  }

  #add(socket: Socket): void {
    const { scheme, host, port } = this.#options.origin
    this.#connections.add(
      new Http2Connection(socket, `${scheme}://${authorityText(scheme, host, port)}`, this),
    )
    this.onRoom()
  }

  #checkEmpty(): void {
    if (this.#isDraining && this.#connections.size === 0 && !this.#isDialling && this.#waiting.length === 0)
      this.#options.onEmpty()
  }
}

/** By ALPN; without TLS, nothing is agreed on. */
export function speaksOther(socket: Socket): boolean {
  return 'alpnProtocol' in socket && socket.alpnProtocol !== 'h2'
}
