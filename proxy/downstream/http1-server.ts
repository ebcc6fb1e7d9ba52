import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Headers } from '#firewall/contracts/credential.js'
import { deny, type Denial } from '../contracts/denial.js'
import { collectHeaders } from '../message/headers.js'
import { asksForWebSocket } from '../message/websocket-handshake.js'
import type { InTurn } from '../contracts/in-turn.js'
import type { Downstream } from './downstream.js'
import { Http1Downstream, Http1Upgrade } from './http1.js'
import { RequestFeed } from './request-feed.js'

/** Bytes of a request head; `head-limits.ts` has what may be in it. */
const MAX_HEAD = 262_144
/** Milliseconds in which a head must be complete: a client that drips bytes gives its socket back. */
const HEAD_TIMEOUT_MS = 30_000

const NOTHING: Buffer = Buffer.alloc(0)

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
  /** When bytes that came are parsed. */
  readonly inTurn: InTurn
  /** So many bytes are held of a head that is not whole; 0 for none any more. False where there is no room for them. */
  holdHead(bytes: number): boolean
  /** A request. Its response must be over, or the client gone, when the promise resolves. */
  onRequest(downstream: Downstream): Promise<void>
  /** The connection is the handler's from here on: HTTP reads it no more. */
  onConnect(request: ConnectRequest): void
  /** The client speaks HTTP/2, with prior knowledge. The connection is the handler's, with all that came in it. */
  onHttp2(): void
  /** What came cannot be answered as a request. The handler answers, and ends the connection. */
  onRejected(denial: Denial, kind: 'request' | 'upgrade' | 'connect'): void
}

/** What ends so was never a request. */
const LOST = deny('bad-framing', { detail: 'The connection ended within a request head' })

/** Requests that may come in one piece without the parser's stopping, as with line ends that it should not take. */
const MAX_UNANSWERED = 64

const TOO_MANY = deny('busy', { detail: 'Too many requests were sent ahead', retryAfter: 1 })

const TOO_LARGE = deny('head-too-complex', { detail: 'more than 256 KiB' })

const NO_MEMORY = deny('busy', {
  detail: 'this sandbox holds as much memory as it may',
  retryAfter: 1,
})

/** RFC 9113 section 3.4. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** What Node's parser says of bytes that it does not take. */
interface ParseError extends Error {
  readonly code?: string
  /** The bytes that it was given, and how many of them it had read. */
  readonly rawPacket?: Buffer
  readonly bytesParsed?: number
}

interface Served {
  /** What hands the connection's bytes to the parser. */
  feed: RequestFeed | null
  /** Takes the connection from Node's server. */
  release: () => void
  /** The last request that came. */
  last: IncomingMessage | null
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
    const accounted = socket.bytesRead - socket.readableLength
    const served: Served = {
      handlers,
      unanswered,
      accounted,
      feed: null,
      last: null,
      release: () => undefined,
    }
    this.#served.set(socket, served)
    // With pipelined requests, Node emits `close` only on the response being sent. Emit it on the queued ones too;
    // otherwise they never finish and keep their upstream connections open.
    socket.on('close', () => {
      served.feed?.end()
      for (const response of [...unanswered]) response.emit('close')
      // Reset, timed out or cut off by ourselves: however it ended, what was sent leaves a record.
      const isBody = served.last?.complete === false
      if (unanswered.length === 0 && !isBody && socket.bytesRead > served.accounted)
        handlers.onRejected(LOST, 'request')
    })
    this.#read(this.#serverFor(idleMs), socket, served)
    // Whoever looked at its first bytes has put them back, and paused it.
    socket.resume()
  }

  close(): void {
    for (const server of this.#servers.values()) server.close()
  }

  #read(server: Server, socket: Socket, served: Served): void {
    served.release = handToNode(server, socket)
    served.feed = new RequestFeed(socket, {
      unanswered: () => served.unanswered.length,
      inBody: () => served.last?.complete === false,
      inTurn: served.handlers.inTurn,
      holdHead: (bytes) => {
        if (socket.destroyed || served.handlers.holdHead(bytes)) return
        this.#endFeed(socket)
        this.#takeOver(socket).handlers.onRejected(NO_MEMORY, 'request')
      },
    })
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
    server.on('timeout', (socket: Socket) => {
      // Node's timer is over; who waits for an answer is watched anew.
      if (this.#mayBeSilent(socket)) socket.setTimeout(idleMs)
      else socket.destroy()
    })
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
      const behind = this.#endFeed(socket, head)
      const { handlers, unanswered } = this.#takeOver(socket)
      if (unanswered.length > 0) handlers.onRejected(OVERTAKES, 'connect')
      else handlers.onConnect({ target: url, headers: collectHeaders(rawHeaders), head: behind })
    })
    server.on('clientError', (error: ParseError, socket: Duplex) => {
      const { last } = this.#of(socket)
      // RFC 9113 section 3.4: its connection preface begins like a request that no server of HTTP/1.1 takes.
      if (error.code === 'HPE_PAUSED_H2_UPGRADE' && last === null && socket.writable) {
        const rest = this.#endFeed(socket, error.rawPacket?.subarray(error.bytesParsed))
        const { handlers, release } = this.#takeOver(socket)
        release()
        socket.unshift(Buffer.concat([PREFACE, rest]))
        handlers.onHttp2()
        return
      }
      this.#endFeed(socket)
      // A socket that is gone is recorded when it closes, if it had sent anything.
      if (socket.destroyed || !socket.writable) return
      // The rest of a body whose request was answered: it has its record.
      if (last?.complete === false && this.#of(socket).unanswered.length === 0) {
        socket.destroy()
        return
      }
      const denial = error.code === 'HPE_HEADER_OVERFLOW' ? TOO_LARGE : deny('bad-framing')
      this.#takeOver(socket).handlers.onRejected(denial, 'request')
    })
    // It never listens, and Node watches the time that heads take from that event on.
    server.emit('listening')
    return server
  }

  async #takeRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Node takes it from the request when the response is over.
    const { socket } = request
    const served = this.#of(socket)
    const { handlers, unanswered, feed } = served
    if (unanswered.length >= MAX_UNANSWERED) {
      // Once: the parser may be in the middle of a piece with many more.
      if (!socket.destroyed) this.#takeOver(socket).handlers.onRejected(TOO_MANY, 'request')
      socket.destroy()
      return
    }
    unanswered.push(response)
    served.last = request
    // Also where its answer was over before that.
    request.once(
      'end',
      () => (served.accounted = Math.max(served.accounted, socket.bytesRead - (feed?.held ?? 0))),
    )
    await handlers.onRequest(new Http1Downstream(request, response, null))
    unanswered.splice(unanswered.indexOf(response), 1)
    served.accounted = Math.max(served.accounted, socket.bytesRead - (feed?.held ?? 0))
    handlers.inTurn(() => served.feed?.continue())
  }

  #takeUpgrade(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
    const served = this.#of(socket)
    const { handlers, unanswered } = served
    const behind = this.#endFeed(socket, head)
    // What takes a connection over may not come before the answers that it still owes: both would write to it.
    if (unanswered.length > 0) {
      this.#takeOver(socket)
      handlers.onRejected(OVERTAKES, 'upgrade')
      return
    }
    if (!asksForWebSocket(request)) {
      putBackWithoutUpgrade(request, socket, behind)
      this.#read(server, socket, served)
      return
    }
    this.#takeOver(socket)
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    void handlers.onRequest(
      new Http1Downstream(
        request,
        response,
        new Http1Upgrade(socket, behind, request.headers['sec-websocket-key'] ?? ''),
      ),
    )
  }

  /**
   * A client that has sent all of its request waits for as long as the upstream is given (`response_timeout`), and one that is
   * not read cannot go on. One that drips, or does not read, is cut off.
   */
  #mayBeSilent(socket: Socket): boolean {
    const { unanswered, last } = this.#of(socket)
    return (
      unanswered.length > 0 && socket.writableLength === 0 && (last?.complete === true || socket.isPaused())
    )
  }

  /** The parser gets no more of the connection. Returns what came behind the bytes that it had. */
  #endFeed(socket: Duplex, head: Buffer = NOTHING): Buffer {
    const rest = this.#of(socket).feed?.end() ?? NOTHING
    return rest.length === 0 ? head : Buffer.concat([head, rest])
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

/** Returns what takes it back: Node's server has a way to let a connection go only for a request that asks for it. */
function handToNode(server: Server, socket: Socket): () => void {
  const names = ['data', 'end', 'close', 'drain', 'timeout', 'error'] as const
  const before = new Set(names.flatMap((name) => socket.listeners(name)))
  server.emit('connection', socket)
  const listeners = names.flatMap((name) =>
    socket.listeners(name).flatMap((listener) => (before.has(listener) ? [] : [{ name, listener }])),
  )
  return () => {
    for (const { name, listener } of listeners) socket.off(name, listener as () => void)
    socket.setTimeout(0)
    socket.pause()
  }
}

/**
 * RFC 9110 section 7.8: a server may ignore an upgrade that it does not know, and Java's client offers `h2c` on every
 * plain request. Node has taken the socket from its parser by now, so the head is written back without the offer.
 */
function putBackWithoutUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
  const dropped = new Set(['upgrade', 'http2-settings', 'connection'])
  const lines = [`${request.method ?? ''} ${request.url ?? ''} HTTP/${request.httpVersion}`]
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const [name = '', value = ''] = request.rawHeaders.slice(i, i + 2)
    if (!dropped.has(name.toLowerCase())) lines.push(`${name}: ${value}`)
  }
  const body = hasBodyHead(request) ? head : Buffer.alloc(0)
  if (!hasBodyHead(request)) lines.push('Connection: close')
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]))
}

function hasBodyHead({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
}
