import type { Server, Socket } from 'node:net'
import type { Protocol } from '../connection/protocol.js'
import { PROTOCOLS } from '../connection/protocols.js'
import { admit, refuse } from '../connection/admission.js'
import { turnOf } from '../connection/connection.js'
import { Connections } from '../connection/run.js'
import type { ProxyContext } from '../context/context.js'
import { acceptedConnection, LISTENERS, type ProxySockets } from './listeners.js'

/** Milliseconds that requests have to end in when the gateway ends; what needs longer is cut off. */
const STOP_MS = 1_000

/**
 * Serves on sockets that somebody else has bound.
 *
 * @param protocols what a connection may be, in the order in which they are asked
 */
export function serveProxy(
  sockets: ProxySockets,
  context: ProxyContext,
  protocols: readonly Protocol[] = PROTOCOLS,
): { close(): Promise<void> } {
  const connections = new Connections(context, protocols)
  const servers = Object.keys(LISTENERS).map((key) => {
    const name = key as keyof ProxySockets
    const server = sockets[name]
    server.on('connection', (socket: Socket) => {
      // Now, and not when its turn comes: a reset in between would be an error that nobody handles, and end the gateway.
      socket.on('error', () => socket.destroy())
      // Each layer of a tunnel has its own; Node would warn once, for ten of them.
      socket.setMaxListeners(32)
      const connection = acceptedConnection(socket, name, context)
      connection.sandbox = context.identify(connection.peer)
      const denial = admit(connection, context)
      if (denial === null) context.turns.do(turnOf(connection), () => void connections.run(connection))
      else void refuse(connection, denial, context)
    })
    return server
  })
  return {
    async close() {
      const closed = servers.map(stopListening)
      connections.closeIdle()
      context.shutdown.start()
      const drained = context.snapshot().pools.close()
      await context.shutdown.waitForIdle(STOP_MS)
      connections.destroy()
      await Promise.all([...closed, drained])
      await context.shutdown.waitForIdle(STOP_MS)
    },
  }
}

function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
