import type { Peer } from '#firewall/contracts/peer.js'
import { randomUUID } from 'node:crypto'
import type { SecretRotationEvent } from '#config/secrets/secret-refresher.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import type { ProxyContext } from '#proxy/context/context.js'
import type { ProxySockets } from '#proxy/listeners/listeners.js'
import { serveProxy } from '#proxy/listeners/serve.js'
import { OpenStreams } from '#proxy/context/open-streams.js'
import { Shutdown } from '#proxy/contracts/shutdown.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import type { Audit } from '../audit/audit.js'
import { GATEWAY_HOST } from '../common/environment.js'
import { serveDns, type DnsSockets, type GatewayAddress } from './serve-dns.js'
import { createSnapshot, type CheckedPolicy, type GatewaySnapshot } from './snapshot.js'

/** The sockets of one sandbox, or of one network of sandboxes, already bound. */
export interface GatewaySockets extends ProxySockets, DnsSockets {}

export interface GatewayOptions extends CheckedPolicy {
  readonly audit: Audit
  /** Made anew unless given. */
  readonly ca?: CertificateAuthority
  /** Who is behind an address. */
  readonly identify: (peer: Peer) => RegisteredSandbox | null
  /** The address that allowed names are answered with. */
  readonly address: GatewayAddress
  /** Bugs, for the program's log. */
  readonly fail: (error: unknown) => void
  /** What went wrong and stops nothing, for the program's log. */
  readonly warn?: (message: string) => void
}

/**
 * Both roles in one process, around one policy engine and one ledger. What it holds survives a change of policy; what one
 * policy file says is in its snapshot.
 */
export class Gateway {
  /** The certificate authority's certificate, PEM. */
  readonly certificate: string
  readonly #options: GatewayOptions
  readonly #ledger = new Ledger()
  readonly #proxy: ProxyContext
  readonly #closers: (() => Promise<void>)[] = []
  #snapshot: GatewaySnapshot
  #stopRefresher: () => void = () => undefined

  private constructor(options: GatewayOptions, ca: CertificateAuthority) {
    const { audit, identify, fail } = options
    this.#options = options
    this.certificate = ca.pem
    this.#snapshot = createSnapshot(options, this.#ledger, Date.now)
    this.#proxy = {
      snapshot: () => this.#snapshot.proxy,
      ledger: this.#ledger,
      audit,
      ca,
      shutdown: new Shutdown(),
      streams: new OpenStreams(),
      gatewayName: GATEWAY_HOST,
      identify,
      now: Date.now,
      newId: randomUUID,
      fail,
    }
  }

  static async create(options: GatewayOptions): Promise<Gateway> {
    const gateway = new Gateway(options, options.ca ?? (await CertificateAuthority.create(Date.now())))
    gateway.#refreshSecrets()
    return gateway
  }

  /** The policy in force. */
  get policy(): Policy {
    return this.#snapshot.policy
  }

  /**
   * Puts another policy in force, whole and at once: what comes after this is decided by it, and what was decided before goes
   * on. Open streams to a host that it forbids end, and the others are searched for its secrets, too.
   */
  replace(checked: CheckedPolicy): void {
    const before = this.#snapshot
    const snapshot = createSnapshot(checked, this.#ledger, Date.now, before)
    this.#snapshot = snapshot
    if (before.proxy.pools !== snapshot.proxy.pools) before.proxy.pools.handOver(snapshot.proxy.pools)
    this.#refreshSecrets()
    this.#proxy.streams.replaced(snapshot.proxy)
  }

  /** Loads what the first request would wait for. It takes a tenth of a second, in which nothing is answered. */
  warmUp(): void {
    this.#snapshot.proxy.pools.load()
  }

  /** Serves on the sockets from now on, as resolver and as proxy. */
  serve(sockets: GatewaySockets): void {
    const { audit, identify, address, fail } = this.#options
    const dns = serveDns(sockets, {
      snapshot: () => this.#snapshot.dns,
      queries: this.#ledger.queries,
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

  /** Forgets what was counted for a sandbox that has ended. */
  drop(sandbox: string): void {
    this.#ledger.drop(sandbox)
  }

  /** Forgets what was counted for every sandbox that is not active. */
  prune(isActive: (sandbox: string) => boolean): void {
    this.#ledger.prune(isActive)
  }

  /** Starts the refresher of the policy in force, instead of the one before. */
  #refreshSecrets(): void {
    this.#stopRefresher()
    const { audit, warn } = this.#options
    const report = (event: SecretRotationEvent): void => {
      audit.rotation(event)
      if (event.problem !== null) {
        const { secret, problem, fix } = event
        warn?.(
          `Could not refresh secret ${secret}, so the previous value stays in use: ${problem}; ${fix ?? ''}`,
        )
      }
    }
    this.#stopRefresher = this.#snapshot.refresher?.start({ now: Date.now, report }) ?? (() => undefined)
  }

  async close(): Promise<void> {
    this.#stopRefresher()
    await Promise.all(this.#closers.splice(0).map((close) => close()))
  }
}
