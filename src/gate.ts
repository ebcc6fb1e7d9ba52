import { randomUUID } from 'node:crypto'
import type { SecretRenewal, SecretRenewalEvent } from '#config/renewal.js'
import { Judge } from '#firewall/judge.js'
import { LeakBudget } from '#firewall/leak-budget.js'
import type { NameGate } from '#firewall/name-admission.js'
import type { Policy, KnownSandbox } from '#firewall/policy.js'
import { QuotaMeter } from '#firewall/quota.js'
import { RateLimiter } from '#firewall/rate-limit.js'
import type { ProxyContext } from '#proxy/context.js'
import { HeldBodies } from '#proxy/held-bodies.js'
import { sandboxOf } from '#proxy/meter-key.js'
import { NeedleSets } from '#proxy/needle-sets.js'
import { serveProxy, type ProxySockets } from '#proxy/proxy.js'
import { Shutdown } from '#proxy/shutdown.js'
import { CertificateAuthority } from '#proxy/tls/authority.js'
import { UpstreamPools } from '#proxy/upstream/pools.js'
import { UpstreamResolver } from '#proxy/upstream/resolver.js'
import type { Audit } from './audit/audit.js'
import { tuneCollector } from './collector.js'
import { GATE_HOST } from './environment.js'
import { serveDns, type DnsService, type DnsSockets, type GateAddress } from './serve-dns.js'

/** The sockets of one sandbox, or of one network of sandboxes, already bound. */
export interface GateSockets extends ProxySockets, DnsSockets {}

export interface GateOptions {
  readonly policy: Policy
  readonly audit: Audit
  /** Made anew unless given. */
  readonly authority?: CertificateAuthority
  /** Who is behind an address. */
  readonly identify: (remote: { address: string; local?: string }) => KnownSandbox | null
  /** The address that allowed names are answered with. */
  readonly address: GateAddress
  /** Bugs, for the program's log. */
  readonly fail: (error: unknown) => void
  /** Keeps the secrets of the policy up to date while the gate is open. */
  readonly renewal?: SecretRenewal | null
  /** What went wrong and stops nothing, for the program's log. */
  readonly warn?: (message: string) => void
}

/** Both roles in one process, around one judge and one leak budget. */
export class Gate {
  /** The certificate authority's certificate, PEM. */
  readonly certificate: string
  readonly #options: GateOptions
  readonly #names: NameGate
  readonly #proxy: ProxyContext
  #dns: DnsService | null = null
  readonly #closers: (() => Promise<void>)[] = []

  private constructor(options: GateOptions, authority: CertificateAuthority) {
    const { policy, audit, identify, fail } = options
    this.#options = options
    this.certificate = authority.pem
    this.#names = { judge: new Judge(policy), limits: policy.dns.names, budget: new LeakBudget() }
    this.#proxy = {
      policy,
      names: this.#names,
      limiter: new RateLimiter(),
      quotas: new QuotaMeter(),
      heldBodies: new HeldBodies(),
      audit,
      needles: new NeedleSets(policy),
      authority,
      resolver: new UpstreamResolver(policy.upstream, policy.http.connectTimeoutMs, Date.now),
      pools: new UpstreamPools(policy.http),
      shutdown: new Shutdown(),
      gateName: GATE_HOST,
      identify,
      now: Date.now,
      newId: randomUUID,
      fail,
    }
  }

  static async create(options: GateOptions): Promise<Gate> {
    tuneCollector()
    const gate = new Gate(options, options.authority ?? (await CertificateAuthority.create(Date.now())))
    gate.#renewSecrets()
    return gate
  }

  /** Loads what the first request would wait for. It takes a tenth of a second, in which nothing is answered. */
  warmUp(): void {
    this.#proxy.pools.load()
  }

  /** Serves on the sockets from now on, as resolver and as proxy. */
  serve(sockets: GateSockets): void {
    const { policy, audit, identify, address, fail } = this.#options
    const dns = serveDns(sockets, {
      names: this.#names,
      settings: policy.dns,
      identify,
      address,
      record: audit.dns,
      fail,
    })
    this.#dns = dns
    this.#closers.push(() => {
      dns.close()
      return Promise.resolve()
    })
    this.serveProxy(sockets)
  }

  /** Serves as a proxy alone, where the resolver is another process. */
  serveProxy(sockets: ProxySockets): void {
    const proxy = serveProxy(sockets, this.#proxy)
    this.#closers.push(() => proxy.close())
  }

  /** Drops what is counted for sandboxes that are gone. */
  keepOnly(isThere: (sandbox: string) => boolean): void {
    const isKept = (key: string) => isThere(sandboxOf(key))
    this.#proxy.limiter.keepOnly(isKept)
    this.#proxy.quotas.keepOnly(isKept)
    this.#names.budget.keepOnly(isThere)
    this.#dns?.keepOnly(isThere)
  }

  #renewSecrets(): void {
    const { renewal, audit, warn } = this.#options
    if (renewal == null) return
    const report = (event: SecretRenewalEvent): void => {
      audit.renewal(event)
      if (event.problem !== null) {
        const { secret, problem, fix } = event
        warn?.(`the secret ${secret} was not renewed, its last value stays: ${problem}; ${fix ?? ''}`)
      }
    }
    const stop = renewal.start({ now: Date.now, report })
    this.#closers.push(() => {
      stop()
      return Promise.resolve()
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map((close) => close()))
  }
}
