import type { ProxyContext } from '../context/context.js'
import type { Http1Server } from '../downstream/http1-server.js'
import type { Http2Server } from '../downstream/http2-server.js'
import type { Connection } from './connection.js'

/** What a protocol is handed beside its connection. */
export interface ConnectionTools {
  readonly context: ProxyContext
  readonly http1: Http1Server
  readonly http2: Http2Server
  /** Takes a connection from inside this one through the steps. Never rejects; resolves when its protocol has it. */
  readonly run: (inner: Connection) => Promise<void>
}

/**
 * A protocol that the gateway speaks, or passes through. To add one: a file in `proxy/connection/` that exports such an
 * object, and its name in `protocols.ts`.
 */
export interface Protocol {
  /** For the reader of the table and of a stack trace. */
  readonly name: string

  /**
   * Whether a connection is this protocol's. Asked once, in the order of the table, and the first yes counts. By then the
   * sandbox is known, the opening read (`opening` says what it was) and the name, if there is one, checked and paid for:
   * `destination` is where the policy lets this host, scheme and port lead, and null where it lets it lead nowhere, or only the
   * protocol can say. Must decide from these alone, read nothing and change nothing.
   */
  recognises(connection: Connection): boolean

  /**
   * Takes the connection over. The bytes of its opening are in the socket again, which is paused. Nothing may have an effect
   * before a decision was recorded (`runFlow`, or `denyConnection` to refuse), addresses come from `resolveUpstream` alone,
   * and a gateway that shuts down must be able to end it (`shutdown.onStart`). It may resolve before the connection is over;
   * a rejection is a bug of ours, and closes it.
   */
  serve(connection: Connection, tools: ConnectionTools): void | Promise<void>
}
