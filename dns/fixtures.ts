import { DEFAULT_APPROVALS } from '#config/approvals/approvals.js'
import { DEFAULT_LIMITS } from '#config/limits/limits.js'
import type { HostPattern } from '#firewall/contracts/names.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import { parseHostPattern } from '#firewall/names/host-pattern.js'
import { PolicyEngine } from '#firewall/policy-engine/policy-engine.js'
import { NO_HOLDS } from '#firewall/contracts/holds.js'
import { ExfiltrationBudget } from '#firewall/ledger/exfiltration-budget.js'
import type { NamePolicy } from '#firewall/policy-engine/name-policy.js'
import { DEFAULT_NAMES } from '#firewall/names/name-profiles.js'
import type { Destination, Policy } from '#firewall/contracts/policy.js'
import { addressesOf, type Addresses } from './answer.js'
import type { DnsEvent } from './events.js'
import type { Peer } from '#firewall/contracts/peer.js'
import type { ResolverContext, ResolverSnapshot, Transport } from './flow.js'
import { QueryLimiter } from '#firewall/ledger/query-limiter.js'
import { resolveQuery } from './resolver.js'

// Shared by the tests of the resolver: queries built byte by byte, a policy, and a context that keeps its records.

export interface QueryParts {
  /** Dots separate labels; in an array, each element is a label, which may contain a dot byte. Latin-1. */
  name: string | readonly string[]
  type: number
  class: number
  id: number
  flags: number
  /** Question, answer, authority and additional count in the header, whatever follows. */
  counts: readonly [number, number, number, number]
  /** Bytes after the question. */
  rest: Buffer
}

export const RD = 0x0100

export function query(name: string | readonly string[], parts: Partial<QueryParts> = {}): Buffer {
  const labels = typeof name === 'string' ? name.split('.').filter((label) => label !== '') : name
  const rest = parts.rest ?? Buffer.alloc(0)
  const [qd, an, ns, ar] = parts.counts ?? [1, 0, 0, rest.length > 0 ? 1 : 0]
  return Buffer.concat([
    words(parts.id ?? 0x1234, parts.flags ?? RD, qd, an, ns, ar),
    ...labels.map((label) => Buffer.from(String.fromCharCode(label.length) + label, 'latin1')),
    Buffer.of(0),
    words(parts.type ?? 1, parts.class ?? 1),
    rest,
  ])
}

/** An OPT record (RFC 6891 section 6.1.2). */
export function opt(parts: { udpSize?: number; version?: number; options?: Buffer } = {}): Buffer {
  const { udpSize = 1232, version = 0, options = Buffer.alloc(0) } = parts
  return Buffer.concat([Buffer.of(0), words(41, udpSize, version, 0, options.length), options])
}

export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  values.forEach((value, index) => bytes.writeUInt16BE(value, index * 2))
  return bytes
}

/** Hosts that the policy of these tests lists. */
export const HOSTS = ['api.github.com', 'github.com', '*.example.org', '**.deep.example.net'] as const

export const SANDBOX = { id: 'sandbox-1', agent: 'default' } as const

export function namePolicy(hosts: readonly string[] = HOSTS): NamePolicy {
  const policy: Policy = {
    destinations: hosts.map(destination),
    services: new Map(),
    agents: new Map([['default', { name: 'default', services: null, allow: null }]]),
    dns: { nameLimits: DEFAULT_NAMES, rate: { perSecond: 1e6, burst: 1e6 }, hosts: {} },
    http: { maxRequestBytes: 1024, responseTimeoutMs: 1000, idleTimeoutMs: 1000, connectTimeoutMs: 1000 },
    limits: DEFAULT_LIMITS,
    approvals: DEFAULT_APPROVALS,
    upstream: { hosts: {}, servers: [] },
    secrets: [],
  }
  return {
    policyEngine: new PolicyEngine(policy),
    limits: policy.dns.nameLimits,
    budget: new ExfiltrationBudget(),
    holds: NO_HOLDS,
  }
}

function destination(host: string, index: number): Destination {
  return {
    id: `allow[${index}]`,
    label: host,
    host: pattern(host),
    scheme: 'https',
    ports: [443],
    mode: 'intercept',
    rules: [],
    service: null,
    allowPrivateAddresses: false,
    ca: null,
    nameLimits: null,
  }
}

function pattern(text: string): HostPattern {
  const parsed = parseHostPattern(text)
  if (isDiagnostic(parsed)) throw new Error(parsed.problem)
  return parsed
}

export interface Bench {
  readonly context: ResolverContext
  /** Records, in order. */
  readonly events: DnsEvent[]
  /** Errors in the program log. */
  readonly failures: unknown[]
}

export type BenchOverrides = Partial<ResolverContext & ResolverSnapshot>

/** A context; what stands in the policy and what does not may both be given. */
export function bench(overrides: BenchOverrides = {}): Bench {
  const events: DnsEvent[] = []
  const failures: unknown[] = []
  const { namePolicy: names = namePolicy(), rate = { perSecond: 1e6, burst: 1e6 }, ...others } = overrides
  const { hosts = new Map<string, Addresses>(), ...given } = others
  const snapshot = { namePolicy: names, rate, hosts }
  const context: ResolverContext = {
    identify: () => SANDBOX,
    snapshot: () => snapshot,
    limiter: new QueryLimiter(),
    addressOf: () => addressesOf('192.0.2.53'),
    record(event, done) {
      events.push(event)
      done(null)
    },
    now: () => 1_700_000_000_000,
    fail: (error) => void failures.push(error),
    ...given,
  }
  return { context, events, failures }
}

/** The answer to a query in a context that writes records immediately, as that of `bench` does. */
export function resolveNow(
  bytes: Buffer,
  peer: Peer,
  transport: Transport,
  context: ResolverContext,
): Buffer | null {
  const replies: (Buffer | null)[] = []
  resolveQuery(bytes, peer, transport, context, (response) => replies.push(response))
  if (replies.length !== 1) throw new Error(`${replies.length} replies to one query`)
  return replies[0] ?? null
}
