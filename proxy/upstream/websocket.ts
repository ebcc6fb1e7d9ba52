import { Agent, type ClientRequest, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
// `http-proxy` is installed as its maintained successor: docs/decisions/http-proxy-alias.md says why.
import { createProxyServer } from 'http-proxy'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import type { InTurn } from '../contracts/in-turn.js'
import { MAX_INTERIM_RESPONSES, TooManyInterimResponses } from './response-deadline.js'
import { dial, DialAborted } from './dial.js'
import type { RawHeaders, ResolvedUpstream, UpstreamRequest } from './upstream.js'
import { WebSocketClientEnd } from './websocket-client-end.js'

/** Told what becomes of a WebSocket. `onClose` is always the last. */
export interface WebSocketHandler {
  /** The upstream answered with this status instead of 101. Its body is not read. */
  onRefused(status: number): void
  /** It took longer than the policy gives it. */
  onTimeout(): void
  onError(error: Error): void
  /**
   * The upstream said 101, which proves nothing yet. Returns the client's stream, of which nothing was read before: an upstream that refuses cannot be
   * sent a second request that nobody checked. Null to end it here.
   */
  onAccepted(headers: RawHeaders): Duplex | null
  /** Bytes of the upstream's behind its 101; returns those that the client gets, or null to end it here. */
  onBytes(chunk: Buffer): Buffer | null
  /** Bytes of the client's behind its request; returns those that the upstream gets, or null to end it here. */
  onClientBytes(chunk: Buffer): Buffer | null
  /** When a piece of the bytes of either side is read. */
  readonly inTurn: InTurn
  /** Both sides are over. */
  onClose(): void
}

/**
 * Asks an upstream for a WebSocket (RFC 6455 section 4), and passes bytes both ways once it agrees.
 *
 * @returns what ends it
 */
export function openWebSocket(
  upstream: ResolvedUpstream,
  request: Pick<UpstreamRequest, 'path' | 'headers'>,
  limits: HttpLimits,
  handler: WebSocketHandler,
): { destroy(): void } {
  const end = new WebSocketClientEnd(handler)
  const closing = new AbortController()
  end.once('close', () => closing.abort(new DialAborted()))
  end.once('close', () => handler.onClose())
  dial(upstream, { timeoutMs: limits.connectTimeoutMs, alpn: ['http/1.1'], signal: closing.signal }).then(
    (socket) => {
      if (closing.signal.aborted) socket.destroy()
      else ask(socket, end, upstream, request, limits, handler)
    },
    (error: unknown) => {
      if (!closing.signal.aborted) handler.onError(error as Error)
    },
  )
  return { destroy: () => end.destroy() }
}

/** Sends the request on a connection whose certificate was verified. */
function ask(
  connection: Socket,
  end: WebSocketClientEnd,
  { addresses, port }: ResolvedUpstream,
  { path, headers }: Pick<UpstreamRequest, 'path' | 'headers'>,
  limits: HttpLimits,
  handler: WebSocketHandler,
): void {
  // A proxy of its own for each upgrade: options of a shared one would win over those of the call.
  const proxy = createProxyServer({ xfwd: false })
  proxy.on('proxyReqWs', (request: ClientRequest) => {
    // Until the final head, whatever interim responses (1xx) come before it.
    const deadline = setTimeout(() => {
      handler.onTimeout()
      request.destroy()
    }, limits.responseTimeoutMs)
    request.once('close', () => clearTimeout(deadline))
    end.once('close', () => request.destroy())
    let interim = 0
    request.on('information', () => {
      interim += 1
      if (interim > MAX_INTERIM_RESPONSES) request.destroy(new TooManyInterimResponses())
    })
    request.prependOnceListener('response', (response) => {
      clearTimeout(deadline)
      handler.onRefused(response.statusCode ?? 0)
      response.destroy()
    })
    request.prependOnceListener('upgrade', (response, socket: Socket) => {
      clearTimeout(deadline)
      const client = handler.onAccepted(response.headers)
      if (client === null) {
        socket.destroy()
        return
      }
      socket.setTimeout(limits.idleTimeoutMs, () => socket.destroy())
      socket.once('close', () => end.leave(limits.idleTimeoutMs))
      end.once('close', () => socket.destroy())
      end.join(client)
    })
  })
  proxy.on('error', (error: Error) => handler.onError(error))
  // All that http-proxy reads of a request.
  const request = {
    method: 'GET',
    url: path,
    headers: { ...headers, connection: 'Upgrade', upgrade: 'websocket' },
    httpVersionMajor: 1,
  } as unknown as IncomingMessage
  void proxy.ws(
    request,
    end as unknown as Socket,
    {
      // Nothing is dialled or encrypted any more: the agent has the connection.
      target: { protocol: 'http:', host: addresses[0] ?? '', port },
      agent: new OneConnection(connection),
    },
    Buffer.alloc(0),
  )
}

/** Hands out a connection that is there already. */
class OneConnection extends Agent {
  readonly #connection: Socket

  constructor(connection: Socket) {
    super({ keepAlive: false, maxSockets: 1 })
    this.#connection = connection
  }

  override createConnection(): Socket {
    return this.#connection
  }
}
