import type { CommandIo } from '../common/io.js'
import { engineVersion } from '../sandbox/backends/docker/engine.js'
import { openGateway, type Gateway, type FoundGateway } from '../sandbox/backends/docker/gateway.js'
import type { DockerHost } from '../sandbox/backends/docker/host.js'
import { dockerOptions } from '../sandbox/backends/docker/options.js'

/** Facts that the probes cannot find out inside the sandbox, as arguments for them, and the image that contains the probes. */
export async function factsForDoctor(
  host: DockerHost,
  io: CommandIo,
  found: FoundGateway,
): Promise<{ args: string[]; image: string; gateway: Gateway }> {
  const none = { image: undefined, allowOldEngine: true }
  const gateway = await openGateway(
    host,
    found,
    dockerOptions(io.env, none),
    (message) => void io.stderr.write(`egress: ${message}\n`),
  )
  const inspect = async (format: string) =>
    (await host.docker(['container', 'inspect', '--format', format, gateway.proxy])).stdout.trim()
  const [engine, image, others, networks, own] = await Promise.all([
    engineVersion(host),
    inspect('{{.Config.Image}}'),
    inspect('{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'),
    bridgeAddresses(host),
    host.addresses(),
  ])
  const flag = (name: string, values: readonly string[]) =>
    values.filter((value) => value.split('.').length === 4).flatMap((value) => [name, value])
  return {
    image,
    gateway,
    args: [
      ...flag('--other', others.split(' ')),
      ...flag('--host', [...networks, ...own]),
      ...['--engine', engine],
    ],
  }
}

/** The host's addresses on the networks of the engine. */
async function bridgeAddresses(host: DockerHost): Promise<string[]> {
  const ids = (await host.docker(['network', 'ls', '-q'])).stdout.trim().split('\n')
  const format = '{{range .IPAM.Config}}{{.Gateway}} {{end}}'
  const { stdout } = await host.docker(['network', 'inspect', '--format', format, ...ids])
  return stdout.split(/\s+/)
}
