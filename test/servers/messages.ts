import type { Secrets } from '../demo/secrets.js'
import type { AttackerRecord, RequestRecord } from './records.js'

/** First message to the mock servers' process. Any later message requests the records. */
export interface Order {
  readonly secrets: Secrets
  /** Name of the attacker's abstract socket. */
  readonly unixName: string
  /** Answers of the attacker's name server, by name. */
  readonly addresses: Readonly<Record<string, string>>
  /** The address to listen on (default: loopback). */
  readonly host?: string
  /** Address of the name server, if different: a reply from 0.0.0.0 may leave from another address than the query was sent to. */
  readonly dnsHost?: string
}

export interface Ports {
  readonly jira: number
  readonly llm: number
  readonly echo: number
  readonly attacker: number
  readonly attackerDns: number
}

/** All records of the mock servers. */
export interface Records {
  readonly jira: readonly RequestRecord[]
  readonly llm: readonly RequestRecord[]
  readonly echo: readonly RequestRecord[]
  readonly attacker: readonly AttackerRecord[]
}

/** Messages from the mock servers' process. */
export type Report =
  | { readonly kind: 'ready'; readonly ca: string; readonly ports: Ports }
  | { readonly kind: 'records'; readonly records: Records }
  | { readonly kind: 'failed'; readonly message: string }
