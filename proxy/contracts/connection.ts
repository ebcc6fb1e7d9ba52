import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import type { ListenerKind } from './events.js'
import type { Peer } from '#firewall/contracts/peer.js'

/** What is known of a connection before any request on it was read. Every request must agree with it. */
export interface ConnectionInfo {
  readonly listener: ListenerKind
  /** Null for an unknown client. */
  readonly sandbox: RegisteredSandbox | null
  readonly peer: Peer
  /** From TLS server name or CONNECT; null where only the request can say. */
  readonly host: string | null
  readonly scheme: Scheme | null
  readonly port: number | null
}
