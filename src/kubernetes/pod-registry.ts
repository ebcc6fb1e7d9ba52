import type { Peer } from '#firewall/contracts/peer.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { SandboxSource, SourcedSandbox } from '../serve/sandbox-source.js'
import { auditLabels, sandboxIdOf, type Pod } from './pod.js'

/** A pod that has proven who it is. */
export interface RegisteredPod {
  readonly id: string
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly serviceAccount: string
  /** Where it registered from. */
  readonly address: string
  readonly labels: readonly string[]
  /** When the pod was made, and when it registered: milliseconds since 1970. */
  readonly created: number
  readonly since: number
  /** What the gateway takes it for; null while no agent of the policy is its service account. */
  readonly sandbox: RegisteredSandbox | null
}

/** Makes a sandbox of a pod, by the policy in force; null if no agent is its service account. */
export type SandboxMaker = (
  pod: Pick<RegisteredPod, 'id' | 'uid' | 'namespace' | 'serviceAccount' | 'labels'>,
) => RegisteredSandbox | null

export interface PodRegistryOptions {
  /** The ClusterIP of this shard. */
  readonly gatewayAddress: string
  readonly make: SandboxMaker
  /** Called after a pod was removed. Must not throw. */
  readonly ended: (pod: RegisteredPod) => void
}

/** Which pod is at which address. An address is that of one pod at most, and a pod is at the one where it has proven itself. */
export class PodRegistry implements SandboxSource {
  readonly #options: PodRegistryOptions
  readonly #byAddress = new Map<string, RegisteredPod>()
  readonly #byUid = new Map<string, RegisteredPod>()
  readonly #ids = new Set<string>()

  constructor(options: PodRegistryOptions) {
    this.#options = options
  }

  get gatewayAddress(): string {
    return this.#options.gatewayAddress
  }

  identify({ address }: Pick<Peer, 'address'>): RegisteredSandbox | null {
    return this.#byAddress.get(address)?.sandbox ?? null
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  isSandboxAddress(address: string): boolean {
    return this.#byAddress.has(address.replace(/^::ffff:/i, ''))
  }

  list(): readonly SourcedSandbox[] {
    return this.pods().flatMap(({ sandbox, address, since }) =>
      sandbox === null ? [] : [{ ...sandbox, command: '', address, since: new Date(since).toISOString() }],
    )
  }

  pods(): readonly RegisteredPod[] {
    return [...this.#byUid.values()]
  }

  byUid(uid: string): RegisteredPod | null {
    return this.#byUid.get(uid) ?? null
  }

  /** A pod as it would be registered, for those who must first record it. */
  describe(pod: Pod, address: string, now: number): RegisteredPod {
    const described = {
      id: sandboxIdOf(pod),
      uid: pod.uid,
      namespace: pod.namespace,
      name: pod.name,
      serviceAccount: pod.serviceAccount,
      address,
      labels: auditLabels(pod),
      created: pod.created,
      since: now,
    }
    return { ...described, sandbox: this.#options.make(described) }
  }

  /** Whoever was at the address, or had this UID, is not any more. */
  add(pod: RegisteredPod): void {
    const before = this.#byAddress.get(pod.address)
    if (before !== undefined && before.uid !== pod.uid) this.end(before.uid)
    const moved = this.#byUid.get(pod.uid)
    if (moved !== undefined) this.#byAddress.delete(moved.address)
    this.#ids.add(pod.id)
    this.#byUid.set(pod.uid, pod)
    this.#byAddress.set(pod.address, pod)
  }

  end(uid: string): void {
    const pod = this.#byUid.get(uid)
    if (pod === undefined) return
    this.#byUid.delete(uid)
    this.#ids.delete(pod.id)
    if (this.#byAddress.get(pod.address)?.uid === uid) this.#byAddress.delete(pod.address)
    this.#options.ended(pod)
  }

  /** What the API server says of a pod now. Nothing else ends a registration, and nothing here begins one. */
  observe(pod: Pod, isDeleted: boolean): void {
    const known = this.#byUid.get(pod.uid)
    if (known !== undefined && (isDeleted || pod.isEnding || !pod.addresses.includes(known.address)))
      this.end(pod.uid)
    if (isDeleted || pod.isEnding) return
    if (pod.onHostNetwork) return
    // A newer pod has its address, whatever was heard of the former so far. News of an older one may come late.
    for (const address of pod.addresses) {
      const there = this.#byAddress.get(address)
      if (there !== undefined && there.uid !== pod.uid && there.created < pod.created) this.end(there.uid)
    }
  }

  /**
   * Everything that there is in a namespace, as of a moment.
   *
   * @param asked when that was, milliseconds since 1970: a pod that has registered since may not be among them
   */
  observeAll(namespace: string, pods: readonly Pod[], asked: number): void {
    const there = new Set(pods.map(({ uid }) => uid))
    for (const known of this.pods())
      if (known.namespace === namespace && !there.has(known.uid) && known.since < asked) this.end(known.uid)
    for (const pod of pods) this.observe(pod, false)
  }

  policyReplaced(): void {
    for (const pod of this.pods()) {
      const next = { ...pod, sandbox: this.#options.make(pod) }
      this.#byUid.set(pod.uid, next)
      this.#byAddress.set(pod.address, next)
    }
  }
}
