import { AGENT_IMAGE, apply, get, GATE_IMAGE, kubectl, kubectlOk, until } from './cluster.js'

export interface AgentPod {
  readonly name: string
  readonly namespace?: string
  readonly serviceAccount?: string
  /** ClusterIP of its shard. */
  readonly gateway: string
  readonly command: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  /** False to leave out what holds the agent back. */
  readonly init?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** A ConfigMap that is copied to /work. */
  readonly files?: string
  /** Changes the manifest in the end. */
  readonly change?: (pod: Manifest) => void
}

export interface Manifest {
  readonly metadata: { labels: Record<string, string>; name: string; namespace: string }
  readonly spec: Record<string, unknown> & {
    volumes: { name: string; [more: string]: unknown }[]
    containers: [Container, ...Container[]]
    initContainers: Container[]
  }
}

interface Container {
  name: string
  volumeMounts: { name: string; mountPath: string; [more: string]: unknown }[]
  [more: string]: unknown
}

/** What `restricted` asks of a container. */
const RESTRICTED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
}

/** The pod of docs/kubernetes.md, with what a test needs. */
export function agentPod(options: AgentPod): Manifest {
  const { name, namespace = 'agents', serviceAccount = 'demo', gateway, command, files } = options
  const { labels = {}, init = true, env = {}, change } = options
  const pod: Manifest & { apiVersion: string; kind: string } = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { 'egress/shard': '0', ...labels } },
    spec: {
      serviceAccountName: serviceAccount,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      dnsPolicy: 'None',
      dnsConfig: { nameservers: [gateway], options: [{ name: 'ndots', value: '1' }] },
      hostAliases: [{ ip: gateway, hostnames: ['egress'] }],
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        fsGroup: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      initContainers: init
        ? [
            {
              name: 'egress',
              image: GATE_IMAGE,
              imagePullPolicy: 'Never',
              command: ['egress-pod-init'],
              env: [{ name: 'EGRESS_PATIENCE', value: '30' }],
              securityContext: RESTRICTED,
              volumeMounts: [
                { name: 'egress', mountPath: '/etc/egress' },
                { name: 'egress-token', mountPath: '/var/run/secrets/egress', readOnly: true },
              ],
            },
          ]
        : [],
      containers: [
        {
          name: 'agent',
          image: AGENT_IMAGE,
          imagePullPolicy: 'Never',
          command: init ? ['/etc/egress/enter', ...command] : command,
          workingDir: '/work',
          env: Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
          securityContext: RESTRICTED,
          volumeMounts: [
            { name: 'egress', mountPath: '/etc/egress', readOnly: true },
            { name: 'egress', mountPath: '/etc/ssl/certs', readOnly: true },
            { name: 'work', mountPath: '/work' },
            { name: 'work', mountPath: '/tmp' },
            ...(files === undefined ? [] : [{ name: 'files', mountPath: '/files', readOnly: true }]),
          ],
        },
      ],
      volumes: [
        { name: 'egress', emptyDir: { sizeLimit: '16Mi' } },
        { name: 'work', emptyDir: {} },
        {
          name: 'egress-token',
          projected: {
            sources: [{ serviceAccountToken: { audience: 'egress', path: 'token', expirationSeconds: 600 } }],
          },
        },
        ...(files === undefined ? [] : [{ name: 'files', configMap: { name: files } }]),
      ],
    },
  }
  change?.(pod)
  return pod
}

interface PodStatus {
  readonly metadata: { readonly uid: string }
  readonly status: {
    readonly phase: string
    readonly podIP?: string
    readonly initContainerStatuses?: readonly ContainerStatus[]
    readonly containerStatuses?: readonly ContainerStatus[]
  }
}

interface ContainerStatus {
  readonly state: { readonly terminated?: { readonly exitCode: number } }
}

export interface PodResult {
  readonly uid: string
  readonly address: string
  readonly phase: string
  /** Of the agent; null if it never started. */
  readonly exitCode: number | null
  readonly output: string
  /** Of the init container. */
  readonly initOutput: string
}

export const podOf = (namespace: string, name: string) => get<PodStatus>(namespace, 'pod', name)

/** Starts pods, waits for their ends, and removes them. */
export async function runPods(pods: readonly AgentPod[], ms = 180_000): Promise<PodResult[]> {
  await apply(...pods.map(agentPod))
  return Promise.all(pods.map((pod) => resultOf(pod, ms)))
}

export async function runPod(pod: AgentPod, ms?: number): Promise<PodResult> {
  const [result] = await runPods([pod], ms)
  if (result === undefined) throw new Error('no pod')
  return result
}

async function resultOf({ name, namespace = 'agents' }: AgentPod, ms: number): Promise<PodResult> {
  const ended = await until(
    `the end of pod ${name}`,
    async () => {
      const pod = await podOf(namespace, name)
      return pod !== null && ['Succeeded', 'Failed'].includes(pod.status.phase) ? pod : null
    },
    ms,
  )
  const [output, initOutput] = await Promise.all([
    logsOf(namespace, name, 'agent'),
    logsOf(namespace, name, 'egress'),
  ])
  await removePod(namespace, name)
  return {
    uid: ended.metadata.uid,
    address: ended.status.podIP ?? '',
    phase: ended.status.phase,
    exitCode: ended.status.containerStatuses?.[0]?.state.terminated?.exitCode ?? null,
    output,
    initOutput,
  }
}

export async function logsOf(namespace: string, name: string, container: string): Promise<string> {
  const { stdout } = await kubectl(['logs', '-n', namespace, name, '-c', container])
  return stdout
}

export async function removePod(namespace: string, name: string): Promise<void> {
  await kubectlOk(['delete', 'pod', name, '-n', namespace, '--ignore-not-found', '--wait=true'])
}
