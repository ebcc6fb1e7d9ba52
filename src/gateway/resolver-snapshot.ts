import { addressesOf } from '#dns/answer.js'
import type { ResolverSnapshot } from '#dns/flow.js'
import type { NamePolicy } from '#firewall/policy-engine/name-policy.js'
import type { Policy } from '#firewall/contracts/policy.js'

/** The part that the resolver needs, also when it is a separate process. */
export function createResolverSnapshot({ dns }: Policy, namePolicy: NamePolicy): ResolverSnapshot {
  return {
    namePolicy,
    rate: dns.rate,
    hosts: new Map(Object.entries(dns.hosts).map(([name, text]) => [name, addressesOf(text)])),
  }
}
