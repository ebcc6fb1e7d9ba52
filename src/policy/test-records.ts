import type { DnsEvent } from '#dns/events.js'
import type { DnsReason } from '#dns/replies.js'
import type { HttpDecision } from '#proxy/contracts/events.js'
import type { Header } from '../events/records.js'

// Records for tests, as a gateway writes them.

export const HEADER: Header = {
  time: '2026-01-31T12:00:00.000Z',
  sequence: 0,
  observer: 'test',
  previous: null,
}

const SANDBOX = { id: 'sandbox-1', agent: 'ci' }
const PEER = { address: '10.0.0.2', port: 40_000 }

/** The decision about a request, allowed unless said otherwise. */
export function httpDecision(given: Partial<HttpDecision>): HttpDecision {
  return {
    at: 0,
    id: 'request-1',
    sandbox: SANDBOX,
    peer: PEER,
    listener: 'transparent',
    kind: 'request',
    method: 'GET',
    scheme: 'https',
    host: 'api.example.com',
    port: 443,
    path: '/',
    query: null,
    verdict: 'allow',
    reason: null,
    detail: null,
    rule: 'allow[0]',
    status: null,
    service: null,
    credential: null,
    address: null,
    ...given,
  }
}

/** The decision about a query, allowed unless said otherwise. */
export function dnsEvent(given: {
  readonly name: string
  readonly type?: string
  readonly verdict?: DnsEvent['verdict']
  readonly reason?: DnsReason | null
  readonly agent?: string
  readonly suspicious?: boolean
}): DnsEvent {
  const { name, type = 'A', verdict = 'allow', reason = null, agent = 'ci', suspicious = false } = given
  return {
    time: 0,
    sandbox: { ...SANDBOX, agent },
    client: PEER,
    transport: 'udp',
    id: 1,
    question: { name, type, class: 'IN' },
    verdict,
    reason,
    rule: null,
    wildcard: null,
    features: null,
    suspicious,
    rcode: verdict === 'allow' ? 'NOERROR' : 'NXDOMAIN',
    answers: [],
    budget: null,
  }
}
