import { SandboxError } from '../../sandbox-error.js'

export const DEFAULT_IMAGE = 'agent-egress-sandbox:local'

/** Settings of the Docker backend, from the environment and the options of a run. */
export interface DockerOptions {
  /** the Compose project of the gateway */
  readonly project: string
  /** address range for the networks of runs, in CIDR notation */
  readonly pool: string
  readonly image: string
  /** base of the default image, for a mirror */
  readonly baseImage: string
  readonly allowOldEngine: boolean
}

/** @throws SandboxError */
export function dockerOptions(
  env: Readonly<Record<string, string | undefined>>,
  given: { readonly image: string | undefined; readonly allowOldEngine: boolean },
): DockerOptions {
  const or = (value: string | undefined, standard: string) =>
    value === undefined || value === '' ? standard : value
  const image = given.image ?? or(env['EGRESS_IMAGE'], DEFAULT_IMAGE)
  // Threat: an image called `--privileged`, which docker would take for an option.
  if (!/^\w/.test(image))
    throw dockerError(`Invalid image name \`${image}\``, 'Use a name such as python:3.12-slim')
  return {
    project: or(env['COMPOSE_PROJECT_NAME'], 'egress'),
    pool: or(env['EGRESS_POOL'], '10.231.0.0/16'),
    image,
    baseImage: or(env['NODE_IMAGE'], 'node:24-bookworm-slim'),
    allowOldEngine: given.allowOldEngine || or(env['EGRESS_ALLOW_OLD_ENGINE'], '') !== '',
  }
}

export function dockerError(problem: string, fix: string): SandboxError {
  return new SandboxError('EGRESS_SANDBOX_DOCKER', problem, fix)
}
