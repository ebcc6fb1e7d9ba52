import type { Credential, CredentialLocations } from './credential.js'
import type { HostPattern } from '../names/host-pattern.js'
import type { NameLimits } from '../names/name-profiles.js'
import type { PathPattern } from '../rules/path-pattern.js'
import type { Quota } from '../ledger/quota.js'
import type { RateLimit } from '../ledger/rate-limit.js'

export type Scheme = 'http' | 'https'

/** RFC 6454: what a request goes to, apart from its path. */
export interface Origin {
  readonly scheme: Scheme
  readonly host: string
  readonly port: number
}

/** One line of `rules`: the first whose method and path match decides. */
export interface Rule {
  readonly effect: 'allow' | 'deny'
  /** Upper case; null for any method. */
  readonly methods: readonly string[] | null
  readonly path: PathPattern
  /** The rule as the policy writes it, for denials, logs and `explain`. */
  readonly text: string
  /** Where it stands: `services.jira.rules[0]`. */
  readonly id: string
}

/** A host that requests may go to, with the rules for them: a target of a service, or an `allow` entry. */
export interface Destination {
  /** Where it stands: `services.jira`, `allow[2]`. */
  readonly id: string
  /** Name for people: the service's name, or the host pattern. */
  readonly label: string
  readonly host: HostPattern
  readonly scheme: Scheme
  readonly ports: readonly number[]
  /** `tunnel` passes TLS through unread: only host and port are checked. */
  readonly mode: 'intercept' | 'tunnel'
  readonly rules: readonly Rule[]
  /** Rules of agents that may do less here than `rules` say, by the agent's name: both must allow. */
  readonly agentRules?: Readonly<Record<string, readonly Rule[]>>
  /** The service that this is a target of; null for an `allow` entry. */
  readonly service: string | null
  /** Whether private and loopback addresses may be dialled. */
  readonly allowPrivateAddresses: boolean
  /** PEM of the only authorities that this upstream's certificate may come from; null for the public ones. */
  readonly ca: string | null
  /** Limits on the names under a wildcard; null for those of `dns`. */
  readonly nameLimits: NameLimits | null
}

/** One target of a service, as the base-URL listener addresses it. */
export interface ServiceTarget {
  readonly origin: Origin
  /** Path that the service's URL ends in, without its last slash: `` or `/jira`. */
  readonly basePath: string
}

export interface Service {
  readonly name: string
  readonly targets: readonly ServiceTarget[]
  readonly credential: Credential | null
  /** The credential's own locations, and the other places in which clients send it: all are emptied. */
  readonly locations: CredentialLocations
  /** Whether every request gets the credential, or only one that carries a placeholder of it in a location of it. */
  readonly injectWhen: 'always' | 'placeholder'
  /** Whether headers that hand out a session or a token pass back to the sandbox. */
  readonly sessionHeaders: 'drop' | 'pass'
  readonly rate: RateLimit | null
  readonly quota: Quota | null
  /** Environment of the sandbox by name; `{url}`, `{base_url}` and `{placeholder:NAME}` in a value are filled in per sandbox. */
  readonly environment: Readonly<Record<string, string>>
  /** The placeholders for the service's secrets, by the secret's name. */
  readonly placeholders: Readonly<Record<string, PlaceholderFormat>>
}

/** What a worthless value must look like, so that clients which check the shape accept it. */
export interface PlaceholderFormat {
  /** Such as `ghp_`: never anything that an issuer chose for this one secret. */
  readonly prefix: string
  /** Characters of the whole value. */
  readonly length: number
  readonly alphabet: 'alphanumeric' | 'upper-alphanumeric' | 'hex'
}

export interface Agent {
  readonly name: string
  /** Names of services; null for all. */
  readonly services: readonly string[] | null
  /** Ids of `allow` entries (`allow[0]`); null for all. */
  readonly allow: readonly string[] | null
}

export interface DnsSettings {
  /** Limits under every wildcard that has none of its own, and what unlisted names are measured by. */
  readonly nameLimits: NameLimits
  /** Queries of one sandbox. */
  readonly rate: RateLimit
  /** Addresses by name, of hosts that sandboxes reach without the gateway. */
  readonly hosts: Readonly<Record<string, string>>
}

export interface HttpLimits {
  /** Bytes of a request body; more is 413. */
  readonly maxRequestBytes: number
  /** Milliseconds until an upstream must have begun its response. */
  readonly responseTimeoutMs: number
  /** Milliseconds that either side of a request may be silent. */
  readonly idleTimeoutMs: number
  /** Milliseconds for name, connection and TLS of an upstream together. */
  readonly connectTimeoutMs: number
}

/** Where the gateway finds upstream names: a fixed `address[:port]` per name, else these servers, else the system's. */
export interface UpstreamNames {
  readonly hosts: Readonly<Record<string, { readonly address: string; readonly port: number | null }>>
  readonly servers: readonly string[]
}

/** A policy that was checked. Everything in it is plain, frozen data; secrets are `Secret`s inside credentials. */
export interface Policy {
  readonly destinations: readonly Destination[]
  readonly services: ReadonlyMap<string, Service>
  readonly agents: ReadonlyMap<string, Agent>
  readonly dns: DnsSettings
  readonly http: HttpLimits
  readonly upstream: UpstreamNames
}

/** Who is speaking: known by the socket or network that the traffic came in on, never by what it says. */
export interface SandboxRef {
  readonly id: string
  readonly agent: string
}

/** The same with what the sandbox was given. */
export interface RegisteredSandbox extends SandboxRef {
  /** Its worthless values by the names of the secrets that they stand in for. */
  readonly placeholders: ReadonlyMap<string, string>
}

export const DEFAULT_AGENT = 'default'
