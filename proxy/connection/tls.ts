import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { checkName } from '#firewall/judge/name-policy.js'
import type { Destination, SandboxRef } from '#firewall/contracts/policy.js'
import type { ProxyContext } from '../context.js'
import type { OpenStream } from '../open-streams.js'
import { deny, type ConnectionContext, type Denial } from '../request/exchange.js'
import { connectionDecision } from '../request/records.js'
import { MAX_CLIENT_HELLO, parseClientHello } from '../tls/client-hello.js'
import { resolveUpstream } from '../upstream/resolve-upstream.js'
import type { ResolvedUpstream } from '../upstream/pools.js'
import { tunnel } from '../upstream/tunnel.js'

/** Milliseconds in which a client must have sent its hello, and then finished its handshake. */
const HELLO_TIMEOUT_MS = 15_000

/** RFC 8446 section 6: a fatal `access_denied`, in a record of its own. The client reports it by name. */
const ACCESS_DENIED_ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 49])

/** What came first on a connection. */
export type Opening =
  | { readonly kind: 'tls'; readonly serverName: string | null }
  | { readonly kind: 'plain' }
  | { readonly kind: 'closed' }

/** Looks at the first bytes of a connection and puts them back. Never rejects. */
export function peek(socket: Socket): Promise<Opening> {
  return new Promise((resolve) => {
    let data = Buffer.alloc(0)
    const settle = (opening: Opening) => {
      clearTimeout(timer)
      socket.off('data', onData).off('close', onClose).off('end', onClose)
      socket.pause()
      if (opening.kind !== 'closed' && data.length > 0) socket.unshift(data)
      resolve(opening)
    }
    const onClose = () => settle({ kind: 'closed' })
    const timer = setTimeout(() => {
      socket.destroy()
      settle({ kind: 'closed' })
    }, HELLO_TIMEOUT_MS)
    const onData = (chunk: Buffer) => {
      data = Buffer.concat([data, chunk])
      const hello = parseClientHello(data)
      if (hello.kind === 'hello') settle({ kind: 'tls', serverName: hello.serverName })
      else if (hello.kind === 'malformed' || data.length > 2 * MAX_CLIENT_HELLO) settle({ kind: 'plain' })
    }
    socket.on('data', onData).on('close', onClose).on('end', onClose)
    socket.resume()
  })
}

/**
 * Takes a TLS connection whose hello was read: checks its name, then either ends TLS here and hands the plain requests
 * to the listener's server, or passes it through where the policy says `tunnel`.
 *
 * @param binding what the connection was bound to before; its host is null at the transparent listener
 */
export async function serveTls(
  context: ProxyContext,
  socket: Socket,
  serverName: string | null,
  connection: ConnectionContext,
  hand: (inner: TLSSocket, connection: ConnectionContext) => void,
): Promise<void> {
  const bound: ConnectionContext = { ...connection, scheme: 'https', host: connection.host ?? serverName }
  const verdict = evaluateHello(context, serverName, bound)
  if ('reason' in verdict) {
    await denyHello(context, socket, bound, verdict, serverName)
    return
  }
  if (verdict.mode === 'tunnel') {
    await openTunnel(context, socket, bound, verdict)
    return
  }
  // Minted only now, after the name was allowed.
  const secureContext = await context.ca.contextFor(bound.host ?? '', context.now())
  const inner = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] })
  const timer = setTimeout(() => inner.destroy(), HELLO_TIMEOUT_MS)
  inner.on('error', () => inner.destroy())
  inner.once('close', () => clearTimeout(timer))
  inner.once('secure', () => clearTimeout(timer))
  hand(inner, bound)
}

function evaluateHello(
  context: ProxyContext,
  serverName: string | null,
  bound: ConnectionContext,
): Destination | Denial {
  const { sandbox, host, port, snapshot } = bound
  const { namePolicy } = snapshot
  if (sandbox === null) return deny('unknown-sandbox')
  if (serverName === null || host === null || port === null) return deny('no-server-name')
  if (serverName !== host) return deny('host-mismatch')
  const { verdict: name } = checkName(namePolicy, sandbox, host, context.now())
  if (!name.allowed) return deny(name.reason, { rule: name.rule })
  const verdict = namePolicy.policyEngine.evaluateAuthority({
    agent: sandbox.agent,
    scheme: 'https',
    host,
    port,
  })
  return verdict.allowed ? verdict.destinations[0] : deny(verdict.reason, { rule: verdict.rule })
}

async function denyHello(
  context: ProxyContext,
  socket: Socket,
  connection: ConnectionContext,
  denial: Denial,
  serverName: string | null,
): Promise<void> {
  try {
    await context.audit.decide(
      connectionDecision(connection, {
        ...denial,
        at: context.now(),
        id: context.newId(),
        kind: 'tls',
        detail: denial.detail ?? (serverName === null ? null : `server name ${serverName}`),
      }),
    )
  } catch {
    socket.destroy()
    return
  }
  socket.end(ACCESS_DENIED_ALERT)
  socket.resume()
}

async function openTunnel(
  context: ProxyContext,
  socket: Socket,
  connection: ConnectionContext,
  destination: Destination,
): Promise<void> {
  const { sandbox, host, port } = connection
  if (sandbox === null || host === null || port === null) return
  const upstream = await resolveUpstream(
    context,
    connection.snapshot,
    connection,
    { scheme: 'https', host, port },
    destination,
  )
  if ('reason' in upstream) {
    await denyHello(context, socket, connection, upstream, host)
    return
  }
  if (context.shutdown.hasStarted()) {
    await denyHello(context, socket, connection, deny('shutting-down'), host)
    return
  }
  // Before the record: a gateway that ends between the two would not wait for the one of the end.
  context.shutdown.trackRequest()
  try {
    await recordTunnel(context, socket, { connection, sandbox, upstream, rule: destination.id })
  } finally {
    context.shutdown.untrackRequest()
  }
}

interface Tunnel {
  readonly connection: ConnectionContext
  readonly sandbox: SandboxRef
  readonly upstream: ResolvedUpstream
  readonly rule: string
}

async function recordTunnel(
  context: ProxyContext,
  socket: Socket,
  { connection, sandbox, upstream, rule }: Tunnel,
): Promise<void> {
  const id = context.newId()
  const startedAt = context.now()
  const address = upstream.addresses[0] ?? null
  try {
    await context.audit.decide(
      connectionDecision(connection, { at: startedAt, id, kind: 'tunnel', rule, address }),
    )
  } catch {
    socket.destroy()
    return
  }
  const forget = context.shutdown.onStart(() => socket.destroy())
  const policy: { reason: 'policy-changed' | null } = { reason: null }
  const stream: OpenStream = {
    agent: sandbox.agent,
    origin: upstream.origin,
    end() {
      policy.reason = 'policy-changed'
      socket.destroy()
    },
    search: () => undefined,
  }
  const leave = context.streams.add(stream, connection.snapshot, context.snapshot)
  const end = await tunnel(socket, upstream, connection.snapshot.policy.http)
  forget()
  leave()
  const reason = policy.reason ?? (context.shutdown.hasStarted() ? 'shutting-down' : null)
  const cut = reason === null ? {} : ({ outcome: 'failure', reason } as const)
  const at = context.now()
  const durationMs = at - startedAt
  context.audit.close({ ...end, ...cut, at, id, sandbox, status: null, durationMs, redactions: [] })
}
