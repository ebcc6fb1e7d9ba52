import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { statusOf, textOf } from '#firewall/contracts/reasons.js'
import type { ProxyContext } from '../context.js'
import type { HttpDecision } from '../events.js'
import { deny, type ConnectionContext, type Denial } from '../request/exchange.js'
import { connectionDecision } from '../request/records.js'

/**
 * Answers with `application/problem+json` (RFC 9457). It says what happened and which rule said so; never how to widen
 * the policy, since its reader may be the attacker.
 *
 * @param status where it is not that of the reason
 */
export function sendDenial(
  response: ServerResponse,
  denial: Denial,
  requestId: string,
  status = statusOf(denial.reason),
): void {
  const body = Buffer.from(`${JSON.stringify(problem(denial, requestId, status))}\n`)
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': String(body.length),
    'cache-control': 'no-store',
    'x-egress-request-id': requestId,
    ...(denial.retryAfter === null ? {} : { 'retry-after': String(denial.retryAfter) }),
    // The body may be unread: nothing of it may be taken for the next request.
    connection: 'close',
  })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

function problem(
  { reason, rule, detail }: Denial,
  requestId: string,
  status: number,
): Record<string, unknown> {
  return {
    type: `urn:egress:${reason}`,
    title: textOf(reason),
    status,
    ...(detail === null ? {} : { detail }),
    reason,
    ...(rule === null ? {} : { rule }),
    request_id: requestId,
  }
}

/**
 * Records and answers a denial on a connection that has no request to answer: a CONNECT, a head that cannot be read, an
 * opening that is not TLS. The connection is over with it.
 */
export async function denyConnection(
  context: ProxyContext,
  socket: Socket,
  connection: ConnectionContext,
  denial: Denial,
  kind: HttpDecision['kind'] = 'connect',
): Promise<void> {
  const id = context.newId()
  let answer = denial
  try {
    await context.audit.decide(connectionDecision(connection, { ...denial, at: context.now(), id, kind }))
  } catch {
    answer = deny('audit-unavailable')
  }
  const status = statusOf(answer.reason)
  const body = `${JSON.stringify(problem(answer, id, status))}\n`
  socket.end(
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? 'Denied'}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${String(Buffer.byteLength(body))}\r\nconnection: close\r\n\r\n${body}`,
  )
  socket.resume()
}
