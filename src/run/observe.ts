import { isObserved } from '#firewall/contracts/observed.js'
import { leakBoundBits } from '#firewall/ledger/leak-bound.js'
import { OBSERVED_BUDGET } from '#firewall/policy-engine/observed.js'
import type { GatewayEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'
import { plural } from '../common/plural.js'
import { clean } from '../common/hostile-text.js'

/** Hosts that the last line names. */
const SHOWN_HOSTS = 5
/** Hosts that are told apart. */
const MAX_HOSTS = 1_000

/** What an observed run says before its command starts: whoever reads only this line has to understand the risk. */
export function observeWarning(): string {
  const bytes = Math.round(leakBoundBits(OBSERVED_BUDGET) / 8 / 1024)
  return (
    'WARNING: OBSERVING: hosts that the policy does not list pass, without credentials. ' +
    'Whatever the command can read, it can send to anybody. ' +
    `Names alone carry at most ${String(bytes)} KiB a day`
  )
}

/** Counts what passed because a run was observed. */
export class ObservedHosts implements EventSink {
  readonly #requests = new Map<string, number>()
  #others = 0

  take(_time: string, { type, event }: GatewayEvent): void {
    if (type !== 'decision' || event.kind === 'lookup' || !isObserved(event)) return
    const host = event.host ?? ''
    const known = this.#requests.get(host)
    if (known === undefined && this.#requests.size >= MAX_HOSTS) this.#others += 1
    else this.#requests.set(host, (known ?? 0) + 1)
  }

  end(): void {
    // Whoever asked for the summary prints it.
  }

  /** `OBSERVED: 12 requests to 2 hosts that the policy does not list (pypi.org 11, a.example 1)`. */
  line(): string {
    const hosts = [...this.#requests].sort(([a, many], [b, few]) => few - many || a.localeCompare(b))
    const count = hosts.reduce((sum, [, one]) => sum + one, this.#others)
    if (count === 0) return 'OBSERVED: no request to a host that the policy does not list'
    const named = hosts.slice(0, SHOWN_HOSTS).map(([host, one]) => `${clean(host)} ${String(one)}`)
    const more = hosts.length > named.length || this.#others > 0 ? ', …' : ''
    return `WARNING: OBSERVED: ${plural(count, 'request')} to ${plural(hosts.length, 'host')} that the policy does not list passed (${named.join(', ')}${more})`
  }
}
