import type { Socket } from 'node:net'
import type { ProxyContext } from '../context/context.js'
import { deny, type Denial } from '../contracts/denial.js'
import type { HttpDecision } from '../contracts/events.js'
import { denialLine, denialText } from '../downstream/denial.js'
import { connectionDecision } from '../records/connection-decision.js'
import type { ClientOffer } from '../tls/client-hello.js'
import type { Connection } from './connection.js'
import { farewell, farewellToSilence, mayBeHttp } from './foreign-protocols.js'
import type { Opening } from './opening.js'

/** Milliseconds that a client has to read a denial after which nothing follows. */
const LINGER_MS = 2_000

/** RFC 8446 section 6: a fatal `access_denied`, in a record of its own. The client reports it by name. */
const ACCESS_DENIED_ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 49])

/**
 * Records a denial of a connection that has no request to answer, and tells the client as far as it can be told: by an alert
 * where TLS was begun, in its own words where it speaks another protocol, else by a response; one of which nothing was read is told nothing. The connection is over with it.
 */
export async function denyConnection(
  context: ProxyContext,
  connection: Connection,
  denial: Denial,
  kind = kindOf(connection),
): Promise<void> {
  const { socket, opening, connect } = connection
  const nothingRead = opening === null && connect === null
  // Whoever has too many open is told so where plain HTTP is expected, and has moments to read it.
  if (nothingRead && (denial.reason !== 'busy' || connection.expects === 'tls')) socket.destroy()
  else linger(socket)
  const id = context.newId()
  const detail = denial.detail ?? (kind === 'tls' ? serverNameOf(connection) : null)
  const event = { ...denial, at: context.now(), id, kind, detail }
  let told = denial
  try {
    await context.audit.decide(connectionDecision(connection, event))
  } catch {
    told = deny('audit-unavailable')
    if (kind === 'tls') socket.destroy()
  }
  const last = kind === 'tls' ? ACCESS_DENIED_ALERT : lastWord(connection, told, id)
  if (last === null) socket.end()
  else socket.end(last)
  socket.resume()
}

/** Whatever the client still sends: a byte now and then must not keep a connection that was refused. */
function linger(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}

/** Null where the client could not take it for what it is. */
function lastWord({ opening, port }: Connection, denial: Denial, id: string): Buffer | string | null {
  if (opening?.kind === 'silent') return farewellToSilence(port, denialLine(denial))
  if (opening?.kind === 'plain' && !mayBeHttp(opening.first))
    return farewell(opening.first, denialLine(denial))
  return denialText(denial, id)
}

function kindOf({ opening, connect }: Connection): HttpDecision['kind'] {
  if (opening?.kind === 'tls') return 'tls'
  return opening === null && connect === null ? 'request' : 'connect'
}

function serverNameOf({ opening }: Connection): string | null {
  return opening?.kind === 'tls' && opening.offer.serverName !== null
    ? `server name ${opening.offer.serverName}`
    : null
}

/** What ended before anybody knew what it was. One that sent nothing, not even a CONNECT, is nothing to record. */
export async function recordLostOpening(
  context: ProxyContext,
  connection: Connection,
  { bytes, late }: Extract<Opening, { kind: 'closed' }>,
): Promise<void> {
  if (bytes === 0 && connection.connect === null) return
  const end = late ? 'took too long' : 'ended'
  await recordTlsFailure(context, connection, `${end} after ${String(bytes)} bytes of its TLS hello`)
}

/** A handshake that failed: what the client offered, and how it ended. */
export function recordHandshakeFailure(
  context: ProxyContext,
  connection: Connection,
  offer: ClientOffer,
  end: string,
): Promise<void> {
  const alpn = offer.alpn.length === 0 ? 'no ALPN' : `ALPN ${offer.alpn.join(', ')}`
  const versions = offer.versions.length === 0 ? 'no version' : offer.versions.join(', ')
  return recordTlsFailure(context, connection, `the client offered ${versions} and ${alpn}: ${end}`)
}

/** A connection that broke, so that nobody can be told. */
export async function recordBroken(
  context: ProxyContext,
  connection: Connection,
  { reason, detail }: Denial,
): Promise<void> {
  const event = {
    at: context.now(),
    id: context.newId(),
    kind: 'request',
    reason,
    detail,
    status: null,
  } as const
  await context.audit.decide(connectionDecision(connection, event)).catch(() => undefined)
}

async function recordTlsFailure(
  context: ProxyContext,
  connection: Connection,
  detail: string,
): Promise<void> {
  const reason = context.shutdown.hasStarted() ? 'shutting-down' : 'tls-handshake'
  const event = { at: context.now(), id: context.newId(), kind: 'tls', reason, detail, status: null } as const
  // The connection is over already, so nothing has to wait for the log.
  await context.audit.decide(connectionDecision(connection, event)).catch(() => undefined)
}
