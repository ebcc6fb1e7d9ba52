import type { IncomingMessage } from 'node:http'
import type { Server as TcpServer, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { parseAuthority, type Authority } from '#firewall/hostname.js'
import { admitName } from '#firewall/name-admission.js'
import type { ProxyContext } from './context.js'
import { denyConnection } from './denial.js'
import { ConnectionLimit } from './doors/connection-limit.js'
import { createDoor, isUnanswered, OVERTAKES } from './doors/http-server.js'
import { peek, serveTls } from './doors/tls.js'
import { refuse, type Binding, type Refusal } from './exchange.js'
import { collectHeaders } from './headers.js'
import { connectionDecision } from './records.js'

/** Milliseconds that requests have to end in when the gate ends; what needs longer is cut off. */
const STOP_MS = 1_000

/** The listening sockets of one sandbox network, already bound. */
export interface ProxySockets {
  /** Transparent, port 80. */
  readonly http: TcpServer
  /** Transparent, port 443. */
  readonly https: TcpServer
  /** `HTTP_PROXY` and `HTTPS_PROXY`, port 3128. */
  readonly explicit: TcpServer
  /** Base URLs, port 9199. */
  readonly routes: TcpServer
}

/**
 * Opens the three doors on sockets that somebody else has bound.
 *
 *     port 80 ──────────────────────────────┐
 *     port 443 ── hello ─┬─ end TLS ────────┤
 *     port 3128 ─ CONNECT┘  absolute form ──┼──▶ handleRequest: the steps
 *     port 9199 ────────────────────────────┘
 */
export function serveProxy(sockets: ProxySockets, context: ProxyContext): { close(): Promise<void> } {
  const bindings = new WeakMap<Duplex, Binding>()
  const open = new Set<Socket>()
  const outer = (socket: Socket, door: Binding['door']): Binding => {
    const { remoteAddress = '', remotePort = 0, localAddress = '' } = socket
    const remote = { address: remoteAddress, port: remotePort, local: localAddress }
    return { door, remote, sandbox: context.identify(remote), host: null, scheme: null, port: null }
  }
  // Requests from inside TLS or CONNECT have a binding of their own; what has none came in on port 80 itself.
  const transparent = createDoor(
    context,
    (socket) => bindings.get(socket) ?? { ...outer(socket, 'transparent'), scheme: 'http', port: 80 },
  )
  const explicit = createDoor(context, (socket) => outer(socket, 'explicit'))
  const routes = createDoor(context, (socket) => outer(socket, 'routes'))
  const hand = (socket: Socket, binding: Binding) => {
    bindings.set(socket, binding)
    transparent.emit('connection', socket)
    // Whoever looked at its first bytes has put them back, and paused it.
    socket.resume()
  }
  const limit = new ConnectionLimit()
  const track = (socket: Socket, door: Binding['door']) => {
    if (open.has(socket)) return
    open.add(socket)
    socket.on('error', () => socket.destroy())
    // What comes from inside another connection is no connection of its own.
    const binding = bindings.has(socket) ? null : outer(socket, door)
    const owner = binding === null ? null : (binding.sandbox?.id ?? binding.remote.address)
    const admitted = owner !== null && limit.take(owner)
    socket.once('close', () => {
      open.delete(socket)
      if (admitted) limit.giveBack(owner)
    })
    if (binding !== null && !admitted) turnAway(context, socket, binding)
  }
  // Threat: Node forgets a connection that it has handed over (CONNECT, upgrades), but its server waits for it to end,
  // which its client need never do.
  const doors = { transparent, explicit, routes } as const
  sockets.https.on('connection', (socket: Socket) => track(socket, 'transparent'))
  for (const door of ['transparent', 'explicit', 'routes'] as const)
    doors[door].on('connection', (socket: Socket) => track(socket, door))

  sockets.https.on('connection', (socket: Socket) => {
    if (socket.destroyed) return
    const binding: Binding = { ...outer(socket, 'transparent'), scheme: 'https', port: 443 }
    guard(context, socket, async () => {
      const opening = await peek(socket)
      if (opening.kind === 'tls') await serveTls(context, socket, opening.serverName, binding, hand)
      else if (opening.kind === 'plain') await denyConnection(context, socket, binding, refuse('not-tls'))
    })
  })

  explicit.on('connect', (request: IncomingMessage, duplex: Duplex, head: Buffer) => {
    const socket = duplex as Socket
    guard(context, socket, () =>
      serveConnect(context, request, socket, head, outer(socket, 'explicit'), hand),
    )
  })
  for (const server of [transparent, routes]) {
    server.on('connect', (_request: IncomingMessage, duplex: Duplex) => {
      const socket = duplex as Socket
      const binding = bindings.get(socket) ?? outer(socket, server === routes ? 'routes' : 'transparent')
      const refusal = refuse('bad-framing', { detail: 'CONNECT belongs to port 3128' })
      guard(context, socket, () => denyConnection(context, socket, binding, refusal))
    })
  }

  transparent.listen(sockets.http)
  explicit.listen(sockets.explicit)
  routes.listen(sockets.routes)
  return {
    async close() {
      const closed = [sockets.https, transparent, explicit, routes].map(stopListening)
      context.shutdown.begin()
      const drained = context.pools.close()
      await context.shutdown.idle(STOP_MS)
      for (const socket of open) socket.destroy()
      await Promise.all([...closed, drained])
      await context.shutdown.idle(STOP_MS)
    },
  }
}

/** Nothing was read of it, and nothing is answered. */
function turnAway({ audit, now, newId }: ProxyContext, socket: Socket, binding: Binding): void {
  socket.destroy()
  const detail = 'too many connections of this sandbox'
  const event = { at: now(), id: newId(), kind: 'request', reason: 'busy', detail } as const
  audit.decide(connectionDecision(binding, event)).catch(() => undefined)
}

/** CONNECT (RFC 9110 section 9.3.6): judged before it is answered, and its name binds everything that follows. */
async function serveConnect(
  context: ProxyContext,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  outer: Binding,
  hand: (socket: Socket, binding: Binding) => void,
): Promise<void> {
  if (isUnanswered(socket)) {
    await denyConnection(context, socket, outer, OVERTAKES)
    return
  }
  const authority = parseAuthority(request.url ?? '')
  if (authority === null || authority.port === null) {
    await denyConnection(context, socket, outer, refuse('bad-authority'))
    return
  }
  const { host, port } = authority
  const binding: Binding = { ...outer, host, port }
  const refusal =
    checkConnectHost(request, authority, context.gateName) ?? judgeConnect(context, binding, host, port)
  if (refusal !== null) {
    await denyConnection(context, socket, binding, refusal)
    return
  }
  socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
  if (head.length > 0) socket.unshift(head)
  const opening = await peek(socket)
  if (opening.kind === 'tls') await serveTls(context, socket, opening.serverName, binding, hand)
  else if (opening.kind === 'plain') hand(socket, { ...binding, scheme: 'http' })
}

/**
 * RFC 9112 section 3.2.3: Host repeats the target. Python before 3.12 sends none, and Node's own client names the proxy;
 * both say nothing else than the target does.
 */
function checkConnectHost(
  { rawHeaders }: IncomingMessage,
  { host, port }: Authority,
  gate: string,
): Refusal | null {
  const named = collectHeaders(rawHeaders)['host']
  if (named === undefined) return null
  if (typeof named !== 'string') return refuse('bad-framing', { detail: 'there must be one Host header' })
  const authority = parseAuthority(named)
  if (authority?.host === gate) return null
  return authority?.host === host && (authority.port ?? port) === port ? null : refuse('identity-mismatch')
}

/** Whether TLS or plain HTTP will follow is not known yet: one of them must be listed. */
function judgeConnect(
  context: ProxyContext,
  { sandbox }: Binding,
  host: string,
  port: number,
): Refusal | null {
  if (sandbox === null) return refuse('unknown-sandbox')
  const { verdict: name } = admitName(context.names, sandbox, host, context.now())
  if (!name.allowed) return refuse(name.reason, { rule: name.rule })
  const [https, http] = (['https', 'http'] as const).map((scheme) =>
    context.names.judge.judgeAuthority({ agent: sandbox.agent, scheme, host, port }),
  )
  if (https?.allowed === true || http?.allowed === true) return null
  return refuse(https?.allowed === false ? https.reason : 'host-not-listed', {
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
