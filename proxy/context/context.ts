import type { SecureContext } from 'node:tls'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Ledger } from '#firewall/ledger/ledger.js'
import type { Peer } from '#firewall/contracts/peer.js'
import type { ApprovalDesk } from '../contracts/approvals.js'
import type { Recorder } from '../contracts/recorder.js'
import type { Shutdown } from '../contracts/shutdown.js'
import type { OpenStreams } from './open-streams.js'
import type { ProxySnapshot } from './snapshot.js'
import type { Turns } from './turns.js'

/** Makes the certificates that the gateway shows to sandboxes. */
export interface CertificateSource {
  /** For a host that was allowed, and no other: what is minted can be seen. @param now milliseconds since 1970 */
  contextFor(sandbox: string, host: string, now: number): Promise<SecureContext>
  /** Whether the sandbox has one for this host already. */
  knows(sandbox: string, host: string, now: number): boolean
  /** Forgets those of every sandbox that is not active. */
  prune(isActive: (sandbox: string) => boolean): void
}

/** Everything that the proxy is handed; it has no other way to policy, clock, log or network. */
export interface ProxyContext extends Recorder {
  /** The snapshot in force. Whoever decides something asks once, and keeps the answer. */
  readonly snapshot: () => ProxySnapshot
  /** What is counted per sandbox; it outlives every snapshot. */
  readonly ledger: Ledger
  /** Those who decide about requests that a rule asks about. */
  readonly approvals: ApprovalDesk
  readonly ca: CertificateSource
  readonly shutdown: Shutdown
  /** Whose turn it is to work. */
  readonly turns: Turns
  /** What is open, and outlives the snapshot that let it in. */
  readonly streams: OpenStreams
  /** The host name by which sandboxes know the gateway. */
  readonly gatewayName: string
  /** Who is behind a connection; null for an unknown client. */
  readonly identify: (peer: Peer) => RegisteredSandbox | null
  /** The program's log: bugs, never traffic. */
  readonly fail: (error: unknown) => void
}
