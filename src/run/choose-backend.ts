import { findGateway, type FoundGateway } from '../sandbox/backends/docker/gateway.js'
import type { DockerHost } from '../sandbox/backends/docker/host.js'
import { dockerError, dockerOptions } from '../sandbox/backends/docker/options.js'
import { type RunOptions } from './options.js'
import { usage } from './usage.js'

export type Choice =
  { readonly name: 'namespaces' } | { readonly name: 'docker'; readonly gateway: Promise<FoundGateway> }

/**
 * Chooses the backend of a run. `auto` chooses Docker if a gateway was set up, or if an option requires Docker; otherwise
 * namespaces. Throws an EgressError.
 */
export async function chooseBackend(
  options: RunOptions,
  env: Readonly<Record<string, string | undefined>>,
  host: DockerHost,
): Promise<Choice> {
  const { backend = 'namespaces' } = options
  const onlyDocker =
    options.image !== undefined || options.tty || options.allowOldEngine || options.limits.processors !== null
  const onlyNamespaces = options.policy !== undefined || options.auditDir !== undefined || options.observe
  const gateway = () => findGateway(host, dockerOptions(env, options))
  if (backend === 'docker') return { name: 'docker', gateway: gateway() }
  if (backend === 'namespaces') {
    if (onlyDocker)
      throw usage(
        'The options --image, --tty, --limit cpus and --allow-old-engine require the Docker backend',
        'Remove them, or add --backend docker',
      )
    return { name: 'namespaces' }
  }
  if (backend !== 'auto') throw usage(`Unknown backend \`${backend}\``, 'Use docker, namespaces or auto')
  if (onlyNamespaces) return { name: 'namespaces' }
  const found = await gateway()
  if (found === 'no engine' && onlyDocker)
    throw dockerError(
      'The options --image, --tty, --limit cpus and --allow-old-engine require Docker, and the Docker engine is not responding',
      'Start Docker (details: `docker info`)',
    )
  return onlyDocker || typeof found !== 'string'
    ? { name: 'docker', gateway: Promise.resolve(found) }
    : { name: 'namespaces' }
}
