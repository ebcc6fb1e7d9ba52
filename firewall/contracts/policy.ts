import type { ApprovalSettings } from './approvals.js'
import type { RateLimit, SandboxLimits } from './limits.js'
import type { HostPattern, NameLimits } from './names.js'
import type { Scheme } from './origin.js'
import type { Rule } from './rule.js'
import type { Secret } from '../secrets/secret.js'
import type { Service } from './service.js'
import type { UpstreamProxies } from './upstream-proxy.js'

/** A host that requests may go to, with the rules for them: a target of a service, or an `allow` entry. */
export interface Destination {
  /** Its place in the policy: `services.jira`, `allow[2]`. */
  readonly id: string
  /** Name for people: the service's name, or the host pattern. */
  readonly label: string
  readonly host: HostPattern
  readonly scheme: Scheme
  readonly ports: readonly number[]
  /** `tunnel` passes TLS through without inspection: only host and port are checked. */
  readonly mode: 'intercept' | 'tunnel'
  readonly rules: readonly Rule[]
  /** Rules of agents that restrict `rules`, by the agent's name: both must allow a request. */
  readonly agentRules?: Readonly<Record<string, readonly Rule[]>>
  /** Name of the service that this is a target of; null for an `allow` entry. */
  readonly service: string | null
  /** Whether private and loopback addresses may be dialled. */
  readonly allowPrivateAddresses: boolean
  /** Ranges whose addresses may be dialled as well, whatever they are for (default: none). */
  readonly addresses?: readonly string[]
  /** PEM of the only CAs that this upstream's certificate may come from; null for the public ones. */
  readonly ca: string | null
  /** Lower-case names of headers that travel on although a server could be steered by them (`x-forwarded-proto`). */
  readonly passHeaders?: readonly string[]
  /** Limits on the names under a wildcard; null for those of `dns`. */
  readonly nameLimits: NameLimits | null
}

export interface Agent {
  readonly name: string
  /** Names of services; null for all. */
  readonly services: readonly string[] | null
  /** Ids of `allow` entries (`allow[0]`); null for all. */
  readonly allow: readonly string[] | null
  /** `NAMESPACE/SERVICE-ACCOUNT`: the Kubernetes pods that are this agent. No other agent has one of them. */
  readonly serviceAccounts?: readonly string[]
}

export interface DnsSettings {
  /** Limits under every wildcard without limits of its own; unlisted names are measured by them too. */
  readonly nameLimits: NameLimits
  /** Queries of one sandbox. */
  readonly rate: RateLimit
  /** Addresses by name, of hosts that sandboxes reach without the gateway. */
  readonly hosts: Readonly<Record<string, string>>
}

export interface HttpLimits {
  /** Bytes of a request body; a larger one is 413. */
  readonly maxRequestBytes: number
  /** Milliseconds until an upstream must have begun its response. */
  readonly responseTimeoutMs: number
  /** Milliseconds that either side of a request may be silent. */
  readonly idleTimeoutMs: number
  /** Milliseconds for name resolution, connection and TLS of an upstream together. */
  readonly connectTimeoutMs: number
}

/** Where the gateway finds upstream names: a fixed `address[:port]` per name, else these servers, else the system's. */
export interface UpstreamNames {
  readonly hosts: Readonly<Record<string, { readonly address: string; readonly port: number | null }>>
  readonly servers: readonly string[]
}

/** A value that the policy fills in from a secret, wherever that stands. */
export interface PolicySecret {
  /** The id of what uses it: a credential, or a source of secrets. */
  readonly owner: string
  /** With what has to be redacted of it. */
  readonly secret: Secret
  /** True if it may be sent in lower case, as a header's name is. */
  readonly caseless: boolean
}

/** A policy that was checked. Everything in it is plain, frozen data; secrets are `Secret`s inside credentials. */
export interface Policy {
  readonly destinations: readonly Destination[]
  readonly services: ReadonlyMap<string, Service>
  readonly agents: ReadonlyMap<string, Agent>
  readonly dns: DnsSettings
  readonly http: HttpLimits
  readonly limits: SandboxLimits
  readonly approvals: ApprovalSettings
  readonly upstream: UpstreamNames
  /** Proxies through which upstreams are reached; null or absent to dial them. */
  readonly proxies?: UpstreamProxies | null
  /** PEM of the authorities that the host trusts beyond those of Node; null or absent for none. */
  readonly hostAuthorities?: () => string | null
  /** Every value that a `${…}` in the file stands for. No response may bring one to a sandbox. */
  readonly secrets: readonly PolicySecret[]
}
