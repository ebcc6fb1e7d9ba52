import { STATUS_CODES } from 'node:http'
import { statusOf, textOf } from '#firewall/contracts/reasons.js'
import type { Denial } from '../contracts/denial.js'

/**
 * What a client is told of a denial: `application/problem+json` (RFC 9457). It says what happened and which rule said so;
 * never how to widen the policy, since its reader may be the attacker.
 */
export function problemText(denial: Denial, requestId: string, status = statusOf(denial.reason)): string {
  const { reason, rule, detail } = denial
  const problem = {
    type: `urn:egress:${reason}`,
    title: textOf(reason),
    status,
    ...(detail === null ? {} : { detail }),
    reason,
    ...(rule === null ? {} : { rule }),
    request_id: requestId,
  }
  return `${JSON.stringify(problem)}\n`
}

/**
 * The whole HTTP/1.1 response to what is no request that could be answered: a CONNECT, a head that cannot be read, an opening
 * that is not TLS. The connection is over with it.
 */
export function denialResponse(denial: Denial, requestId: string): string {
  const status = statusOf(denial.reason)
  const body = problemText(denial, requestId)
  const retry = denial.retryAfter === null ? '' : `retry-after: ${String(denial.retryAfter)}\r\n`
  return (
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? 'Denied'}\r\ncontent-type: application/problem+json\r\n` +
    `content-length: ${String(Buffer.byteLength(body))}\r\n${retry}connection: close\r\n\r\n${body}`
  )
}
