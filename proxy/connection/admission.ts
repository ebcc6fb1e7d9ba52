import type { ShareLimit } from '#firewall/contracts/limits.js'
import type { ProxyContext } from '../context/context.js'
import type { Denial } from '../contracts/denial.js'
import { busy } from '../request/room.js'
import { turnOf, type Connection } from './connection.js'
import { denyConnection } from './deny-connection.js'

/** Bytes that an open connection takes, TLS included. */
const CONNECTION_BYTES = 48 * 1024

/** Connections beyond the limit that are told so, and have moments to read it: of one sandbox, and of all. */
const TOLD: ShareLimit = { own: 16, all: 64 }

/**
 * Counts a connection as its sandbox's until it closes. Threat: what waits for its turn takes a descriptor, too, so this comes
 * with the connection itself and not with its first step.
 */
export function admit(connection: Connection, { ledger }: ProxyContext): Denial | null {
  const { socket, snapshot } = connection
  const owner = turnOf(connection)
  const { connections, memory } = snapshot.policy.limits
  if (!ledger.connections.take(owner, 1, connections)) return busy('too many connections of this sandbox')
  const held = ledger.memory.open(owner, memory)
  socket.once('close', () => {
    ledger.connections.giveBack(owner, 1)
    held.release()
  })
  return held.tryReserve(CONNECTION_BYTES) ? null : busy('this sandbox holds as much memory as it may')
}

/** Records a connection that was not admitted. A few are told; the others are closed, since each would take a descriptor. */
export async function refuse(connection: Connection, denial: Denial, context: ProxyContext): Promise<void> {
  const { socket } = connection
  const { refusals } = context.ledger
  const owner = turnOf(connection)
  if (refusals.take(owner, 1, TOLD)) socket.once('close', () => refusals.giveBack(owner, 1))
  else socket.destroy()
  await denyConnection(context, connection, denial)
}
