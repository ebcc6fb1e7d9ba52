import type { RegisteredSandbox } from '#firewall/contracts/policy.js'
import type { Ledger } from '#firewall/ledger/ledger.js'
import type { HttpAudit, Peer } from './events.js'
import type { OpenStreams } from './open-streams.js'
import type { Shutdown } from './shutdown.js'
import type { ProxySnapshot } from './snapshot.js'
import type { CertificateAuthority } from './tls/certificate-authority.js'

/** Everything that the proxy is handed; it has no other way to policy, clock, log or network. */
export interface ProxyContext {
  /** The snapshot in force. Whoever decides something asks once, and keeps the answer. */
  readonly snapshot: () => ProxySnapshot
  /** What is counted per sandbox; it outlives every snapshot. */
  readonly ledger: Ledger
  readonly audit: HttpAudit
  readonly ca: CertificateAuthority
  readonly shutdown: Shutdown
  /** What is open, and outlives the snapshot that let it in. */
  readonly streams: OpenStreams
  /** The host name by which sandboxes know the gateway. */
  readonly gatewayName: string
  /** Who is behind a connection; null for an unknown client. */
  readonly identify: (peer: Peer) => RegisteredSandbox | null
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly newId: () => string
  /** The program's log: bugs, never traffic. */
  readonly fail: (error: unknown) => void
}
