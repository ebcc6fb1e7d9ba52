/** What the gateway looks at in a pod. */
export interface Pod {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly serviceAccount: string
  /** Milliseconds since 1970, to the second. */
  readonly created: number
  /** Every address that the pod has; empty until its network exists. */
  readonly addresses: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** True with the network of its node, whose address it shares with others. */
  readonly onHostNetwork: boolean
  /** True once nothing of it should speak any more: it has ended, or it was told to. */
  readonly isEnding: boolean
}

/** Says which shard of the gateway serves a pod. Whoever can change it can create pods. */
export const SHARD_LABEL = 'egress/shard'

/** Labels with this prefix are in each record of the pod. */
const AUDIT_PREFIX = 'audit.egress/'

/** Of the eight labels that a sandbox may have, two say where it is. */
const MAX_OWN_LABELS = 6
const MAX_VALUE = 128

type Json = Readonly<Record<string, unknown>>

/** Null if it is not a pod, or not one that was ever accepted by an API server. */
export function readPod(value: unknown): Pod | null {
  const { metadata, spec, status } = object(value)
  const { uid, namespace, name, labels, creationTimestamp, deletionTimestamp } = object(metadata)
  const { serviceAccountName, hostNetwork } = object(spec)
  const { podIPs, phase } = object(status)
  if (![uid, namespace, name].every((part) => typeof part === 'string' && part !== '')) return null
  return {
    uid: String(uid),
    namespace: String(namespace),
    name: String(name),
    serviceAccount: typeof serviceAccountName === 'string' ? serviceAccountName : '',
    created: Date.parse(String(creationTimestamp)) || 0,
    addresses: Array.isArray(podIPs) ? podIPs.map((one) => String(object(one)['ip'])) : [],
    labels: Object.fromEntries(Object.entries(object(labels)).map(([key, text]) => [key, String(text)])),
    onHostNetwork: hostNetwork === true,
    isEnding: deletionTimestamp !== undefined || phase === 'Succeeded' || phase === 'Failed',
  }
}

/** The labels of its records: where it is, then those that its owner chose for that. */
export function auditLabels({ namespace, name, labels }: Pod): readonly string[] {
  const own = Object.entries(labels)
    .filter(([key]) => key.startsWith(AUDIT_PREFIX))
    .map(([key, value]) => `${key.slice(AUDIT_PREFIX.length)}=${value}`)
    .filter((label) => /^(?!(?:namespace|pod)=)[A-Za-z][A-Za-z0-9_.-]{0,31}=[\x20-\x7e]{1,128}$/.test(label))
    .sort()
    .slice(0, MAX_OWN_LABELS)
  return [`namespace=${namespace}`, `pod=${name.slice(0, MAX_VALUE)}`, ...own]
}

/** Short enough to read, and found in the pod's own UID, which is random. */
export function sandboxIdOf({ uid }: Pick<Pod, 'uid'>): string {
  return `pod-${uid.slice(0, 13)}`
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {}
}
