import type { Policy } from '#firewall/contracts/policy.js'
import type { RegisteredSandbox, SandboxRef } from '#firewall/contracts/identity.js'
import type { Audit } from '../audit/audit.js'
import { sandboxEnvironment } from '../common/environment.js'
import type { ProgramLog } from '../common/log.js'
import type { HealthCheck } from '../control/health.js'
import type { SandboxSource } from '../serve/sandbox-source.js'
import { admitPod } from './admit-pod.js'
import type { KubernetesApi } from './api.js'
import { KeptPods } from './kept-pods.js'
import { readPod, SHARD_LABEL } from './pod.js'
import { PodRegistry, type RegisteredPod } from './pod-registry.js'
import { PodWatch } from './pod-watch.js'
import { servePodListeners } from './registration-listener.js'
import { clusterIpOf, type KubernetesSettings } from './settings.js'
import { standInsFrom } from './stand-ins.js'
import { refused } from './token-review.js'

export interface PodIdentityOptions {
  readonly api: KubernetesApi
  readonly settings: KubernetesSettings
  readonly policy: () => Policy
  readonly policyHash: () => string | null
  /** PEM of the certificate authority's certificate and key. */
  readonly authority: { readonly certificate: string; readonly key: string }
  readonly audit: Pick<Audit, 'sandbox'>
  readonly operatorAdmits: (sandbox: SandboxRef) => void
  /** Removes the counters of a sandbox. */
  readonly drop: (sandbox: string) => void
  readonly log: Pick<ProgramLog, 'info' | 'warn' | 'error'>
  readonly now: () => number
}

/** Pods as sandboxes: who may be one, at which address, and until when. */
export interface PodIdentity extends SandboxSource {
  readonly check: HealthCheck
  close(): void
}

/** Restores what was registered before, follows the pods, and takes new registrations. @throws EgressError */
export async function startPodIdentity(options: PodIdentityOptions): Promise<PodIdentity> {
  const { api, settings, policy, authority, audit, drop, log, now } = options
  const { namespaces, shard, ownNamespace, service } = settings
  const standIns = standInsFrom(authority.key)
  const registry = new PodRegistry({
    gatewayAddress: await gatewayAddress(api, ownNamespace, service),
    make({ id, uid, namespace, serviceAccount, labels }) {
      const agent = agentOf(policy(), `${namespace}/${serviceAccount}`)
      return agent === null ? null : { id, agent, labels, placeholders: standIns(policy(), agent, uid) }
    },
    ended(pod) {
      recordEnd(pod, audit, now)
      drop(pod.id)
      void keep().catch((error: unknown) => log.warn(messageOf(error)))
    },
  })
  const kept =
    settings.state === null ? null : new KeptPods(api, ownNamespace, settings.state, () => registry.pods())
  const keep = () => kept?.write() ?? Promise.resolve()
  if (kept !== null) await restore(api, namespaces, shard, kept, registry, now)
  const watch = new PodWatch({
    api,
    namespaces,
    shard,
    observe: (pod, isDeleted) => registry.observe(pod, isDeleted),
    observeAll: (namespace, pods, asked) => registry.observeAll(namespace, pods, asked),
    warn: (message) => log.warn(message),
    now,
  })
  watch.start()
  const admission = {
    ...{ api, shard, namespaces, registry, policy, audit, keep, now },
    operatorAdmits: options.operatorAdmits,
    policyHash: options.policyHash,
  }
  const listeners = await servePodListeners({
    admit: (token, source) => admitPod(token, source, admission),
    answer: ({ pod, agent }) => ({
      sandbox: pod.id,
      agent,
      environment: sandboxEnvironment(policy(), pod.sandbox ?? { agent, placeholders: new Map() }, [
        pod.address,
      ]),
      authority: authority.certificate,
    }),
    refused: (source, { problem }) => log.warn(`A pod at ${source} was not registered: ${problem}`),
    fail: (error) => log.error('Internal error on a registration', error),
    now,
  })
  return {
    identify: (peer) => registry.identify(peer),
    gatewayAddress: registry.gatewayAddress,
    has: (id) => registry.has(id),
    isSandboxAddress: (address) => registry.isSandboxAddress(address),
    list: () => registry.list(),
    check: watch.check,
    policyReplaced: () => registry.policyReplaced(),
    close() {
      watch.close()
      listeners.close()
      api.close()
    },
  }
}

/** The agent whose service account this is; null if there is none, also in a policy without `agents`. */
function agentOf({ agents }: Policy, account: string): string | null {
  for (const agent of agents.values())
    if (agent.serviceAccounts?.includes(account) === true) return agent.name
  return null
}

async function gatewayAddress(api: KubernetesApi, namespace: string, service: string): Promise<string> {
  const { status, body } = await api.ask(`/api/v1/namespaces/${namespace}/services/${service}`)
  if (status !== 200) throw refused(`read the Service ${service}`, status)
  return clusterIpOf(body, service)
}

/** Those that are still there, as they are now. Before anything is served. */
async function restore(
  api: KubernetesApi,
  namespaces: readonly string[],
  shard: string,
  kept: KeptPods,
  registry: PodRegistry,
  now: () => number,
): Promise<void> {
  const before = new Map((await kept.read()).map(({ uid, address }) => [uid, address]))
  if (before.size === 0) return
  for (const namespace of namespaces) {
    const query = `labelSelector=${encodeURIComponent(`${SHARD_LABEL}=${shard}`)}`
    const { status, body } = await api.ask(`/api/v1/namespaces/${namespace}/pods?${query}`)
    if (status !== 200) throw refused(`list pods in ${namespace}`, status)
    for (const item of (body as { items: readonly unknown[] }).items) {
      const pod = readPod(item)
      const address = pod === null ? undefined : before.get(pod.uid)
      if (pod === null || address === undefined) continue
      if (!pod.isEnding && !pod.onHostNetwork && pod.addresses.includes(address))
        registry.add(registry.describe(pod, address, now()))
    }
  }
}

function recordEnd(
  { id, labels, sandbox }: RegisteredPod,
  audit: Pick<Audit, 'sandbox'>,
  now: () => number,
): void {
  const ended: Pick<RegisteredSandbox, 'id' | 'agent' | 'labels'> = {
    id,
    agent: sandbox?.agent ?? '',
    labels,
  }
  try {
    audit.sandbox({ at: now(), sandbox: ended, action: 'sandbox-end', command: '', exitCode: null })
  } catch {
    // The audit log reports its own errors, and has closed the gateway.
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
