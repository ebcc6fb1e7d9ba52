import { textOf } from '#firewall/contracts/reasons.js'
import { denialStatus, type Denial } from '../contracts/denial.js'
import { statusLine } from '../message/status-line.js'
import { writeError } from './error-shapes/index.js'
import { problem } from './error-shapes/problem.js'
import type { Asker, ErrorMessage, ErrorResponse } from './error-shapes/shape.js'

/** The answer to a denied request, as every protocol sends it. */
export interface DenialResponse {
  readonly status: number
  /** What stands behind the status in HTTP/1.1: pip, apt, wget, Go and Python's `requests` print it, and nothing else. */
  readonly phrase: string
  /** By lower-case name. None of them speaks of the connection. */
  readonly headers: Readonly<Record<string, string>>
  /** Null where the head is all. */
  readonly body: Buffer | null
}

/**
 * What a client is told of a denial, in the shape that it reads (`error-shapes/`). It says what happened and which rule said so;
 * never how to widen the policy, since its reader may be the attacker.
 *
 * @param status where it is not that of the reason
 */
export function denialResponse(
  asker: Asker,
  denial: Denial,
  requestId: string,
  status = denialStatus(denial),
): DenialResponse {
  return complete(denial, requestId, writeError(messageOf(denial, requestId, status), asker))
}

/**
 * The whole HTTP/1.1 response to what is no request that could be answered: a CONNECT, a head that cannot be read, an opening
 * that is not TLS. The connection is over with it.
 */
export function denialText(denial: Denial, requestId: string): string {
  const message = messageOf(denial, requestId, denialStatus(denial))
  const { status, phrase, headers, body } = complete(
    denial,
    requestId,
    problem.write(message, { method: '', target: '', headers: {} }),
  )
  const lines = Object.entries({ ...headers, connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  return `${[statusLine(status, phrase), ...lines].join('\r\n')}\r\n\r\n${String(body ?? '')}`
}

function messageOf(denial: Denial, requestId: string, status: number): ErrorMessage {
  const { reason, rule, detail, retryAfter, approval = null } = denial
  const text = denialLine(denial)
  return { reason, status, title: textOf(reason), detail, rule, requestId, retryAfter, approval, text }
}

/** A denial in one line, for people. */
export function denialLine({ reason, rule, detail }: Denial): string {
  // Of what a client or an upstream chose, no more than a line.
  const more = detail === null ? '' : ` ${detail.replace(/[\r\n]+/g, ' ')}.`
  const where = rule === null ? '' : ` (${rule})`
  return `egress: ${reason}: ${textOf(reason)}${more}${where}`
}

function complete(
  { reason, retryAfter, location, approval }: Denial,
  requestId: string,
  { status, headers, body }: ErrorResponse,
): DenialResponse {
  const bytes = body === null ? null : Buffer.from(body)
  return {
    status,
    phrase: reason,
    headers: {
      ...headers,
      ...(bytes === null ? {} : { 'content-length': String(bytes.length) }),
      'cache-control': 'no-store',
      'x-egress-request-id': requestId,
      ...(retryAfter === null ? {} : { 'retry-after': String(retryAfter) }),
      ...(location === undefined ? {} : { location }),
      ...(approval === undefined ? {} : { 'x-egress-approval': approval }),
    },
    body: bytes,
  }
}
