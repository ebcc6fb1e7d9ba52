import type { Peer } from '#firewall/contracts/peer.js'
import { randomUUID } from 'node:crypto'
import type { SecretRefresher, SecretRotationEvent } from '#config/secrets/secret-refresher.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import type { ProxyContext } from '#proxy/context/context.js'
import type { ProxySockets } from '#proxy/listeners/listeners.js'
import { serveProxy } from '#proxy/listeners/serve.js'
import { createProxySnapshot, type ProxySnapshot } from '#proxy/context/snapshot.js'
import { Shutdown } from '#proxy/contracts/shutdown.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import type { Audit } from '../audit/audit.js'
import { tuneGarbageCollector } from './gc-tuning.js'
import { GATEWAY_HOST } from '../environment.js'
import { serveDns, type DnsSockets, type GatewayAddress } from './serve-dns.js'

/** The sockets of one sandbox, or of one network of sandboxes, already bound. */
export interface GatewaySockets extends ProxySockets, DnsSockets {}

export interface GatewayOptions {
  readonly policy: Policy
  readonly audit: Audit
  /** Made anew unless given. */
  readonly ca?: CertificateAuthority
  /** Who is behind an address. */
  readonly identify: (peer: Peer) => RegisteredSandbox | null
  /** The address that allowed names are answered with. */
  readonly address: GatewayAddress
  /** Bugs, for the program's log. */
  readonly fail: (error: unknown) => void
  /** Keeps the secrets of the policy up to date while the gateway is open. */
  readonly refresher?: SecretRefresher | null
  /** What went wrong and stops nothing, for the program's log. */
  readonly warn?: (message: string) => void
}

/** Both roles in one process, around one policy engine and one exfiltration budget. */
export class Gateway {
  /** The certificate authority's certificate, PEM. */
  readonly certificate: string
  readonly #options: GatewayOptions
  readonly #ledger = new Ledger()
  readonly #snapshot: ProxySnapshot
  readonly #proxy: ProxyContext
  readonly #closers: (() => Promise<void>)[] = []

  private constructor(options: GatewayOptions, ca: CertificateAuthority) {
    const { policy, audit, identify, fail } = options
    this.#options = options
    this.certificate = ca.pem
    this.#snapshot = createProxySnapshot(policy, this.#ledger, Date.now)
    this.#proxy = {
      snapshot: () => this.#snapshot,
      ledger: this.#ledger,
      audit,
      ca,
      shutdown: new Shutdown(),
      gatewayName: GATEWAY_HOST,
      identify,
      now: Date.now,
      newId: randomUUID,
      fail,
    }
  }

  static async create(options: GatewayOptions): Promise<Gateway> {
    tuneGarbageCollector()
    const gateway = new Gateway(options, options.ca ?? (await CertificateAuthority.create(Date.now())))
    gateway.#refreshSecrets()
    return gateway
  }

  /** Loads what the first request would wait for. It takes a tenth of a second, in which nothing is answered. */
  warmUp(): void {
    this.#snapshot.pools.load()
  }

  /** Serves on the sockets from now on, as resolver and as proxy. */
  serve(sockets: GatewaySockets): void {
    const { policy, audit, identify, address, fail } = this.#options
    const dns = serveDns(sockets, {
      namePolicy: this.#snapshot.namePolicy,
      queries: this.#ledger.queries,
      settings: policy.dns,
      identify,
      address,
      record: audit.dns,
      fail,
    })
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
  prune(isActive: (sandbox: string) => boolean): void {
    this.#ledger.prune(isActive)
  }

  #refreshSecrets(): void {
    const { refresher, audit, warn } = this.#options
    if (refresher == null) return
    const report = (event: SecretRotationEvent): void => {
      audit.rotation(event)
      if (event.problem !== null) {
        const { secret, problem, fix } = event
        warn?.(`the secret ${secret} was not rotated, its last value stays: ${problem}; ${fix ?? ''}`)
      }
    }
    const stop = refresher.start({ now: Date.now, report })
    this.#closers.push(() => {
      stop()
      return Promise.resolve()
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map((close) => close()))
  }
}
