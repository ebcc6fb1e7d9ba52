import type { Peer } from '#firewall/contracts/peer.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'

/** A sandbox of a source, as operators see it. */
export interface SourcedSandbox extends RegisteredSandbox {
  readonly command: string
  /** Its address. */
  readonly address: string
  /** When it was registered, ISO 8601. */
  readonly since: string
}

/** Knows sandboxes that have no network of their own, such as pods. Asked before the networks are. */
export interface SandboxSource {
  /** The sandbox that has proven to be at this address; null if there is none. Called for each connection and each query. */
  identify(peer: Pick<Peer, 'address'>): RegisteredSandbox | null
  /** The gateway's address as these sandboxes reach it. */
  readonly gatewayAddress: string
  has(id: string): boolean
  /** Whether the address is, or may be, that of a sandbox. */
  isSandboxAddress(address: string): boolean
  list(): readonly SourcedSandbox[]
  /** After a change of policy: agents and placeholders may be others. */
  policyReplaced(): void
}
