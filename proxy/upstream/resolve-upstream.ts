import { isIP } from 'node:net'
import { addressError } from '#firewall/addresses/allowed-address.js'
import { chooseProxy } from '#firewall/addresses/choose-proxy.js'
import type { Destination, Policy } from '#firewall/contracts/policy.js'
import type { UpstreamProxy } from '#firewall/contracts/upstream-proxy.js'
import type { Origin } from '#firewall/contracts/origin.js'
import type { ConnectionInfo } from '../contracts/connection.js'
import { deny, type Denial } from '../contracts/denial.js'
import { codeOf } from '../contracts/errors.js'
import type { Recorder } from '../contracts/recorder.js'
import { connectionDecision } from '../records/connection-decision.js'
import type { Authorities } from './authorities.js'
import type { Resolution, UpstreamResolver } from './resolver.js'
import type { ConnectionOwner, ResolvedUpstream } from './upstream.js'

/** How upstreams are found, reached and recognised: a part of one snapshot. */
export interface UpstreamWays {
  readonly resolver: UpstreamResolver
  readonly authorities: Authorities
  readonly policy: Pick<Policy, 'proxies'>
}

/** What of a connection to an upstream does not depend on where it leads. */
export type ShownAs = Pick<ResolvedUpstream, 'clientCertificate' | 'knowsHttp2'>

const UNKNOWN: ShownAs = { clientCertificate: null, knowsHttp2: false }

/**
 * Like `resolveOnce` for a request from a sandbox, but logs the lookup first if it sends a name under a wildcard to an
 * external name server.
 */
export function resolveUpstream(
  recorder: Recorder,
  snapshot: UpstreamWays,
  connection: ConnectionInfo,
  origin: Origin,
  destination: Destination,
  shown: ShownAs = UNKNOWN,
): Promise<ResolvedUpstream | Denial> {
  const { host, id } = destination
  const owner = { sandbox: connection.sandbox?.id ?? null, destination: id }
  if (host.kind !== 'wildcard' || snapshot.resolver.isCached(origin.host))
    return resolveOnce(snapshot, origin, destination, owner, shown)
  return recordLookup(recorder, connection, origin, id).then(
    () => resolveOnce(snapshot, origin, destination, owner, shown),
    () => deny('audit-unavailable', { rule: id }),
  )
}

/**
 * Resolves an upstream once and checks what came back. Every address must be fine, not only the first, for the second
 * is dialled when the first does not answer; and nothing is resolved again, so a name that changes its address between
 * check and use (DNS rebinding) changes nothing.
 *
 * A proxy resolves the name once more, and dials what it finds: the operator's network then decides. What can be held is: no
 * name goes to it that leads to a refused address here, nor a fixed address that is refused.
 */
export async function resolveOnce(
  ways: UpstreamWays,
  origin: Origin,
  destination: Destination,
  owner: ConnectionOwner,
  { clientCertificate, knowsHttp2 }: ShownAs = UNKNOWN,
): Promise<ResolvedUpstream | Denial> {
  const { resolver, authorities, policy } = ways
  const { id, host: pattern, ca } = destination
  const isWildcard = pattern.kind === 'wildcard'
  const fixed = resolver.fixedAddress(origin.host)
  const proxy = chooseProxy(policy.proxies ?? null, origin, fixed)
  const resolution =
    proxy === null || fixed !== null
      ? await resolver.resolve(origin.host, isWildcard).catch((error: unknown) => codeOf(error))
      : await resolver.resolveBriefly(origin.host, isWildcard)
  if (typeof resolution === 'string') return deny('unresolvable', { rule: id, detail: resolution })
  const refused = resolution === null ? null : refusedAddress(resolution, destination)
  if (refused !== null) return deny('address-refused', { rule: id, detail: refused })
  const addresses = resolution?.addresses.map(({ address }) => address) ?? []
  const port = resolution?.port ?? origin.port
  if (addresses.some((address) => resolver.own.has(address, port)))
    return deny('address-refused', {
      rule: id,
      detail: `the gateway itself listens on port ${String(port)} there`,
    })
  if (proxy === null)
    return { owner, origin, port, ca, authorities, clientCertificate, knowsHttp2, addresses, via: null }
  const target = fixed ?? origin.host
  const found = await addressesOf(proxy, resolver)
  return typeof found === 'string'
    ? deny('upstream-proxy', { rule: id, detail: found })
    : {
        ...{ owner, origin, port, ca, authorities, clientCertificate, knowsHttp2, addresses: [] },
        via: { proxy, addresses: found, target },
      }
}

/** Why one of the addresses may not be dialled; null if all of them may. */
function refusedAddress({ addresses }: Resolution, destination: Destination): string | null {
  for (const { address, kind } of addresses) {
    const error = addressError(address, destination, kind)
    if (error !== null) return error
  }
  return null
}

/** Of a proxy, which may be anywhere; otherwise why there is none. */
async function addressesOf(
  { host }: UpstreamProxy,
  resolver: UpstreamResolver,
): Promise<readonly string[] | string> {
  if (isIP(host) !== 0) return [host]
  try {
    return (await resolver.resolve(host, false)).addresses.map(({ address }) => address)
  } catch (error) {
    return `the name of the proxy in \`upstream.proxy\` could not be resolved (${codeOf(error)})`
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
