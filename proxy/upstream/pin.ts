import type { Destination, Origin } from '#firewall/policy.js'
import type { ProxyContext } from '../context.js'
import { refuse, type Refusal } from '../exchange.js'
import { codeOf } from './failures.js'
import type { PinnedUpstream } from './pools.js'

/**
 * Resolves an upstream once and judges what came back. Every address must be fine, not only the first, for the second
 * is dialled when the first does not answer; and nothing is resolved again, so a name that changes its address between
 * check and use (DNS rebinding) changes nothing.
 */
export async function pinAddresses(
  { resolver }: ProxyContext,
  origin: Origin,
  { id, host: pattern, allowPrivate, ca }: Destination,
): Promise<PinnedUpstream | Refusal> {
  const resolution = await resolver
    .resolve(origin.host, pattern.kind === 'wildcard')
    .catch((error: unknown) => codeOf(error))
  if (typeof resolution === 'string') return refuse('unresolvable', { rule: id, detail: resolution })
  for (const kind of resolution.kinds) {
    if (kind !== 'public' && !(kind === 'private' && allowPrivate)) {
      return refuse('address-refused', { rule: id, detail: `the address is ${kind}` })
    }
  }
  return {
    origin,
    addresses: resolution.addresses,
    port: resolution.port ?? origin.port,
    ca,
    clientCertificate: null,
  }
}
