import type { Destination } from '#firewall/contracts/policy.js'
import type { Origin } from '#firewall/contracts/origin.js'
import type { ConnectionInfo } from '../contracts/connection.js'
import { deny, type Denial } from '../contracts/denial.js'
import { codeOf } from '../contracts/errors.js'
import type { Recorder } from '../contracts/recorder.js'
import { connectionDecision } from '../records/connection-decision.js'
import type { UpstreamResolver } from './resolver.js'
import type { ConnectionOwner, ResolvedUpstream } from './upstream.js'

/**
 * Like `resolveOnce` for a request from a sandbox, but logs the lookup first if it sends a name under a wildcard to an
 * external name server.
 */
export function resolveUpstream(
  recorder: Recorder,
  snapshot: { readonly resolver: UpstreamResolver },
  connection: ConnectionInfo,
  origin: Origin,
  destination: Destination,
): Promise<ResolvedUpstream | Denial> {
  const { host, id } = destination
  const owner = { sandbox: connection.sandbox?.id ?? null, destination: id }
  if (host.kind !== 'wildcard' || snapshot.resolver.isCached(origin.host))
    return resolveOnce(snapshot, origin, destination, owner)
  return recordLookup(recorder, connection, origin, id).then(
    () => resolveOnce(snapshot, origin, destination, owner),
    () => deny('audit-unavailable', { rule: id }),
  )
}

/**
 * Resolves an upstream once and checks what came back. Every address must be fine, not only the first, for the second
 * is dialled when the first does not answer; and nothing is resolved again, so a name that changes its address between
 * check and use (DNS rebinding) changes nothing.
 */
export async function resolveOnce(
  { resolver }: { readonly resolver: UpstreamResolver },
  origin: Origin,
  { id, host: pattern, allowPrivateAddresses, ca }: Destination,
  owner: ConnectionOwner,
): Promise<ResolvedUpstream | Denial> {
  const resolution = await resolver
    .resolve(origin.host, pattern.kind === 'wildcard')
    .catch((error: unknown) => codeOf(error))
  if (typeof resolution === 'string') return deny('unresolvable', { rule: id, detail: resolution })
  for (const { address, kind } of resolution.addresses) {
    if (kind !== 'public' && !(kind === 'private' && allowPrivateAddresses))
      return deny('address-refused', { rule: id, detail: `the address ${address} is ${kind}` })
  }
  return {
    owner,
    origin,
    addresses: resolution.addresses.map(({ address }) => address),
    port: resolution.port ?? origin.port,
    ca,
    clientCertificate: null,
  }
}

/** Threat: the name itself is what the sandbox says to a name server, and it leaves before the request is decided. */
function recordLookup(
  { audit, now, newId }: Recorder,
  connection: ConnectionInfo,
  { scheme, host, port }: Origin,
  rule: string,
): Promise<void> {
  const event = { at: now(), id: newId(), kind: 'lookup', scheme, host, port, rule } as const
  return audit.decide(connectionDecision(connection, event))
}
