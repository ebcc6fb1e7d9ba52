import type { Socket, Server } from 'node:net'
import { newConnection, type Beginning, type Connection } from '../connection/connection.js'
import type { ProxyContext } from '../context/context.js'
import type { Peer } from '#firewall/contracts/peer.js'

/** The listening sockets of one sandbox network, already bound. */
export interface ProxySockets {
  /** Transparent, port 80. */
  readonly http: Server
  /** Transparent, port 443. */
  readonly https: Server
  /** `HTTP_PROXY` and `HTTPS_PROXY`, port 3128. */
  readonly forward: Server
  /** Base URLs, port 9199. */
  readonly reverse: Server
}

/** What is known of a connection by the socket that it came in on. The transparent ones stand for the port asked for. */
export const LISTENERS: Readonly<
  Record<keyof ProxySockets, Pick<Connection, 'listener' | 'expects' | 'scheme' | 'port'>>
> = {
  http: { listener: 'transparent', expects: 'http', scheme: 'http', port: 80 },
  https: { listener: 'transparent', expects: 'tls', scheme: 'https', port: 443 },
  forward: { listener: 'forward', expects: 'http', scheme: null, port: null },
  reverse: { listener: 'reverse', expects: 'http', scheme: null, port: null },
}

/** A connection of which no byte was read. */
export function acceptedConnection(
  socket: Socket,
  name: keyof ProxySockets,
  { snapshot }: Pick<ProxyContext, 'snapshot'>,
): Connection {
  const beginning: Beginning = { ...LISTENERS[name], peer: peerOf(socket), socket, snapshot: snapshot() }
  // A client of HTTP may say that it has sent everything, and still wait for its answer.
  if (beginning.expects === 'http') socket.allowHalfOpen = true
  socket.setNoDelay(true)
  return newConnection(beginning)
}

function peerOf({ remoteAddress = '', remotePort = 0, localAddress }: Socket): Peer {
  const address = { address: remoteAddress, port: remotePort }
  return localAddress === undefined ? address : { ...address, localAddress }
}
