import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** The chart, as users get it. */
export const CHART = fileURLToPath(new URL('../../../kubernetes/chart', import.meta.url))
const SCRIPT = fileURLToPath(new URL('../../../.ci/kubernetes-cluster.sh', import.meta.url))

/** Where the cluster of .ci/kubernetes-cluster.sh has its programs and what they know. */
const BIN = process.env['EGRESS_KUBERNETES_BIN'] ?? '/var/lib/egress-ci/kubernetes/bin'
const STATE = process.env['EGRESS_KUBERNETES_STATE'] ?? '/var/lib/egress-ci/kubernetes/state'

/** Address of the node, on which these tests run: nothing of theirs is further away than a pod. */
export const NODE_ADDRESS = '10.99.0.1'
/** What the cluster's only node has; neither is in a registry. */
export const GATE_IMAGE = process.env['EGRESS_KUBERNETES_IMAGE'] ?? 'agent-egress-firewall:local'
export const AGENT_IMAGE = 'agent-egress-sandbox:local'

/** Why these tests cannot run; null if they can. `npm run test:kubernetes` starts them where they can. */
export const NO_CLUSTER =
  process.env['EGRESS_TEST_KUBERNETES'] === '1' ? null : 'needs a cluster: npm run test:kubernetes'

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export function execute(program: string, args: readonly string[], input = ''): Promise<Ended> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, stdout, stderr }))
  })
}

export const kubectl = (args: readonly string[], input?: string) =>
  execute(`${BIN}/kube`, ['kubectl', `--kubeconfig=${STATE}/admin.kubeconfig`, ...args], input)

/** Its standard output. Throws what it said if it failed. */
export async function kubectlOk(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await kubectl(args, input)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout
}

export const helm = (args: readonly string[]) =>
  execute(`${BIN}/helm`, ['--kubeconfig', `${STATE}/admin.kubeconfig`, ...args])

/** Stops or starts one of the cluster's programs. */
export const program = (verb: 'start' | 'stop', name: string) => execute(SCRIPT, [verb, name])

export async function apply(...objects: readonly unknown[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: objects }
  await kubectlOk(['apply', '-f', '-'], JSON.stringify(list))
}

/** An object as the API has it; null if there is none. */
export async function get<T>(namespace: string, kind: string, name: string): Promise<T | null> {
  const { code, stdout, stderr } = await kubectl(['get', kind, name, '-n', namespace, '-o', 'json'])
  if (code === 0) return JSON.parse(stdout) as T
  if (stderr.includes('NotFound')) return null
  throw new Error(stderr)
}

/** Waits until `look` finds something. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | false>,
  ms = 120_000,
): Promise<T> {
  const end = Date.now() + ms
  for (;;) {
    const found = await look()
    if (found !== null && found !== false) return found
    if (Date.now() > end) throw new Error(`${what} did not happen within ${String(ms / 1000)} s`)
    await sleep(150)
  }
}
