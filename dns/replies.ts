import { type Reason, textOf } from '#firewall/contracts/reasons.js'
import type { ExtendedError } from './answer.js'
import { EDE, RCODE } from './codes.js'
import type { QueryError } from './wire.js'

/** Why a query was not answered with an address: the policy engine's reasons, and those that only the DNS has. */
export type DnsReason = Reason | QueryError | 'reverse-name'

export interface DnsReply {
  /** Null for silence. */
  readonly rcode: number | null
  readonly extended: ExtendedError | null
}

/**
 * A name that is not listed does not exist, as far as a sandbox can tell: clients give up at once. A refusal (the name
 * may be listed, the query is not acceptable) is REFUSED, which resolvers neither cache nor take for an answer.
 */
const REPLIES: Partial<Record<DnsReason, DnsReply>> = {
  'unknown-sandbox': told(RCODE.REFUSED, EDE.PROHIBITED, textOf('unknown-sandbox')),
  'host-not-listed': told(RCODE.NXDOMAIN, EDE.BLOCKED, textOf('host-not-listed')),
  'name-looks-encoded': told(RCODE.REFUSED, EDE.FILTERED, textOf('name-looks-encoded')),
  'name-budget': told(RCODE.REFUSED, EDE.FILTERED, textOf('name-budget')),
  'name-bytes': told(RCODE.REFUSED, EDE.FILTERED, 'The name holds bytes that no host name has.'),
  'reverse-name': { rcode: RCODE.NXDOMAIN, extended: null },
  class: told(RCODE.REFUSED, EDE.NOT_SUPPORTED, 'Only class IN is answered.'),
  opcode: { rcode: RCODE.NOTIMP, extended: null },
  'malformed-query': { rcode: RCODE.FORMERR, extended: null },
  'edns-version': { rcode: RCODE.BADVERS, extended: null },
  // Silence: a stub resolver retries after seconds, when there are tokens again, but turns REFUSED into a failure at
  // once; and to answer each query of a flood is to do the flood's work.
  'rate-limited': { rcode: null, extended: null },
  'audit-unavailable': told(RCODE.SERVFAIL, EDE.NOT_READY, textOf('audit-unavailable')),
  internal: told(RCODE.SERVFAIL, EDE.OTHER, 'The gateway failed on this query.'),
}

/** What a denial looks like on the wire. A reason without a line here is refused, not answered. */
export function replyTo(reason: DnsReason): DnsReply {
  return REPLIES[reason] ?? { rcode: RCODE.REFUSED, extended: { code: EDE.BLOCKED, text: '' } }
}

function told(rcode: number, code: number, text: string): DnsReply {
  return { rcode, extended: { code, text } }
}
