import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GatewayContainers } from './clean-up.js'
import { engineVersion } from './engine.js'
import type { DockerHost } from './host.js'
import { dockerError, type DockerOptions } from './options.js'

/** The gateway's containers, as Compose created them. */
export interface Gateway extends GatewayContainers {
  /** whether both containers are running */
  readonly running: boolean
}

const HEALTH_ATTEMPTS = 60

/** `unset` if the gateway was never set up, `no engine` if the engine is not responding. */
export type FoundGateway = Gateway | 'unset' | 'no engine'

/** Finds the gateway's containers. */
export async function findGateway(
  host: DockerHost,
  { project }: Pick<DockerOptions, 'project'>,
): Promise<FoundGateway> {
  const { code, stdout } = await host.docker([
    ...['ps', '-a', '--filter', `label=com.docker.compose.project=${project}`],
    ...['--filter', 'label=io.egress.role', '--format', '{{.Label "io.egress.role"}} {{.ID}} {{.State}}'],
  ])
  if (code !== 0) return 'no engine'
  const found = stdout
    .split('\n')
    .map((line) => line.trim().split(' '))
    .filter(([role]) => role === 'dns' || role === 'proxy')
  const containerOf = (role: string) => found.find(([of]) => of === role)?.[1]
  const dns = containerOf('dns')
  const proxy = containerOf('proxy')
  if (dns === undefined || proxy === undefined) return 'unset'
  return { dns, proxy, running: found.every(([, , state]) => state === 'running') }
}

/** Returns a running gateway; starts or creates it if necessary. Throws a SandboxError. */
export async function openGateway(
  host: DockerHost,
  found: FoundGateway,
  options: Pick<DockerOptions, 'project'>,
  say: (message: string) => void,
): Promise<Gateway> {
  if (found === 'no engine')
    throw dockerError('The Docker engine is not responding', 'Start Docker (details: `docker info`)')
  if (found !== 'unset' && found.running) return found
  const gateway = found === 'unset' ? await composeUp(host, options, say) : await restart(host, found)
  await untilHealthy(host, gateway)
  return gateway
}

async function restart(host: DockerHost, gateway: Gateway): Promise<Gateway> {
  const { code } = await host.docker(['start', gateway.proxy, gateway.dns], { showErrors: true })
  if (code !== 0) throw dockerError('Could not start the gateway', 'Fix the error above')
  return gateway
}

async function composeUp(
  host: DockerHost,
  options: Pick<DockerOptions, 'project'>,
  say: (message: string) => void,
): Promise<Gateway> {
  if ((await host.docker(['compose', 'version'])).code !== 0)
    throw dockerError(
      'The gateway is not running, and Docker Compose is not installed',
      'Install the Docker Compose plugin, then run `docker compose up -d`',
    )
  await engineVersion(host)
  say('Starting the gateway (the first start builds its image)…')
  const { root } = host.facts
  const { code } = await host.docker(
    [
      ...['compose', '--project-directory', root, '-f', join(root, 'docker-compose.yml')],
      ...['-p', options.project, 'up', '-d'],
    ],
    { showErrors: true },
  )
  if (code !== 0)
    throw dockerError(
      'Could not start the gateway',
      'Fix the error above; if it says "Pool overlaps", set EGRESS_AGENTS_SUBNET to another network (docs/docker.md)',
    )
  const found = await findGateway(host, options)
  if (typeof found === 'string')
    throw dockerError('The gateway did not start', 'Check the output of `docker compose logs`')
  return found
}

async function untilHealthy(host: DockerHost, gateway: Gateway): Promise<void> {
  for (let attempt = 1; attempt < HEALTH_ATTEMPTS; attempt += 1) {
    const asked = [gateway.proxy, gateway.dns].map((id) =>
      host.docker(['exec', id, 'egress-admin', 'health']),
    )
    if ((await Promise.all(asked)).every(({ code }) => code === 0)) return
    if (attempt % 5 === 0) {
      const { stdout } = await host.docker(['inspect', '--format', '{{.State.Status}}', gateway.proxy])
      if (stdout.trim() === 'restarting') break
    }
    await sleep(1000)
  }
  throw await gatewayAway(host, gateway)
}

/** Explains a gateway that is not responding with its last error: with an invalid policy it exits, and Docker restarts it. */
export async function gatewayAway(host: DockerHost, { proxy }: GatewayContainers): Promise<Error> {
  const { stdout, stderr } = await host.docker(['logs', '--tail', '20', proxy])
  const said = lastError(`${stdout}${stderr}`)
  return dockerError(
    `The gateway is not responding${said}`,
    'Fix the error above, then run `docker compose restart proxy` (details: `docker compose logs`)',
  )
}

/** The last two lines of an output that have the form of every error: the problem, and indented by two what to do. */
function lastError(output: string): string {
  const lines = output.split('\n')
  const at = lines.findLastIndex((line, index) => /^\S/.test(line) && /^ {2}\S/.test(lines[index + 1] ?? ''))
  return at === -1 ? '' : `\n${lines.slice(at, at + 2).join('\n')}`
}
