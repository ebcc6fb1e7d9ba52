import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import type { ProxyContext } from '../context.js'
import { deny, type ConnectionContext } from '../request/exchange.js'
import { denyConnection } from '../downstream/denial.js'
import { handleRequest } from '../request/handle.js'

/** Bytes of a request head; Node's own default is 16 KiB, and presigned URLs and cookies come near it. */
const MAX_HEAD = 65_536
/** Milliseconds in which a head must be complete: a client that drips bytes gives its socket back. */
const HEAD_TIMEOUT_MS = 30_000
/** Connections of all sandboxes together at one listener. */
const MAX_CONNECTIONS = 4096

/**
 * An HTTP/1.1 server for one listener. It reads strictly, and makes every request an exchange; what the connection is bound
 * to is asked of `bindingOf`.
 */
export function createListener(
  context: ProxyContext,
  connectionOf: (socket: Socket) => ConnectionContext,
): Server {
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
  // Node gives it to each connection, so the one of the policy in force must stand there first.
  server.prependListener('connection', () => {
    server.timeout = context.snapshot().policy.http.idleTimeoutMs
  })
  server.maxConnections = MAX_CONNECTIONS
  const known = new WeakSet<Duplex>()
  server.on('connection', (socket: Duplex) => {
    // A connection may be reset at any time, also where Node has let go of it (CONNECT, upgrades): nobody else listens there.
    if (known.has(socket)) return
    known.add(socket)
    socket.on('error', () => socket.destroy())
    // Node tells only the response whose turn it is; those behind it would wait for ever, and hold their upstreams.
    socket.on('close', () => {
      for (const response of [...responsesOf(socket)]) response.emit('close')
    })
  })
  const takeRequest = async (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    const waiting = responsesOf(socket)
    waiting.push(response)
    await handleRequest(context, connectionOf(socket), request, response, null)
    waiting.splice(waiting.indexOf(response), 1)
  }
  const onRequest = (request: IncomingMessage, response: ServerResponse) =>
    void takeRequest(request, response)
  server.on('request', onRequest)
  // Checked before the client is told to send its body: forwarding writes the 100.
  server.on('checkContinue', onRequest)
  // RFC 9110 section 10.1.1: an expectation that is not known may be ignored. Node's own 417 would not be recorded.
  server.on('checkExpectation', onRequest)
  server.on('upgrade', (request: IncomingMessage, duplex: Duplex, head: Buffer) => {
    const socket = duplex as Socket
    if (isUnanswered(socket)) {
      void denyConnection(context, socket, connectionOf(socket), OVERTAKES, 'upgrade')
      return
    }
    if (!isWebSocket(request)) {
      readAgainWithoutUpgrade(server, request, socket, head)
      return
    }
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    void handleRequest(context, connectionOf(socket), request, response, { socket, head })
  })
  server.on('clientError', (_error: Error, duplex: Duplex) => {
    const socket = duplex as Socket
    if (socket.destroyed || !socket.writable) return
    void denyConnection(context, socket, connectionOf(socket), deny('bad-framing'), 'request')
  })
  return server
}

/** The responses of a connection that are still worked on. */
const unanswered = new WeakMap<Duplex, ServerResponse[]>()

function responsesOf(socket: Duplex): ServerResponse[] {
  const known = unanswered.get(socket)
  if (known !== undefined) return known
  const responses: ServerResponse[] = []
  unanswered.set(socket, responses)
  return responses
}

/** What takes a connection over may not come before the answers that the connection still owes: both would write to it. */
export function isUnanswered(socket: Socket): boolean {
  return responsesOf(socket).length > 0
}

export const OVERTAKES = deny('bad-framing', { detail: 'a request before this one has no answer yet' })

function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket'
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
  const lines = [`${request.method ?? ''} ${request.url ?? ''} HTTP/1.1`]
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
