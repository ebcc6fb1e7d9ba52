import type { NamePolicy } from '#firewall/judge/name-policy.js'
import type { Policy } from '#firewall/contracts/policy.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { QuotaCounter } from '#firewall/ledger/quota.js'
import type { RateLimiter } from '#firewall/ledger/rate-limit.js'
import type { HttpAudit } from './events.js'
import type { Peer } from '#firewall/contracts/peer.js'
import type { CertificateAuthority } from './tls/certificate-authority.js'
import type { Shutdown } from './shutdown.js'
import type { BodyBufferLimit } from './request/body-buffer-limit.js'
import type { AgentSecretPatterns } from './redaction/agent-secret-patterns.js'
import type { UpstreamPools } from './upstream/pools.js'
import type { UpstreamResolver } from './upstream/resolver.js'

/** Everything that the proxy is handed; it has no other way to policy, clock, log or network. */
export interface ProxyContext {
  readonly policy: Policy
  /** The policy engine, with the exfiltration budget that it shares with the resolver. */
  readonly namePolicy: NamePolicy
  readonly rateLimiter: RateLimiter
  readonly quotas: QuotaCounter
  readonly bodyBuffers: BodyBufferLimit
  readonly audit: HttpAudit
  /** What responses to an agent are searched for. */
  readonly secretPatterns: AgentSecretPatterns
  readonly ca: CertificateAuthority
  readonly resolver: UpstreamResolver
  readonly pools: UpstreamPools
  readonly shutdown: Shutdown
  /** The host name by which sandboxes know the gateway. */
  readonly gatewayName: string
  /** Who is behind a connection; null for nobody that we know. */
  readonly identify: (peer: Peer) => RegisteredSandbox | null
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly newId: () => string
  /** The program's log: bugs, never traffic. */
  readonly fail: (error: unknown) => void
}
