import type { Secrets } from '../demo/secrets.js'
import type { AttackerRecord, RequestRecord } from './records.js'

/** What the mock servers' process is told first. Any later message asks for the records. */
export interface Order {
  readonly secrets: Secrets
  /** Name of the attacker's abstract socket. */
  readonly unixName: string
  /** What the attacker's name server answers, by name. */
  readonly addresses: Readonly<Record<string, string>>
  /** The address to listen on; loopback unless given. */
  readonly host?: string
  /** That of the name server, where it is another: a datagram from 0.0.0.0 may leave by another address than it was sent to. */
  readonly dnsHost?: string
}

export interface Ports {
  readonly jira: number
  readonly llm: number
  readonly echo: number
  readonly attacker: number
  readonly attackerDns: number
}

/** Everything that reached the mock servers. */
export interface Records {
  readonly jira: readonly RequestRecord[]
  readonly llm: readonly RequestRecord[]
  readonly echo: readonly RequestRecord[]
  readonly attacker: readonly AttackerRecord[]
}

/** What the mock servers' process says. */
export type Report =
  | { readonly kind: 'ready'; readonly ca: string; readonly ports: Ports }
  | { readonly kind: 'records'; readonly records: Records }
  | { readonly kind: 'failed'; readonly message: string }
