import { statusOf } from '#firewall/contracts/reasons.js'
import type { ConnectionInfo } from '../contracts/connection.js'
import type { HttpDecision } from '../contracts/events.js'

/** What was decided about a connection before any request was read: a CONNECT, a TLS hello, a tunnel. */
export function connectionDecision(
  connection: ConnectionInfo,
  event: Pick<HttpDecision, 'at' | 'id' | 'kind'> & Partial<HttpDecision>,
): HttpDecision {
  return {
    sandbox: connection.sandbox,
    peer: connection.peer,
    listener: connection.listener,
    method: event.kind === 'connect' ? 'CONNECT' : null,
    scheme: connection.scheme,
    host: connection.host,
    port: connection.port,
    path: null,
    query: null,
    verdict: event.reason == null ? 'allow' : 'deny',
    reason: null,
    detail: null,
    rule: null,
    status: event.reason == null ? null : statusOf(event.reason),
    service: null,
    credential: null,
    address: null,
    ...event,
  }
}
