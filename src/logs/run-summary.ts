import type { HostPattern } from '#firewall/contracts/names.js'
import { isReason, outcomeOf } from '#firewall/contracts/reasons.js'
import { matchHost } from '#firewall/names/host-pattern.js'
import type { GatewayEvent, RepeatEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'
import { plural } from '../common/plural.js'
import { clean } from '../common/hostile-text.js'

/** Hosts that the line names. */
const SHOWN_HOSTS = 3
/** Hosts that are told apart; a sandbox can ask for any number. */
const MAX_HOSTS = 1_000
/** Characters of a host that the line shows: the sandbox chooses it. */
const MAX_SHOWN = 64

/** What one run asked for. */
export interface RunTotals {
  readonly allowed: number
  /** requests and names that were refused, by host */
  readonly refused: readonly { readonly host: string; readonly count: number }[]
}

/** What was refused for one host. */
interface Refusals {
  requests: number
  /** By type: a client asks for A and AAAA of every name, which is one attempt. */
  readonly queries: Map<string, number>
}

/** Counts what one run asked for, and says at its end what of it was refused. */
export class RunSummary implements EventSink {
  readonly #quiet: readonly HostPattern[]
  readonly #refused = new Map<string, Refusals>()
  #allowed = 0

  /** @param quiet hosts of whose refusals nothing is said */
  constructor(quiet: readonly HostPattern[]) {
    this.#quiet = quiet
  }

  take(_time: string, { type, event }: GatewayEvent): void {
    if (type === 'decision' && event.kind !== 'token') {
      if (event.verdict === 'allow') this.#allowed += 1
      else if (isRefusal(event.reason)) this.#refuse(event.host, null, 1)
    } else if (type === 'query' && event.verdict === 'deny' && isRefusal(event.reason))
      this.#refuse(event.question?.name ?? null, event.question?.type ?? '', 1)
    else if (type === 'repeat' && (event.reason === null || isRefusal(event.reason)))
      this.#refuse(event.host, queryType(event), event.count)
  }

  end(): void {
    // Whoever asked for the summary prints it.
  }

  totals(): RunTotals {
    const refused = [...this.#refused].map(([host, { requests, queries }]) => ({
      ...{ host, count: requests + Math.max(0, ...queries.values()) },
    }))
    return { allowed: this.#allowed, refused }
  }

  /** As `summaryLine`. */
  line(): string | null {
    return summaryLine([this.totals()], this.#quiet)
  }

  #refuse(name: string | null, type: string | null, count: number): void {
    const known = (name ?? '').toLowerCase().replace(/\.$/, '')
    const host = this.#refused.has(known) || this.#refused.size < MAX_HOSTS ? known : ''
    let refusals = this.#refused.get(host)
    if (refusals === undefined) {
      refusals = { requests: 0, queries: new Map() }
      this.#refused.set(host, refusals)
    }
    if (type === null) refusals.requests += count
    else refusals.queries.set(type, (refusals.queries.get(type) ?? 0) + count)
  }
}

/**
 * `212 requests, 3 refused (telemetry.example.com 2, evil.example 1)`; null when nothing was refused but what may be without a
 * word.
 *
 * @param totals of each role of the gateway
 */
export function summaryLine(totals: readonly RunTotals[], quiet: readonly HostPattern[]): string | null {
  const counts = new Map<string, number>()
  for (const { host, count } of totals.flatMap((one) => one.refused))
    counts.set(host, (counts.get(host) ?? 0) + count)
  const hosts = [...counts].sort(([a, many], [b, few]) => few - many || a.localeCompare(b))
  const refused = hosts.reduce((sum, [, count]) => sum + count, 0)
  const told = hosts.filter(([host]) => !quiet.some((pattern) => matchHost(pattern, host) !== null))
  if (told.length === 0) return null
  const named = told.slice(0, SHOWN_HOSTS).map(([host, count]) => `${nameOf(host)} ${String(count)}`)
  const others = told.slice(SHOWN_HOSTS)
  const rest = others.reduce((sum, [, count]) => sum + count, 0)
  const more = others.length === 0 ? [] : [`${String(others.length)} other hosts ${String(rest)}`]
  const count = told.reduce((sum, [, one]) => sum + one, 0)
  const allowed = totals.reduce((sum, one) => sum + one.allowed, 0)
  return `${plural(allowed + refused, 'request')}, ${String(count)} refused (${[...named, ...more].join(', ')})`
}

/** Whether the policy said no: not what failed or was too much for now, and not that a name has no reverse record. */
function isRefusal(reason: RepeatEvent['reason']): boolean {
  return reason !== null && isReason(reason) && outcomeOf(reason) === 'denied'
}

/** Null for a count of requests. */
function queryType({ action, method }: RepeatEvent): string | null {
  return action === 'dns-query' ? (method ?? '') : null
}

function nameOf(host: string): string {
  if (host === '') return 'other requests'
  return clean(host.length > MAX_SHOWN ? `${host.slice(0, MAX_SHOWN)}…` : host)
}
