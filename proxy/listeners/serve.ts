import type { IncomingMessage } from 'node:http'
import type { Server as TcpServer, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { parseAuthority, type Authority } from '#firewall/names/hostname.js'
import { checkName } from '#firewall/judge/name-policy.js'
import type { ProxyContext } from '../context.js'
import { denyConnection } from '../downstream/denial.js'
import { createListener, isUnanswered, OVERTAKES } from './http-server.js'
import { peek, serveTls } from '../connection/tls.js'
import { deny, type ConnectionContext, type Denial } from '../request/exchange.js'
import { collectHeaders } from '../request/headers.js'
import { connectionDecision } from '../request/records.js'

/** Milliseconds that requests have to end in when the gateway ends; what needs longer is cut off. */
const STOP_MS = 1_000

/** The listening sockets of one sandbox network, already bound. */
export interface ProxySockets {
  /** Transparent, port 80. */
  readonly http: TcpServer
  /** Transparent, port 443. */
  readonly https: TcpServer
  /** `HTTP_PROXY` and `HTTPS_PROXY`, port 3128. */
  readonly forward: TcpServer
  /** Base URLs, port 9199. */
  readonly reverse: TcpServer
}

/**
 * Opens the three listeners on sockets that somebody else has bound.
 *
 *     port 80 ──────────────────────────────┐
 *     port 443 ── hello ─┬─ end TLS ────────┤
 *     port 3128 ─ CONNECT┘  absolute form ──┼──▶ handleRequest: the steps
 *     port 9199 ────────────────────────────┘
 */
export function serveProxy(sockets: ProxySockets, context: ProxyContext): { close(): Promise<void> } {
  const connections = new WeakMap<Duplex, ConnectionContext>()
  const open = new Set<Socket>()
  const outer = (socket: Socket, listener: ConnectionContext['listener']): ConnectionContext => {
    const { remoteAddress = '', remotePort = 0, localAddress = '' } = socket
    const peer = { address: remoteAddress, port: remotePort, localAddress }
    const sandbox = context.identify(peer)
    return { snapshot: context.snapshot(), listener, peer, sandbox, host: null, scheme: null, port: null }
  }
  // Requests from inside TLS or CONNECT have a binding of their own; what has none came in on port 80 itself.
  const transparent = createListener(
    context,
    (socket) => connections.get(socket) ?? { ...outer(socket, 'transparent'), scheme: 'http', port: 80 },
  )
  const forward = createListener(context, (socket) => outer(socket, 'forward'))
  const reverse = createListener(context, (socket) => outer(socket, 'reverse'))
  const hand = (socket: Socket, connection: ConnectionContext) => {
    connections.set(socket, connection)
    transparent.emit('connection', socket)
    // Whoever looked at its first bytes has put them back, and paused it.
    socket.resume()
  }
  const limit = context.ledger.connections
  const track = (socket: Socket, listener: ConnectionContext['listener']) => {
    if (open.has(socket)) return
    open.add(socket)
    socket.on('error', () => socket.destroy())
    // What comes from inside another connection is no connection of its own.
    const connection = connections.has(socket) ? null : outer(socket, listener)
    const owner = connection === null ? null : (connection.sandbox?.id ?? connection.peer.address)
    const admitted = owner !== null && limit.take(owner)
    socket.once('close', () => {
      open.delete(socket)
      if (admitted) limit.giveBack(owner)
    })
    if (connection !== null && !admitted) rejectConnection(context, socket, connection)
  }
  // Threat: Node forgets a connection that it has handed over (CONNECT, upgrades), but its server waits for it to end,
  // which its client need never do.
  const listeners = { transparent, forward, reverse } as const
  sockets.https.on('connection', (socket: Socket) => track(socket, 'transparent'))
  for (const listener of ['transparent', 'forward', 'reverse'] as const)
    listeners[listener].on('connection', (socket: Socket) => track(socket, listener))

  sockets.https.on('connection', (socket: Socket) => {
    if (socket.destroyed) return
    const connection: ConnectionContext = { ...outer(socket, 'transparent'), scheme: 'https', port: 443 }
    guard(context, socket, async () => {
      const opening = await peek(socket)
      if (opening.kind === 'tls') await serveTls(context, socket, opening.serverName, connection, hand)
      else if (opening.kind === 'plain') await denyConnection(context, socket, connection, deny('not-tls'))
    })
  })

  forward.on('connect', (request: IncomingMessage, duplex: Duplex, head: Buffer) => {
    const socket = duplex as Socket
    guard(context, socket, () => serveConnect(context, request, socket, head, outer(socket, 'forward'), hand))
  })
  for (const server of [transparent, reverse]) {
    server.on('connect', (_request: IncomingMessage, duplex: Duplex) => {
      const socket = duplex as Socket
      const connection =
        connections.get(socket) ?? outer(socket, server === reverse ? 'reverse' : 'transparent')
      const denial = deny('bad-framing', { detail: 'CONNECT belongs to port 3128' })
      guard(context, socket, () => denyConnection(context, socket, connection, denial))
    })
  }

  transparent.listen(sockets.http)
  forward.listen(sockets.forward)
  reverse.listen(sockets.reverse)
  return {
    async close() {
      const closed = [sockets.https, transparent, forward, reverse].map(stopListening)
      context.shutdown.start()
      const drained = context.snapshot().pools.close()
      await context.shutdown.waitForIdle(STOP_MS)
      for (const socket of open) socket.destroy()
      await Promise.all([...closed, drained])
      await context.shutdown.waitForIdle(STOP_MS)
    },
  }
}

/** Nothing was read of it, and nothing is answered. */
function rejectConnection(
  { audit, now, newId }: ProxyContext,
  socket: Socket,
  connection: ConnectionContext,
): void {
  socket.destroy()
  const detail = 'too many connections of this sandbox'
  const event = { at: now(), id: newId(), kind: 'request', reason: 'busy', detail } as const
  audit.decide(connectionDecision(connection, event)).catch(() => undefined)
}

/** CONNECT (RFC 9110 section 9.3.6): checked before it is answered, and its name binds everything that follows. */
async function serveConnect(
  context: ProxyContext,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  outer: ConnectionContext,
  hand: (socket: Socket, connection: ConnectionContext) => void,
): Promise<void> {
  if (isUnanswered(socket)) {
    await denyConnection(context, socket, outer, OVERTAKES)
    return
  }
  const authority = parseAuthority(request.url ?? '')
  if (authority === null || authority.port === null) {
    await denyConnection(context, socket, outer, deny('bad-authority'))
    return
  }
  const { host, port } = authority
  const connection: ConnectionContext = { ...outer, host, port }
  const denial =
    checkConnectHost(request, authority, context.gatewayName) ??
    evaluateConnect(context, connection, host, port)
  if (denial !== null) {
    await denyConnection(context, socket, connection, denial)
    return
  }
  socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
  if (head.length > 0) socket.unshift(head)
  const opening = await peek(socket)
  if (opening.kind === 'tls') await serveTls(context, socket, opening.serverName, connection, hand)
  else if (opening.kind === 'plain') hand(socket, { ...connection, scheme: 'http' })
}

/**
 * RFC 9112 section 3.2.3: Host repeats the target. Python before 3.12 sends none, and Node's own client names the proxy;
 * both say nothing else than the target does.
 */
function checkConnectHost(
  { rawHeaders }: IncomingMessage,
  { host, port }: Authority,
  gateway: string,
): Denial | null {
  const named = collectHeaders(rawHeaders)['host']
  if (named === undefined) return null
  if (typeof named !== 'string') return deny('bad-framing', { detail: 'there must be one Host header' })
  const authority = parseAuthority(named)
  if (authority?.host === gateway) return null
  return authority?.host === host && (authority.port ?? port) === port ? null : deny('host-mismatch')
}

/** Whether TLS or plain HTTP will follow is not known yet: one of them must be listed. */
function evaluateConnect(
  context: ProxyContext,
  { sandbox, snapshot: { namePolicy } }: ConnectionContext,
  host: string,
  port: number,
): Denial | null {
  if (sandbox === null) return deny('unknown-sandbox')
  const { verdict: name } = checkName(namePolicy, sandbox, host, context.now())
  if (!name.allowed) return deny(name.reason, { rule: name.rule })
  const [https, http] = (['https', 'http'] as const).map((scheme) =>
    namePolicy.policyEngine.evaluateAuthority({ agent: sandbox.agent, scheme, host, port }),
  )
  if (https?.allowed === true || http?.allowed === true) return null
  return deny(https?.allowed === false ? https.reason : 'host-not-listed', {
    rule: https?.allowed === false ? https.rule : null,
  })
}

/** A bug of ours on one connection closes that connection and no other. */
function guard(context: ProxyContext, socket: Socket, serve: () => Promise<void>): void {
  serve().catch((error: unknown) => {
    context.fail(error)
    socket.destroy()
  })
}

function stopListening(server: TcpServer): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
