import { type Reason, textOf } from '#firewall/contracts/reasons.js'
import type { ExtendedError } from './answer.js'
import { EDE, RCODE } from './codes.js'
import type { QueryError } from './wire.js'

/** Why a query got no address: the policy engine's reasons, and those specific to DNS. */
export type DnsReason = Reason | QueryError | 'reverse-name'

export interface DnsReply {
  /** Null to send no answer. */
  readonly rcode: number | null
  readonly extended: ExtendedError | null
}

/**
 * A name that is not listed does not exist for a sandbox, so clients fail immediately. Other denials (the name may be
 * listed, but the query is not acceptable) are REFUSED, which resolvers neither cache nor take for an answer.
 */
const REPLIES: Partial<Record<DnsReason, DnsReply>> = {
  'unknown-sandbox': extendedReply(RCODE.REFUSED, EDE.PROHIBITED, textOf('unknown-sandbox')),
  'sandbox-stopped': extendedReply(RCODE.REFUSED, EDE.PROHIBITED, textOf('sandbox-stopped')),
  'agent-paused': extendedReply(RCODE.REFUSED, EDE.PROHIBITED, textOf('agent-paused')),
  'host-not-listed': extendedReply(RCODE.NXDOMAIN, EDE.BLOCKED, textOf('host-not-listed')),
  'name-looks-encoded': extendedReply(RCODE.REFUSED, EDE.FILTERED, textOf('name-looks-encoded')),
  'name-budget': extendedReply(RCODE.REFUSED, EDE.FILTERED, textOf('name-budget')),
  'name-bytes': extendedReply(
    RCODE.REFUSED,
    EDE.FILTERED,
    'The name contains bytes that are not allowed in a host name.',
  ),
  'reverse-name': { rcode: RCODE.NXDOMAIN, extended: null },
  class: extendedReply(RCODE.REFUSED, EDE.NOT_SUPPORTED, 'Only class IN is answered.'),
  opcode: { rcode: RCODE.NOTIMP, extended: null },
  'malformed-query': { rcode: RCODE.FORMERR, extended: null },
  'edns-version': { rcode: RCODE.BADVERS, extended: null },
  'rate-limited': extendedReply(
    RCODE.REFUSED,
    EDE.PROHIBITED,
    'This sandbox sends queries faster than it may. Try again shortly.',
  ),
  'audit-unavailable': extendedReply(RCODE.SERVFAIL, EDE.NOT_READY, textOf('audit-unavailable')),
  internal: extendedReply(RCODE.SERVFAIL, EDE.OTHER, 'The gateway failed on this query.'),
}

/** The DNS reply for a denial: REFUSED for a reason that is not in the table. */
export function replyTo(reason: DnsReason): DnsReply {
  return REPLIES[reason] ?? { rcode: RCODE.REFUSED, extended: { code: EDE.BLOCKED, text: '' } }
}

function extendedReply(rcode: number, code: number, text: string): DnsReply {
  return { rcode, extended: { code, text } }
}
