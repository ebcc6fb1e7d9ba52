import { join } from 'node:path'
import { engineAdvisory } from '../../../doctor/advisories.js'
import type { DockerHost } from './host.js'
import { dockerError, type DockerOptions } from './options.js'

/** Version of the engine. Throws a SandboxError. */
export async function engineVersion(host: DockerHost): Promise<string> {
  const { code, stdout } = await host.docker(['version', '--format', '{{.Server.Version}}'])
  if (code !== 0 || stdout.trim() === '')
    throw dockerError('Cannot read the Docker engine version', 'Check the output of `docker version`')
  return stdout.trim()
}

/**
 * Throws for an engine whose resolver can forward queries from an internal network to the host's resolver (CVE-2024-29018).
 *
 * @returns a warning if the engine is merely outdated, otherwise null
 */
export function checkEngine(version: string, allowOldEngine: boolean): string | null {
  const advisory = engineAdvisory(version)
  if (advisory === null) return null
  if (!advisory.startsWith('CVE-'))
    return `Docker engine ${version} is outdated: before 26.1.3, internal networks do not resolve all names. Update Docker`
  if (allowOldEngine) return null
  throw dockerError(
    `Docker engine ${version} is vulnerable to ${advisory}: DNS queries can leave an internal network`,
    'Update to 26.1.3 or later, or accept the risk with --allow-old-engine (sandboxes do not use the resolver of the engine)',
  )
}

/** Builds the default image of sandboxes. Throws a SandboxError. */
export async function buildDefaultImage(
  host: DockerHost,
  { image, baseImage }: DockerOptions,
  say: (message: string) => void,
): Promise<void> {
  say('Building the default sandbox image (once)…')
  const directory = join(host.facts.root, 'docker')
  const { code } = await host.docker(
    [
      ...['build', '-q', '-t', image, '--build-arg', `NODE_IMAGE=${baseImage}`],
      ...['-f', join(directory, 'sandbox.Dockerfile'), directory],
    ],
    { showErrors: true },
  )
  if (code !== 0)
    throw dockerError(
      'Could not build the default sandbox image',
      'Fix the error above, or choose another image with --image',
    )
}
