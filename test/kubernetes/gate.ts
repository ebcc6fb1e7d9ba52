import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { demoPolicy } from '../demo/policy.js'
import { NAMES } from '../demo/names.js'
import { makeSecrets, type Secrets } from '../demo/secrets.js'
import { launchMockServices, type World } from '../servers/launch.js'
import { apply, CHART, get, GATE_IMAGE, helm, kubectl, kubectlOk, NODE_ADDRESS, until } from './cluster.js'

/** The gate of a test file, installed with the chart, and the world behind it. */
export interface Gate {
  readonly world: World
  readonly secrets: Secrets
  readonly unixName: string
  /** ClusterIPs of the shards. */
  readonly addresses: readonly string[]
  /** Records of the audit log, of all shards since they started. */
  records(): Promise<Readonly<Record<string, unknown>>[]>
  logs(shard?: number): Promise<string>
  close(): Promise<void>
}

interface PolicyShape {
  agents?: unknown
  [more: string]: unknown
}

/** Who is who in these tests. */
const AGENTS = {
  demo: { services: 'all', allow: 'all', kubernetes: ['agents/demo'] },
  jira: { services: ['jira'], kubernetes: ['agents/jira'] },
  llm: { services: ['llm'], kubernetes: ['agents/llm'] },
  echo: { services: ['echo'], kubernetes: ['agents/echo'] },
}

/** Removes what an earlier run has left, then installs the chart. */
export async function installGate({ shards = 1 } = {}): Promise<Gate> {
  await uninstall()
  const secrets = makeSecrets()
  const unixName = `egress-kubernetes-${String(process.pid)}`
  const world = await launchMockServices({
    ...{ secrets, unixName, addresses: { [NAMES.metadata]: '169.254.169.254' } },
    ...{ host: '0.0.0.0', dnsHost: NODE_ADDRESS },
  })
  const directory = await mkdtemp(join(tmpdir(), 'egress-kubernetes-'))
  try {
    const policy = parse(demoPolicy(world.ports, NODE_ADDRESS)) as PolicyShape
    await kubectlOk(['create', 'namespace', 'egress'])
    await kubectlOk(['label', 'namespace', 'egress', 'pod-security.kubernetes.io/enforce=restricted'])
    await apply(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'test-policy', namespace: 'egress' },
        data: { 'egress.yaml': stringify({ ...policy, agents: AGENTS }), 'ca.pem': world.ca },
      },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'egress-secrets', namespace: 'egress' },
        stringData: {
          'egress.env': Object.entries(secrets)
            .map(([name, value]: [string, string]) => `${name}=${value}\n`)
            .join(''),
        },
      },
    )
    const [repository = '', tag = ''] = GATE_IMAGE.split(':')
    const values = join(directory, 'values.yaml')
    await writeFile(
      values,
      stringify({ image: { repository, tag, pullPolicy: 'Never' }, shards, policyConfigMap: 'test-policy' }),
    )
    const installed = await helm(['install', 'egress', CHART, '--namespace', 'egress', '--values', values])
    if (installed.code !== 0) throw new Error(installed.stderr)
    await apply(
      ...['demo', 'jira', 'llm', 'echo', 'nobody'].map((name) => ({
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name, namespace: 'agents' },
      })),
    )
    const addresses: string[] = []
    for (let shard = 0; shard < shards; shard += 1) {
      await readyShard(shard)
      const service = await get<{ spec: { clusterIP: string } }>('egress', 'service', `egress-${shard}`)
      addresses.push(service?.spec.clusterIP ?? '')
    }
    const logs = async (shard = 0) => (await kubectl(['logs', '-n', 'egress', `egress-${shard}`])).stdout
    return {
      world,
      secrets,
      unixName,
      addresses,
      logs,
      records: async () => {
        const all = await Promise.all(addresses.map((_, shard) => logs(shard)))
        return all.flatMap((text) =>
          text
            .split('\n')
            .filter((line) => line.startsWith('{'))
            .map((line) => JSON.parse(line) as Record<string, unknown>),
        )
      },
      async close() {
        await world.close()
        await rm(directory, { recursive: true })
        if (process.env['EGRESS_KUBERNETES_KEEP'] !== '1') await uninstall()
      },
    }
  } catch (error) {
    await world.close()
    throw error
  }
}

/** Waits until a shard takes pods. */
export async function readyShard(shard: number): Promise<void> {
  try {
    await until(`shard ${shard}`, async () => {
      const pod = await get<{
        metadata: { deletionTimestamp?: string }
        status: { conditions?: { type: string; status: string }[] }
      }>('egress', 'pod', `egress-${shard}`)
      if (pod?.metadata.deletionTimestamp !== undefined) return null
      return pod?.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? null
    })
  } catch (error) {
    const { stdout } = await kubectl(['describe', 'pod', '-n', 'egress', `egress-${shard}`])
    const logs = await kubectl(['logs', '-n', 'egress', `egress-${shard}`])
    throw new Error(`${stdout}\n${logs.stdout}\n${logs.stderr}`, { cause: error })
  }
}

/** Removes what an earlier run has left. */
export async function uninstall(): Promise<void> {
  await helm(['uninstall', 'egress', '--namespace', 'egress', '--wait'])
  await kubectl(['delete', 'namespace', 'egress', 'agents', '--ignore-not-found', '--wait=true'])
  await kubectl(['delete', 'clusterrole,clusterrolebinding', '-l', 'app.kubernetes.io/name=egress'])
}
