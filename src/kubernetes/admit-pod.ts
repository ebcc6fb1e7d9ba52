import type { Policy } from '#firewall/contracts/policy.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { Audit } from '../audit/audit.js'
import type { Explanation } from '../common/errors.js'
import type { KubernetesApi } from './api.js'
import { readPod, SHARD_LABEL, type Pod } from './pod.js'
import type { PodRegistry, RegisteredPod } from './pod-registry.js'
import { refused, reviewToken, type Claim } from './token-review.js'

/** What became of an attempt to register. */
export type Admission =
  | { readonly outcome: 'registered'; readonly pod: RegisteredPod; readonly agent: string }
  /** Ask again in a moment: the API server does not know the pod's address yet. */
  | ({ readonly outcome: 'early' } & Explanation)
  | ({ readonly outcome: 'refused' } & Explanation)

export interface AdmitOptions {
  readonly api: Pick<KubernetesApi, 'ask'>
  readonly shard: string
  readonly namespaces: readonly string[]
  readonly registry: PodRegistry
  readonly policy: () => Policy
  /** Refuses while an operator has stopped all. @throws EgressError */
  readonly operatorAdmits: (sandbox: SandboxRef) => void
  readonly audit: Pick<Audit, 'sandbox'>
  /** Resolves when the registrations are kept over a restart. */
  readonly keep: () => Promise<void>
  readonly policyHash: () => string | null
  readonly now: () => number
}

/**
 * Registers the pod that a token proves, if that is the pod that speaks. Token, pod, service account and source address must
 * agree: a token that was carried away is worth nothing elsewhere, and an address proves nothing without one.
 *
 * @param source address of the connection, as the socket reports it
 * @throws EgressError, AuditUnavailable
 */
export async function admitPod(token: string, source: string, options: AdmitOptions): Promise<Admission> {
  const { api, registry, audit, keep, now } = options
  const claim = await reviewToken(api, token)
  if (claim === null)
    return no(
      'The token proves nothing here',
      'Mount a projected service-account token with the audience `egress`, as docs/kubernetes.md shows',
    )
  if (!options.namespaces.includes(claim.namespace))
    return no(
      `Pods of the namespace ${claim.namespace} are not served`,
      'Start the pod in a namespace that the gateway was installed for',
    )
  const pod = await podOf(claim, api)
  const wrong = objection(pod, claim, source, options.shard)
  if (wrong !== null) return wrong
  if (pod === null) throw new Error('unreachable')
  const known = registry.byUid(pod.uid)
  if (known?.address === source && known.sandbox !== null)
    return { outcome: 'registered', pod: known, agent: known.sandbox.agent }
  const described = registry.describe(pod, source, now())
  const { sandbox } = described
  if (sandbox === null)
    return no(
      `No agent of the policy is the service account ${pod.namespace}/${pod.serviceAccount}`,
      'Run the pod as a service account that is an agent; whoever runs the gateway knows them',
    )
  options.operatorAdmits(sandbox)
  audit.sandbox({
    at: now(),
    sandbox,
    action: 'sandbox-start',
    command: '',
    exitCode: null,
    start: {
      user: '',
      image: null,
      directory: '',
      commandLine: '',
      policyHash: options.policyHash(),
    },
  })
  registry.add(described)
  try {
    await keep()
  } catch (error) {
    registry.end(pod.uid)
    throw error
  }
  // It may have ended, or lost its address, in the meantime.
  const added = registry.byUid(pod.uid)
  if (added === null) return no('The pod ended while it registered', 'Start it again')
  return { outcome: 'registered', pod: added, agent: sandbox.agent }
}

/** The pod as the API server has it now; null if there is none. */
async function podOf({ namespace, podName }: Claim, api: AdmitOptions['api']): Promise<Pod | null> {
  const { status, body } = await api.ask(`/api/v1/namespaces/${namespace}/pods/${podName}`)
  if (status === 404) return null
  if (status !== 200) throw refused(`read pods in ${namespace}`, status)
  return readPod(body)
}

/** Why the pod of a claim is not the one that speaks, or not one of this shard; null if it is. */
export function objection(
  pod: Pod | null,
  claim: Claim,
  source: string,
  shard: string,
): Exclude<Admission, { outcome: 'registered' }> | null {
  if (pod === null || pod.uid !== claim.podUid || pod.isEnding)
    return no('The pod of this token has ended', 'Use the token of the pod that asks')
  if (pod.namespace !== claim.namespace || pod.name !== claim.podName)
    return no('The token is that of another pod', 'Use the token of the pod that asks')
  if (pod.serviceAccount !== claim.serviceAccount)
    return no('The token is that of another service account', 'Use the token of the pod that asks')
  if (pod.onHostNetwork)
    return no(
      'The pod has the network of its node, which is no address of its own',
      'Remove `hostNetwork` from the pod',
    )
  const chosen = pod.labels[SHARD_LABEL]
  if (chosen !== shard)
    return no(
      `This is shard ${shard} of the gateway, and the pod belongs to ${chosen === undefined ? 'none' : `shard ${chosen}`}`,
      `Set the label ${SHARD_LABEL} of the pod to the shard whose address its dnsConfig has`,
    )
  if (pod.addresses.length === 0)
    return {
      outcome: 'early',
      problem: 'The API server does not know the address of the pod yet',
      fix: 'Ask again in a moment',
    }
  if (!pod.addresses.includes(source))
    return no(
      'The token came from another address than that of its pod',
      'Use the token of the pod that asks; there must be no proxy or address translation between it and the gateway',
    )
  return null
}

function no(problem: string, fix: string): { outcome: 'refused' } & Explanation {
  return { outcome: 'refused', problem, fix }
}
