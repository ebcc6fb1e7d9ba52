import { isIP } from 'node:net'
import { EgressError } from '../common/errors.js'

/** What `egress serve` needs to know to serve pods. The chart sets the variables. */
export interface KubernetesSettings {
  /** Namespaces whose pods may register. */
  readonly namespaces: readonly string[]
  /** This shard of the gateway: the value of the label with which pods choose it. */
  readonly shard: string
  /** The gateway's own namespace, where it keeps what it must not forget. */
  readonly ownNamespace: string
  /** The Service in front of this shard; its ClusterIP is in every DNS answer. */
  readonly service: string
  /** A ConfigMap of this shard's own; null to forget at every restart. */
  readonly state: string | null
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** Null outside Kubernetes. @throws EgressError */
export function readKubernetesSettings(
  env: Readonly<Record<string, string | undefined>>,
): KubernetesSettings | null {
  const { EGRESS_KUBERNETES_NAMESPACES: listed = '' } = env
  if (listed.trim() === '') return null
  const namespaces = listed.split(/[\s,]+/).filter((name) => name !== '')
  const wrong = namespaces.find((name) => !LABEL.test(name))
  if (wrong !== undefined)
    throw invalid(`EGRESS_KUBERNETES_NAMESPACES: \`${wrong}\` is not a namespace`, 'Write names with commas')
  const name = (variable: string, otherwise?: string): string => {
    const value = env[variable] ?? otherwise ?? ''
    if (LABEL.test(value)) return value
    throw invalid(`${variable} is \`${value}\`, not a name`, 'Set it as kubernetes/chart does')
  }
  const service = name('EGRESS_POD_NAME')
  const shard = /(?:^|-)(\d+)$/.exec(service)?.[1]
  if (shard === undefined)
    throw invalid(
      `${service} is not a pod of a StatefulSet`,
      'Install the gateway with the chart in kubernetes/chart',
    )
  const state = env['EGRESS_KUBERNETES_STATE'] ?? ''
  return {
    namespaces,
    shard,
    ownNamespace: name('EGRESS_POD_NAMESPACE'),
    service,
    state: state === '' ? null : name('EGRESS_KUBERNETES_STATE'),
  }
}

/** The ClusterIP of a Service as the API has it. @throws EgressError */
export function clusterIpOf(service: unknown, name: string): string {
  const { spec } = (service ?? {}) as { spec?: { clusterIP?: unknown } }
  const address = String(spec?.clusterIP)
  if (isIP(address) === 4) return address
  throw invalid(
    `The Service ${name} has no IPv4 ClusterIP`,
    'Give each shard a Service with one, as kubernetes/chart does',
  )
}

function invalid(problem: string, fix: string): EgressError {
  return new EgressError({ code: 'EGRESS_KUBERNETES', problem, fix })
}
