import type { SecretRefresher } from '#config/secrets/secret-refresher.js'
import type { ResolverSnapshot } from '#dns/flow.js'
import type { Policy } from '#firewall/contracts/policy.js'
import type { Ledger } from '#firewall/ledger/ledger.js'
import { fitLimits } from './descriptors.js'
import { createResolverSnapshot } from './resolver-snapshot.js'
import { NO_LISTENERS, type OwnListeners } from '#proxy/upstream/own-listeners.js'
import { createProxySnapshot, type ProxySnapshot } from '#proxy/context/snapshot.js'

/** A policy file after loading and checking; the input of `Gateway.replace`. */
export interface CheckedPolicy {
  readonly policy: Policy
  /** Keeps the policy's secrets up to date while it is in force; null if no secret needs it. */
  readonly refresher?: SecretRefresher | null
}

/**
 * Everything that the gateway derives from one policy file. Immutable, and replaced as a whole between two events of the event
 * loop: a query, connection or request reads it once. State that must survive a change is in `Gateway`: sandboxes and their
 * placeholders, the ledger, the audit log, the certificate authority, open streams.
 */
export interface GatewaySnapshot {
  readonly policy: Policy
  readonly proxy: ProxySnapshot
  readonly dns: ResolverSnapshot
  readonly refresher: SecretRefresher | null
}

/**
 * @param previous the snapshot in force; parts that are not affected by the change are reused
 * @param descriptors how many the process may have open; null for any number
 * @param observes whether hosts that the policy does not list pass without credentials
 * @param own where the gateway itself listens
 */
export function createSnapshot(
  { policy, refresher = null }: CheckedPolicy,
  ledger: Ledger,
  now: () => number,
  previous: GatewaySnapshot | null = null,
  descriptors: number | null = null,
  observes = false,
  own: OwnListeners = NO_LISTENERS,
): GatewaySnapshot {
  const limited = { ...policy, limits: fitLimits(policy.limits, descriptors) }
  const proxy = createProxySnapshot(limited, ledger, now, previous?.proxy ?? null, observes, own)
  return { policy, proxy, dns: createResolverSnapshot(policy, proxy.namePolicy), refresher }
}
