import type { Socket } from 'node:net'
import type { Destination } from '#firewall/contracts/policy.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import type { ProxySnapshot } from '../context/snapshot.js'
import type { ConnectRequest } from '../downstream/http1-server.js'
import type { RequestConnection } from '../request/exchange.js'
import type { Opening } from './opening.js'
import type { Protocol } from './protocol.js'

/**
 * One connection on its way through the steps. What a step finds out stands in a field of its own, null until then. What
 * comes from inside another connection (behind a CONNECT, inside TLS) is a connection, too, and takes the same steps.
 */
export interface Connection extends RequestConnection {
  /** The connection that this one is inside of. It was identified and counted; this one is not again. */
  readonly parent: Connection | null
  readonly socket: Socket
  /** The policy that was in force when it was opened. */
  readonly snapshot: ProxySnapshot
  /** What its listener takes: at `any`, the first bytes say. `http2` was agreed on before. */
  readonly expects: 'http' | 'http2' | 'tls' | 'any'
  /** The CONNECT that asked for it, which is not answered yet. */
  readonly connect: ConnectRequest | null

  sandbox: RegisteredSandbox | null
  host: string | null
  scheme: Scheme | null
  port: number | null
  opening: Opening | null
  checkedName: RequestConnection['checkedName']
  /** The first destination of the policy with this host, scheme and port; null where none has them or they are not known. */
  destination: Destination | null
  protocol: Protocol | null
}

/** What a listener, or the connection around it, says of a connection before any byte of it was read. */
export type Beginning = Pick<Connection, 'listener' | 'peer' | 'socket' | 'snapshot' | 'expects'> &
  Partial<Connection>

export function newConnection(beginning: Beginning): Connection {
  return {
    parent: null,
    connect: null,
    sandbox: null,
    host: null,
    scheme: null,
    port: null,
    opening: null,
    checkedName: null,
    destination: null,
    protocol: null,
    ...beginning,
  }
}

/** What comes from inside a connection: it is bound to what that one was bound to. */
export function innerConnection(parent: Connection, changes: Partial<Connection>): Connection {
  return { ...parent, parent, connect: null, opening: null, protocol: null, ...changes }
}

/** Under whose turns its work is done: unknown clients have theirs by address. */
export function turnOf({ sandbox, peer }: Pick<Connection, 'sandbox' | 'peer'>): string {
  return sandbox?.id ?? peer.address
}
