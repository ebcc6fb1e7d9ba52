import { join } from 'node:path'
import type { AgentRecipe } from '../../../agents/recipe.js'
import { engineAdvisory } from '../../../doctor/advisories.js'
import type { DockerHost } from './host.js'
import { DEFAULT_IMAGE, dockerError, type DockerOptions } from './options.js'

/** What another engine than Docker's calls itself: it speaks Docker's interface, and has a component `Engine` for that. */
const OTHER_ENGINE = /^(?!Engine$).*engine/i

/**
 * Version of the engine. Throws a SandboxError if it is another one than Docker Engine. Threat: Podman accepts the option that takes
 * the host out of a sandbox's network, and drops it.
 */
export async function engineVersion(host: DockerHost): Promise<string> {
  const { code, stdout } = await host.docker(['version', '--format', '{{json .Server}}'])
  const server = readServer(stdout)
  if (code !== 0 && server === null)
    throw dockerError('Cannot read the Docker engine version', 'Check the output of `docker version`')
  const names = server?.components ?? []
  const other = names.find((name) => OTHER_ENGINE.test(name))
  if (server === null || other !== undefined || !names.includes('Engine'))
    throw notDocker(other ?? 'another one, such as Podman')
  return server.version
}

/** Also for an engine that has another name, and does not do what it was asked. */
export function notDocker(what: string): Error {
  return dockerError(
    `The engine is not Docker Engine but ${what}: the host is reachable from its internal networks`,
    'Use --backend namespaces, which needs no engine, or install Docker Engine (docs/docker.md)',
  )
}

function readServer(text: string): { version: string; components: string[] } | null {
  try {
    const server = JSON.parse(text) as { Version?: unknown; Components?: { Name?: unknown }[] } | null
    const components = (server?.Components ?? []).map(({ Name }) => String(Name))
    return typeof server?.Version === 'string' ? { version: server.Version, components } : null
  } catch {
    return null
  }
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
  { baseImage }: DockerOptions,
  say: (message: string) => void,
): Promise<void> {
  say('Building the default sandbox image (once)…')
  await build(host, DEFAULT_IMAGE, 'sandbox.Dockerfile', { NODE_IMAGE: baseImage })
}

/** The image that an agent runs in unless the user names another. */
export const agentImage = (name: string): string => `agent-egress-sandbox-${name}:local`

/** Builds the image of an agent, with the package of its program. Throws a SandboxError. */
export async function buildAgentImage(
  host: DockerHost,
  { name, title, package: { registry, name: packageName } }: AgentRecipe,
  options: DockerOptions,
  say: (message: string) => void,
): Promise<void> {
  if ((await host.docker(['image', 'inspect', DEFAULT_IMAGE])).code !== 0)
    await buildDefaultImage(host, options, say)
  say(
    `Building the image of ${title} (once; \`docker image rm ${agentImage(name)}\` makes the next run take a new version)…`,
  )
  await build(host, agentImage(name), 'agent.Dockerfile', {
    BASE: DEFAULT_IMAGE,
    [registry === 'npm' ? 'NPM' : 'PYPI']: packageName,
  })
}

async function build(
  host: DockerHost,
  image: string,
  file: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const directory = join(host.facts.root, 'docker')
  const words = Object.entries(values).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`])
  const { code } = await host.docker(
    ['build', '-q', '-t', image, ...words, '-f', join(directory, file), directory],
    { showErrors: true },
  )
  if (code !== 0)
    throw dockerError(
      `Could not build the image ${image}`,
      'Fix the error above, or choose another image with --image',
    )
}
