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
  const [engine, image, others, networks, own, lateFiles] = await Promise.all([
    engineVersion(host),
    inspect('{{.Config.Image}}'),
    inspect('{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'),
    bridgeAddresses(host),
    host.addresses(),
    inspect('{{.Image}}').then((id) => whyNotHidden(host, id)),
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
      ...(lateFiles === null ? [] : ['--late-files', lateFiles]),
    ],
  }
}

/** Why a helper container could not hide files in a running sandbox; null if it could. */
async function whyNotHidden(host: DockerHost, image: string): Promise<string | null> {
  const { code, stderr } = await host.docker([
    ...['run', '--rm', '--privileged', '--userns', 'host', '--pid', 'host'],
    ...['--network', 'none', '--no-healthcheck'],
    ...[
      '--user',
      '0:0',
      '--entrypoint',
      'perl',
      image,
      '-e',
      'open(my $f, "<", "/proc/1/ns/mnt") or die "$!\n"',
    ],
  ])
  return code === 0 ? null : stderr.trim().split('\n')[0] || 'the helper container does not start'
}

/** The host's addresses on the networks of the engine. */
async function bridgeAddresses(host: DockerHost): Promise<string[]> {
  const ids = (await host.docker(['network', 'ls', '-q'])).stdout.trim().split('\n')
  const format = '{{range .IPAM.Config}}{{.Gateway}} {{end}}'
  const { stdout } = await host.docker(['network', 'inspect', '--format', format, ...ids])
  return stdout.split(/\s+/)
}
