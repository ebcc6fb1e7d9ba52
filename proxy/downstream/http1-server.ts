import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Headers } from '#firewall/contracts/credential.js'
import { deny, type Denial } from '../contracts/denial.js'
import { collectHeaders } from '../message/headers.js'
import { asksForWebSocket } from '../message/websocket-handshake.js'
import type { Downstream } from './downstream.js'
import { Http1Downstream, Http1Upgrade } from './http1.js'

/** Bytes of a request head; Node's own default is 16 KiB, and presigned URLs and cookies come near it. */
const MAX_HEAD = 65_536
/** Milliseconds in which a head must be complete: a client that drips bytes gives its socket back. */
const HEAD_TIMEOUT_MS = 30_000

const OVERTAKES = deny('bad-framing', {
  detail: 'An earlier request on this connection is still in progress',
})

/** CONNECT (RFC 9110 section 9.3.6), not answered yet. */
export interface ConnectRequest {
  /** The request target as it was sent. */
  readonly target: string
  readonly headers: Headers
  /** Bytes that the client sent behind it. */
  readonly head: Buffer
}

/** Who takes what a connection brings. None of them may throw. */
export interface Http1Handlers {
  /** A request. Its response must be over, or the client gone, when the promise resolves. */
  onRequest(downstream: Downstream): Promise<void>
  /** The connection is the handler's from here on: HTTP reads it no more. */
  onConnect(request: ConnectRequest): void
  /** What came cannot be answered as a request. The handler answers, and ends the connection. */
  onRejected(denial: Denial, kind: 'request' | 'upgrade' | 'connect'): void
}

/** What ends so was never a request. */
const LOST = deny('bad-framing', { detail: 'The connection ended within a request head' })

interface Served {
  /** Bytes of the connection that are accounted for: by requests, or by a record of their own. */
  accounted: number
  readonly handlers: Http1Handlers
  /** The responses that are still worked on. */
  readonly unanswered: ServerResponse[]
}

/** Reads HTTP/1.1 strictly from connections that somebody else has accepted, and makes every request a `Downstream`. */
export class Http1Server {
  /** By idle timeout: Node takes that of its server, and a policy may change it while connections are open. */
  readonly #servers = new Map<number, Server>()
  readonly #served = new WeakMap<Duplex, Served>()

  /** Takes a connection over. @param idleMs until a silent one is closed */
  serve(socket: Socket, idleMs: number, handlers: Http1Handlers): void {
    const unanswered: ServerResponse[] = []
    // Bytes that were looked at before are in the socket again.
    const served = { handlers, unanswered, accounted: socket.bytesRead - socket.readableLength }
    this.#served.set(socket, served)
    // With pipelined requests, Node emits `close` only on the response being sent. Emit it on the queued ones too;
    // otherwise they never finish and keep their upstream connections open.
    socket.on('close', () => {
      for (const response of [...unanswered]) response.emit('close')
      // Reset, timed out or cut off by ourselves: however it ended, what was sent leaves a record.
      if (unanswered.length === 0 && socket.bytesRead > served.accounted) handlers.onRejected(LOST, 'request')
    })
    this.#serverFor(idleMs).emit('connection', socket)
    // Whoever looked at its first bytes has put them back, and paused it.
    socket.resume()
  }

  close(): void {
    for (const server of this.#servers.values()) server.close()
  }

  #serverFor(idleMs: number): Server {
    const server = this.#servers.get(idleMs) ?? this.#create(idleMs)
    this.#servers.set(idleMs, server)
    return server
  }

  #create(idleMs: number): Server {
    const server = createServer({
      insecureHTTPParser: false,
      // Node would answer by itself, and nobody would record it: the steps refuse a request without Host.
      requireHostHeader: false,
      maxHeaderSize: MAX_HEAD,
      headersTimeout: HEAD_TIMEOUT_MS,
      // A large upload may take its time as long as it moves: `timeout` below watches that.
      requestTimeout: 0,
      keepAliveTimeout: 60_000,
      noDelay: true,
    })
    server.timeout = idleMs
    // Node would leave headers out beyond 2,000, and what is left out is not checked. `head-limits.ts` counts them.
    server.maxHeadersCount = 0
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      void this.#takeRequest(request, response)
    server.on('request', onRequest)
    // Checked before the client is told to send its body: reading the body writes the 100.
    server.on('checkContinue', onRequest)
    // RFC 9110 section 10.1.1: an expectation that is not known may be ignored. Node's own 417 would not be recorded.
    server.on('checkExpectation', onRequest)
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#takeUpgrade(server, request, socket as Socket, head),
    )
    server.on('connect', ({ url = '', rawHeaders }: IncomingMessage, socket: Duplex, head: Buffer) => {
      const { handlers, unanswered } = this.#takeOver(socket)
      if (unanswered.length > 0) handlers.onRejected(OVERTAKES, 'connect')
      else handlers.onConnect({ target: url, headers: collectHeaders(rawHeaders), head })
    })
    server.on('clientError', (_error: Error, socket: Duplex) => {
      // A socket that is gone is recorded when it closes, if it had sent anything.
      if (socket.destroyed || !socket.writable) return
      this.#takeOver(socket).handlers.onRejected(deny('bad-framing'), 'request')
    })
    // It never listens, and Node watches the time that heads take from that event on.
    server.emit('listening')
    return server
  }

  async #takeRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const served = this.#of(request.socket)
    const { handlers, unanswered } = served
    unanswered.push(response)
    await handlers.onRequest(new Http1Downstream(request, response, null))
    unanswered.splice(unanswered.indexOf(response), 1)
    served.accounted = Math.max(served.accounted, request.socket.bytesRead)
  }

  #takeUpgrade(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { handlers, unanswered } = this.#of(socket)
    // What takes a connection over may not come before the answers that it still owes: both would write to it.
    if (unanswered.length > 0) {
      this.#takeOver(socket)
      handlers.onRejected(OVERTAKES, 'upgrade')
      return
    }
    if (!asksForWebSocket(request)) {
      readAgainWithoutUpgrade(server, request, socket, head)
      return
    }
    this.#takeOver(socket)
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    void handlers.onRequest(new Http1Downstream(request, response, new Http1Upgrade(socket, head)))
  }

  /** What comes of the connection from here on is recorded by somebody else. */
  #takeOver(socket: Duplex): Served {
    const served = this.#of(socket)
    served.accounted = Infinity
    return served
  }

  #of(socket: Duplex): Served {
    const served = this.#served.get(socket)
    if (served === undefined) throw new Error('a connection that nobody handed over')
    return served
  }
}

/**
 * RFC 9110 section 7.8: a server may ignore an upgrade that it does not know, and Java's client offers `h2c` on every
 * plain request. Node has taken the socket from its parser by now, so the head is written back without the offer.
 */
function readAgainWithoutUpgrade(
  server: Server,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  const dropped = new Set(['upgrade', 'http2-settings', 'connection'])
  const lines = [`${request.method ?? ''} ${request.url ?? ''} HTTP/${request.httpVersion}`]
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const [name = '', value = ''] = request.rawHeaders.slice(i, i + 2)
    if (!dropped.has(name.toLowerCase())) lines.push(`${name}: ${value}`)
  }
  const body = hasBodyHead(request) ? head : Buffer.alloc(0)
  if (!hasBodyHead(request)) lines.push('Connection: close')
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]))
  server.emit('connection', socket)
}

function hasBodyHead({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
}
