import type { Destination, Origin } from '#firewall/policy.js'
import type { ProxyContext } from '../context.js'
import { refuse, type Binding, type Refusal } from '../exchange.js'
import { connectionDecision } from '../records.js'
import { codeOf } from './failures.js'
import type { PinnedUpstream } from './pools.js'

/** For a sandbox's request: the same as `resolveOnce`, with the lookup itself recorded where it says something. */
export function pinAddresses(
  context: ProxyContext,
  binding: Binding,
  origin: Origin,
  destination: Destination,
): Promise<PinnedUpstream | Refusal> {
  const { host, id } = destination
  if (host.kind !== 'wildcard' || context.resolver.holds(origin.host))
    return resolveOnce(context, origin, destination)
  return recordLookup(context, binding, origin, id).then(
    () => resolveOnce(context, origin, destination),
    () => refuse('audit-unavailable', { rule: id }),
  )
}

/**
 * Resolves an upstream once and judges what came back. Every address must be fine, not only the first, for the second
 * is dialled when the first does not answer; and nothing is resolved again, so a name that changes its address between
 * check and use (DNS rebinding) changes nothing.
 */
export async function resolveOnce(
  { resolver }: Pick<ProxyContext, 'resolver'>,
  origin: Origin,
  { id, host: pattern, allowPrivate, ca }: Destination,
): Promise<PinnedUpstream | Refusal> {
  const resolution = await resolver
    .resolve(origin.host, pattern.kind === 'wildcard')
    .catch((error: unknown) => codeOf(error))
  if (typeof resolution === 'string') return refuse('unresolvable', { rule: id, detail: resolution })
  for (const [i, kind] of resolution.kinds.entries()) {
    if (kind !== 'public' && !(kind === 'private' && allowPrivate)) {
      const detail = `the address ${resolution.addresses[i] ?? ''} is ${kind}`
      return refuse('address-refused', { rule: id, detail })
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

/** Threat: the name itself is what the sandbox says to a name server, and it leaves before the request is decided. */
function recordLookup(
  { audit, now, newId }: ProxyContext,
  binding: Binding,
  { scheme, host, port }: Origin,
  rule: string,
): Promise<void> {
  const event = { at: now(), id: newId(), kind: 'lookup', scheme, host, port, rule } as const
  return audit.decide(connectionDecision(binding, event))
}
