import type { Peer } from '#firewall/contracts/peer.js'
import { randomUUID } from 'node:crypto'
import type { SecretRotationEvent } from '#config/secrets/secret-refresher.js'
import type { Holds } from '#firewall/contracts/holds.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { Ledger, type SandboxUsage } from '#firewall/ledger/ledger.js'
import type { ProxyContext } from '#proxy/context/context.js'
import type { ProxySockets } from '#proxy/listeners/listeners.js'
import { serveProxy } from '#proxy/listeners/serve.js'
import { OpenStreams } from '#proxy/context/open-streams.js'
import { Turns } from '#proxy/context/turns.js'
import { Shutdown } from '#proxy/contracts/shutdown.js'
import type { OwnListeners } from '#proxy/upstream/own-listeners.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { Desk, type ShownApproval } from '../approvals/desk.js'
import { webhookMessage } from '../approvals/present.js'
import { WebhookSender } from '../approvals/webhook.js'
import type { Audit } from '../audit/audit.js'
import { GATEWAY_HOST } from '../common/environment.js'
import { descriptorLimit } from './descriptors.js'
import { serveDns, type DnsSockets, type GatewayAddress } from './serve-dns.js'
import { createSnapshot, type CheckedPolicy, type GatewaySnapshot } from './snapshot.js'

/** The sockets of one sandbox, or of one network of sandboxes, already bound. */
export interface GatewaySockets extends ProxySockets, DnsSockets {}

export interface GatewayOptions extends CheckedPolicy {
  readonly audit: Audit
  /** Default: a new one. */
  readonly ca?: CertificateAuthority
  /** The sandbox behind an address; null if there is none. */
  readonly identify: (peer: Peer) => RegisteredSandbox | null
  /** The address in answers to allowed names. */
  readonly address: GatewayAddress
  /** Bugs, for the program's log. */
  readonly fail: (error: unknown) => void
  /** Problems that do not stop the gateway, for the program's log. */
  readonly warn?: (message: string) => void
  /**
   * True for one observed run, and never for a gateway that serves: hosts that the policy does not list pass without credentials, and
   * are recorded as observed. No policy, setting or variable can set it.
   */
  readonly observe?: boolean
  /** Where the gateway itself listens, if not in the network of a sandbox. */
  readonly own?: OwnListeners
}

/**
 * Both roles in one process, with one policy engine and one ledger. The fields of this class survive a change of policy;
 * everything derived from one policy file is in its snapshot.
 */
export class Gateway {
  /** The certificate authority's certificate, PEM. */
  readonly certificate: string
  readonly #options: GatewayOptions
  /** Where requests wait that a person must approve. */
  readonly approvals: Desk
  readonly #webhook: WebhookSender
  readonly #ledger = new Ledger()
  readonly #descriptors = descriptorLimit()
  readonly #proxy: ProxyContext
  readonly #closers: (() => Promise<void>)[] = []
  #snapshot: GatewaySnapshot
  #stopRefresher: () => void = () => undefined

  private constructor(options: GatewayOptions, ca: CertificateAuthority) {
    const { audit, identify, fail } = options
    this.#options = options
    this.certificate = ca.pem
    this.#webhook = new WebhookSender({ now: Date.now, warn: (message) => options.warn?.(message) })
    this.approvals = new Desk({
      record: audit.approval,
      now: Date.now,
      notify: (approval) => this.#notify(approval),
    })
    this.#snapshot = this.#snapshotOf(options, null)
    this.#proxy = {
      snapshot: () => this.#snapshot.proxy,
      ledger: this.#ledger,
      audit,
      approvals: this.approvals,
      ca,
      shutdown: new Shutdown(),
      streams: new OpenStreams(),
      turns: new Turns(),
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
   * Puts another policy in force, as a whole and immediately: it decides everything after this call, and earlier decisions
   * stand. Open streams to a host that it does not allow are closed; in the others, its secrets are redacted too.
   */
  replace(checked: CheckedPolicy): void {
    const before = this.#snapshot
    const snapshot = this.#snapshotOf(checked, before)
    this.#snapshot = snapshot
    if (before.proxy.pools !== snapshot.proxy.pools) before.proxy.pools.handOver(snapshot.proxy.pools)
    this.#refreshSecrets()
    this.#proxy.streams.replaced(snapshot.proxy)
    this.approvals.replaced(snapshot.policy)
  }

  /**
   * Holds the network of agents or sandboxes, instead of those that were held before. Immediately: queries, connections and
   * requests from now on are denied, and what is open of them ends.
   */
  hold(holds: Holds): void {
    const { policy, proxy, dns, refresher } = this.#snapshot
    const namePolicy = { ...proxy.namePolicy, holds }
    // A new snapshot, so that whoever has checked a name under the one before checks it again.
    this.#snapshot = {
      policy,
      refresher,
      proxy: { ...proxy, namePolicy },
      dns: { ...dns, namePolicy },
    }
    this.#proxy.streams.replaced(this.#snapshot.proxy)
  }

  /** What a sandbox holds now, and has used. */
  usageOf(sandbox: string): SandboxUsage {
    return this.#ledger.usageOf(sandbox)
  }

  /** How much every sandbox has sent out through names under wildcards, and may per day. */
  leakBudgets(): readonly (ReturnType<Ledger['names']['usage']>[number] & { readonly limit: number })[] {
    const { destinations, dns } = this.policy
    const own = new Map(destinations.map(({ host, nameLimits }) => [host.text, nameLimits]))
    return this.#ledger.names.usage(Date.now()).map((used) => {
      const { budget } = own.get(used.wildcard) ?? dns.nameLimits
      return { ...used, limit: budget.bytesPerDay }
    })
  }

  /** Loads the modules of the first request ahead of it. Takes a tenth of a second, in which no request is answered. */
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

  /** Serves as a proxy only; the resolver is another process. */
  serveProxy(sockets: ProxySockets): void {
    const proxy = serveProxy(sockets, this.#proxy)
    this.#closers.push(() => proxy.close())
  }

  /** Removes the counters, upstream connections and certificates of a sandbox that has ended. */
  drop(sandbox: string): void {
    this.#ledger.drop(sandbox)
    this.approvals.prune((one) => one !== sandbox)
    this.#snapshot.proxy.pools.drop(sandbox)
    this.#proxy.ca.prune((one) => one !== sandbox)
  }

  /** The same for every sandbox that is not active. */
  prune(isActive: (sandbox: string) => boolean): void {
    this.#ledger.prune(isActive)
    this.approvals.prune(isActive)
    this.#snapshot.proxy.pools.prune(isActive)
    this.#proxy.ca.prune(isActive)
  }

  #snapshotOf(checked: CheckedPolicy, before: GatewaySnapshot | null): GatewaySnapshot {
    const { observe, own } = this.#options
    return createSnapshot(checked, this.#ledger, Date.now, before, this.#descriptors, observe, own)
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

  #notify(approval: ShownApproval): void {
    const { webhook } = this.policy.approvals
    // Without headers and body: they may be for few eyes.
    if (webhook !== null) this.#webhook.send(webhook, webhookMessage(approval))
  }

  async close(): Promise<void> {
    this.#stopRefresher()
    this.#webhook.close()
    await Promise.all(this.#closers.splice(0).map((close) => close()))
    this.approvals.close()
  }
}
