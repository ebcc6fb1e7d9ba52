import type { NameGate } from '#firewall/name-admission.js'
import type { Policy, KnownSandbox } from '#firewall/policy.js'
import type { QuotaMeter } from '#firewall/quota.js'
import type { RateLimiter } from '#firewall/rate-limit.js'
import type { HttpAudit, Remote } from './events.js'
import type { CertificateAuthority } from './tls/authority.js'
import type { Shutdown } from './shutdown.js'
import type { HeldBodies } from './held-bodies.js'
import type { NeedleSets } from './needle-sets.js'
import type { UpstreamPools } from './upstream/pools.js'
import type { UpstreamResolver } from './upstream/resolver.js'

/** Everything that the proxy is handed; it has no other way to policy, clock, log or network. */
export interface ProxyContext {
  readonly policy: Policy
  /** The judge, with the leak budget that it shares with the resolver. */
  readonly names: NameGate
  readonly limiter: RateLimiter
  readonly quotas: QuotaMeter
  readonly heldBodies: HeldBodies
  readonly audit: HttpAudit
  /** What responses to an agent are searched for. */
  readonly needles: NeedleSets
  readonly authority: CertificateAuthority
  readonly resolver: UpstreamResolver
  readonly pools: UpstreamPools
  readonly shutdown: Shutdown
  /** The host name by which sandboxes know the gate. */
  readonly gateName: string
  /** Who is behind a connection; null for nobody that we know. */
  readonly identify: (remote: Remote) => KnownSandbox | null
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly newId: () => string
  /** The program's log: bugs, never traffic. */
  readonly fail: (error: unknown) => void
}
