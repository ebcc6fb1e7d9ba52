import { findGateway, type FoundGateway } from '../sandbox/backends/docker/gateway.js'
import type { DockerHost } from '../sandbox/backends/docker/host.js'
import { dockerError, dockerOptions } from '../sandbox/backends/docker/options.js'
import { usage, type RunOptions } from './options.js'

export type Choice =
  { readonly name: 'namespaces' } | { readonly name: 'docker'; readonly gateway: Promise<FoundGateway> }

/**
 * The backend that a run takes. A gateway that was set up once is meant to be used: `auto` takes Docker where there is one,
 * and where an option asks for what only Docker has. Throws an EgressError.
 */
export async function chooseBackend(
  options: RunOptions,
  env: Readonly<Record<string, string | undefined>>,
  host: DockerHost,
): Promise<Choice> {
  const { backend = 'namespaces' } = options
  const onlyDocker =
    options.image !== undefined || options.tty || options.allowOldEngine || options.limits.processors !== null
  const onlyNamespaces = options.policy !== undefined || options.auditDir !== undefined
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
