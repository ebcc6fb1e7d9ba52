import { createServer, type Server } from 'node:net'
import { randomUUID } from 'node:crypto'
import { Judge } from '#firewall/judge.js'
import { LeakBudget } from '#firewall/leak-budget.js'
import { DEFAULT_AGENT, type Policy, type KnownSandbox } from '#firewall/policy.js'
import { QuotaMeter } from '#firewall/quota.js'
import { RateLimiter } from '#firewall/rate-limit.js'
import type { ProxyContext } from '#proxy/context.js'
import type { HttpClose, HttpDecision } from '#proxy/events.js'
import { HeldBodies } from '#proxy/held-bodies.js'
import { NeedleSets } from '#proxy/needle-sets.js'
import { Shutdown } from '#proxy/shutdown.js'
import { serveProxy } from '#proxy/proxy.js'
import { CertificateAuthority } from '#proxy/tls/authority.js'
import { UpstreamPools } from '#proxy/upstream/pools.js'
import { UpstreamResolver } from '#proxy/upstream/resolver.js'
import { listen } from './upstream.js'

/** A proxy on loopback ports, with what it decided. */
export interface TestGate {
  readonly ports: {
    readonly http: number
    readonly https: number
    readonly explicit: number
    readonly routes: number
  }
  readonly ca: string
  readonly decisions: HttpDecision[]
  readonly closes: HttpClose[]
  readonly failures: unknown[]
  /** While set, the audit log cannot be written, or decisions of one kind cannot. */
  auditFails: boolean | HttpDecision['kind']
  /** Bytes of request bodies that count as held. */
  heldBytes(): number
  close(): Promise<void>
}

export const SANDBOX: KnownSandbox = { id: 'sb-test', agent: DEFAULT_AGENT, standIns: new Map() }

export async function startGate(
  policy: Policy,
  identify: ProxyContext['identify'] = () => SANDBOX,
  now: () => number = Date.now,
): Promise<TestGate> {
  const authority = await CertificateAuthority.create(Date.now())
  const servers: Record<'http' | 'https' | 'explicit' | 'routes', Server> = {
    http: createServer(),
    https: createServer(),
    explicit: createServer(),
    routes: createServer(),
  }
  const gate: Omit<TestGate, 'ports' | 'close'> = {
    ca: authority.pem,
    decisions: [],
    closes: [],
    failures: [],
    auditFails: false,
    heldBytes: () => context.heldBodies.total,
  }
  const context: ProxyContext = {
    policy,
    names: { judge: new Judge(policy), limits: policy.dns.names, budget: new LeakBudget() },
    limiter: new RateLimiter(),
    quotas: new QuotaMeter(),
    heldBodies: new HeldBodies(),
    audit: {
      decide(event) {
        if (gate.auditFails === true || gate.auditFails === event.kind)
          return Promise.reject(new Error('no space left on device'))
        gate.decisions.push(event)
        return Promise.resolve()
      },
      close: (event) => gate.closes.push(event),
    },
    needles: new NeedleSets(policy),
    authority,
    resolver: new UpstreamResolver(policy.upstream, 2_000, now),
    pools: new UpstreamPools(policy.http),
    shutdown: new Shutdown(),
    gateName: 'egress',
    identify,
    now,
    newId: randomUUID,
    fail: (error) => gate.failures.push(error),
  }
  const ports = {
    http: await listen(servers.http),
    https: await listen(servers.https),
    explicit: await listen(servers.explicit),
    routes: await listen(servers.routes),
  }
  const proxy = serveProxy(servers, context)
  return Object.assign(gate, { ports, close: () => proxy.close() })
}
