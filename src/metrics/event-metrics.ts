import { Counter, Histogram, type Registry } from 'prom-client'
import { outcomeOf } from '#firewall/contracts/reasons.js'
import type { DnsEvent } from '#dns/events.js'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'
import type { GatewayEvent, RepeatEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'

/** How the policy names a host; `unlisted` also where there is none. */
export type HostClass = 'exact' | 'wildcard' | 'unlisted'

/** Seconds. The gateway's own part is a millisecond or two, unless it waits for a name or for the disk. */
const OWN_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]

/** Seconds. Models answer after tens of seconds. */
const UPSTREAM_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Types of records that clients ask for. A sandbox can ask for any of 65536, and each would be a series. */
const QUERY_TYPES: readonly string[] = [
  'A',
  'AAAA',
  'HTTPS',
  'SVCB',
  'MX',
  'TXT',
  'SRV',
  'PTR',
  'CNAME',
  'NS',
  'SOA',
  'ANY',
]

const PROTOCOLS: Readonly<Record<HttpDecision['kind'], string>> = {
  request: 'http',
  upgrade: 'websocket',
  connect: 'connect',
  tls: 'tls',
  tunnel: 'tunnel',
  lookup: 'lookup',
  token: 'token',
}

/** Counts events as they happen. */
export class EventMetrics implements EventSink {
  /** Of a host, for an agent, under the policy in force. */
  classOf: (agent: string, host: string) => HostClass = () => 'unlisted'
  readonly #decisions
  readonly #ends
  readonly #queries
  readonly #suspicious
  readonly #bytes
  readonly #redactions
  readonly #own
  readonly #upstream
  readonly #rotations
  readonly #reloads
  readonly #lost

  constructor(registry: Registry) {
    const registers = [registry]
    this.#decisions = new Counter({
      name: 'egress_decisions_total',
      help: 'Decisions about requests and connections. The reason is empty for what is allowed.',
      labelNames: ['agent', 'verdict', 'reason', 'protocol', 'host_class'],
      registers,
    })
    this.#ends = new Counter({
      name: 'egress_requests_ended_total',
      help: 'Requests and connections that were allowed and have ended. The reason is empty for success.',
      labelNames: ['agent', 'outcome', 'reason'],
      registers,
    })
    this.#queries = new Counter({
      name: 'egress_dns_queries_total',
      help: 'DNS queries.',
      labelNames: ['agent', 'verdict', 'reason', 'type'],
      registers,
    })
    this.#suspicious = new Counter({
      name: 'egress_dns_suspicious_queries_total',
      help: 'DNS queries for names that look like data on its way out.',
      labelNames: ['agent'],
      registers,
    })
    this.#bytes = new Counter({
      name: 'egress_body_bytes_total',
      help: 'Bytes of bodies, tunnels and WebSockets that have ended.',
      labelNames: ['agent', 'direction'],
      registers,
    })
    this.#redactions = new Counter({
      name: 'egress_redactions_total',
      help: 'Secrets that were taken out of responses.',
      labelNames: ['agent'],
      registers,
    })
    this.#own = new Histogram({
      name: 'egress_gateway_duration_seconds',
      help: 'From a request to its recorded decision: the part that is the gateway, names and disk included.',
      labelNames: ['agent'],
      buckets: OWN_BUCKETS,
      registers,
    })
    this.#upstream = new Histogram({
      name: 'egress_upstream_duration_seconds',
      help: 'From sending a request upstream to the head of its response.',
      labelNames: ['agent'],
      buckets: UPSTREAM_BUCKETS,
      registers,
    })
    this.#rotations = new Counter({
      name: 'egress_secret_refreshes_total',
      help: 'Secrets that got a new value, and errors when they were read.',
      labelNames: ['secret', 'outcome'],
      registers,
    })
    this.#reloads = new Counter({
      name: 'egress_policy_reloads_total',
      help: 'Policies that were loaded or rejected after the start.',
      labelNames: ['outcome'],
      registers,
    })
    this.#lost = new Counter({
      name: 'egress_audit_lost_records_total',
      help: 'Closing records that could not be written.',
      registers,
    })
    for (const outcome of ['loaded', 'rejected']) this.#reloads.inc({ outcome }, 0)
  }

  take(_time: string, { type, event }: GatewayEvent): void {
    switch (type) {
      case 'decision':
        this.#countDecision(event)
        break
      case 'close':
        this.#countEnd(event)
        break
      case 'query':
        this.#countQuery(event)
        break
      case 'repeat':
        this.#countRepeated(event)
        break
      case 'rotation': {
        const outcome = event.problem === null ? 'success' : 'failure'
        this.#rotations.inc({ secret: event.secret, outcome })
        break
      }
      case 'policy':
        this.#reloads.inc({ outcome: event.action === 'policy-loaded' ? 'loaded' : 'rejected' })
        break
      case 'gap':
        this.#lost.inc(event.lost)
    }
  }

  end(): void {
    // Nothing is buffered.
  }

  #countDecision({ sandbox, verdict, reason, kind, host }: HttpDecision): void {
    const agent = sandbox?.agent ?? ''
    this.#decisions.inc({
      agent,
      verdict: verdict === 'allow' ? 'allowed' : outcomeOf(reason),
      reason: reason ?? '',
      protocol: PROTOCOLS[kind],
      host_class: this.#classOf(agent, host),
    })
  }

  #countEnd({
    sandbox: { agent },
    outcome,
    reason,
    requestBytes,
    responseBytes,
    redactions,
    timing,
  }: HttpClose): void {
    this.#ends.inc({ agent, outcome, reason: reason ?? '' })
    this.#bytes.inc({ agent, direction: 'out' }, requestBytes)
    this.#bytes.inc({ agent, direction: 'in' }, responseBytes)
    for (const { count } of redactions) this.#redactions.inc({ agent }, count)
    if (timing === undefined) return
    this.#own.observe({ agent }, timing.decisionMs / 1000)
    if (timing.upstreamMs !== null) this.#upstream.observe({ agent }, timing.upstreamMs / 1000)
  }

  #countQuery({ sandbox, verdict, reason, question, suspicious }: DnsEvent): void {
    const agent = sandbox?.agent ?? ''
    this.#queries.inc({
      agent,
      verdict: verdict === 'allow' ? 'allowed' : outcomeOf(reason),
      reason: reason ?? '',
      type: typeLabel(question?.type ?? null),
    })
    if (suspicious) this.#suspicious.inc({ agent })
  }

  /** Denials without a record each. What differs among them is not known. */
  #countRepeated({ sandbox, action, reason, method, host, count }: RepeatEvent): void {
    const agent = sandbox?.agent ?? ''
    const verdict = outcomeOf(reason)
    if (action === 'dns-query') {
      this.#queries.inc({ agent, verdict, reason: reason ?? '', type: typeLabel(method) }, count)
      return
    }
    const kind = action.replace('http-', '') as HttpDecision['kind'] | 'several'
    const protocol = kind === 'several' ? 'several' : PROTOCOLS[kind]
    this.#decisions.inc(
      { agent, verdict, reason: reason ?? '', protocol, host_class: this.#classOf(agent, host) },
      count,
    )
  }

  #classOf(agent: string, host: string | null): HostClass {
    return host === null ? 'unlisted' : this.classOf(agent, host)
  }
}

function typeLabel(type: string | null): string {
  return type !== null && QUERY_TYPES.includes(type) ? type : 'other'
}
