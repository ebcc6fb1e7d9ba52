import type { DnsEvent } from '#dns/events.js'
import { isObserved, OBSERVED_REASON } from '#firewall/contracts/observed.js'
import type { HttpDecision } from '#proxy/contracts/events.js'

type Decided = Pick<DnsEvent | HttpDecision, 'verdict' | 'reason' | 'rule'>

/** As a record has it: what passed because its run is observed must not look like what the policy allows. */
export function recordedVerdict(event: Decided): string {
  return isObserved(event) ? 'observe' : event.verdict
}

/** Likewise. */
export function recordedReason(event: Decided): string | null {
  return isObserved(event) ? OBSERVED_REASON : event.reason
}
