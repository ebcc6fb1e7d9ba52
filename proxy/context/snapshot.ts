import { randomBytes } from 'node:crypto'
import type { Policy } from '#firewall/contracts/policy.js'
import type { Ledger } from '#firewall/ledger/ledger.js'
import { EntityTags } from '../redaction/entity-tags.js'
import { GatewaySecretPatterns } from '../redaction/gateway-secret-patterns.js'
import { Authorities } from '../upstream/authorities.js'
import { NO_LISTENERS, type OwnListeners } from '../upstream/own-listeners.js'
import { PooledUpstreams } from '../upstream/pools/pools.js'
import { UpstreamResolver } from '../upstream/resolver.js'
import type { Upstreams } from '../upstream/upstream.js'
import { createDecisionSnapshot, type DecisionSnapshot } from './decision-snapshot.js'

/**
 * Everything that the proxy derives from one policy file. Immutable, and replaced as a whole: a connection or request takes
 * the snapshot in force once, when it begins, and is decided by that one to its end.
 */
export interface ProxySnapshot extends DecisionSnapshot {
  /** What every response is searched for. */
  readonly secretPatterns: GatewaySecretPatterns
  /** The entity tags that sandboxes get instead of those of upstreams. */
  readonly entityTags: EntityTags
  readonly resolver: UpstreamResolver
  /** Whose certificates are trusted. */
  readonly authorities: Authorities
  readonly pools: Upstreams
}

/**
 * Keeps of the snapshot before what does not depend on what has changed: addresses that were found, and connections.
 *
 * @param now milliseconds since 1970
 * @param observes whether hosts that the policy does not list pass without credentials
 * @param own where the gateway itself listens
 */
export function createProxySnapshot(
  policy: Policy,
  ledger: Ledger,
  now: () => number,
  previous: ProxySnapshot | null = null,
  observes = false,
  own: OwnListeners = NO_LISTENERS,
): ProxySnapshot {
  const { upstream, http } = policy
  const keepsResolver = previous?.resolver.isMadeFrom(upstream, http.connectTimeoutMs) === true
  const hostAuthorities = policy.hostAuthorities?.() ?? null
  if (!keepsResolver) previous?.resolver.retire()
  return {
    ...createDecisionSnapshot(policy, ledger, previous, observes),
    secretPatterns: new GatewaySecretPatterns(policy, previous?.secretPatterns ?? null),
    entityTags: previous?.entityTags ?? new EntityTags(randomBytes(32)),
    resolver: keepsResolver
      ? previous.resolver
      : new UpstreamResolver(upstream, http.connectTimeoutMs, now, own),
    authorities:
      previous?.authorities.isMadeFrom(hostAuthorities) === true
        ? previous.authorities
        : new Authorities(hostAuthorities),
    pools: previous?.pools.hasLimits(http) === true ? previous.pools : new PooledUpstreams(http),
  }
}
