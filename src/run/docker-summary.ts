import type { SandboxSummary } from '../control/summary-route.js'
import { summaryLine } from '../logs/run-summary.js'
import type { GatewayContainers } from '../sandbox/backends/docker/clean-up.js'
import type { DockerHost } from '../sandbox/backends/docker/host.js'
import { quietHosts } from './run-recipe.js'

/**
 * What the gateway refused to a sandbox that has ended, in one line; null if there is nothing to tell, or no role answers: then
 * the log has it.
 */
export async function dockerSummary(
  host: DockerHost,
  { dns, proxy }: GatewayContainers,
  id: string,
  quiet: readonly string[],
): Promise<string | null> {
  const asked = await Promise.all([proxy, dns].map((container) => ask(host, container, id)))
  const found = asked.filter((one) => one !== null)
  const line = summaryLine(found, quietHosts([...quiet, ...found.flatMap((one) => one.quiet)]))
  return line === null ? null : `${line}: docker compose exec proxy egress logs --denied`
}

async function ask(host: DockerHost, container: string, id: string): Promise<SandboxSummary | null> {
  const words = ['exec', container, 'egress-admin', 'request', 'GET', `/sandboxes/${id}/summary`]
  const { code, stdout } = await host.docker(words)
  if (code !== 0) return null
  try {
    const { status, body } = JSON.parse(stdout) as { status: number; body: SandboxSummary }
    return status === 200 ? body : null
  } catch {
    return null
  }
}
