import { DOTENV_FILES } from '#config/secrets/dotenv.js'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { loadPolicy, type LoadedPolicy } from '#config/load.js'
import { readSettings } from '#config/settings.js'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { EgressError } from './errors.js'
import type { CommandIo } from './io.js'
import { refuseSandboxWritten } from './sandbox-writes.js'

export interface PolicyOnDisk extends LoadedPolicy {
  /** Name of the file in messages. */
  readonly file: string
}

/** Path of the policy file: the argument of the command, otherwise the one in the settings. */
export function policyFile(file: string | undefined, { env, cwd }: CommandIo): string {
  const { policy } = readSettings({ flags: { policy: file }, env, cwd })
  const near = relative(cwd, policy)
  if (near === '') return '.'
  return near.startsWith('..') || isAbsolute(near) ? policy : near
}

/** Whether the user named the file. */
export function isNamed(file: string | undefined, { env }: CommandIo): boolean {
  return (file ?? env['EGRESS_POLICY']) !== undefined
}

/** A file that the user named and that does not exist is a typing error, not a wish to deny everything. */
export function noPolicy(file: string): EgressError {
  return new EgressError({
    code: 'EGRESS_NO_POLICY',
    problem: `Policy file ${file} not found`,
    fix: `Create it with \`egress init ${file}\`, or set EGRESS_POLICY to an existing file`,
  })
}

/** Rejects with PolicyError or SettingsError. `withSecrets` and `otherwise` as in `loadPolicy`. */
export async function openPolicy(
  file: string | undefined,
  io: CommandIo,
  kinds: readonly CredentialKind[],
  withSecrets = true,
  otherwise?: string,
): Promise<PolicyOnDisk> {
  const name = policyFile(file, io)
  const absolute = resolve(io.cwd, name)
  refuseSandboxWritten([
    absolute,
    ...(withSecrets ? DOTENV_FILES.map((name) => join(dirname(absolute), name)) : []),
  ])
  const loaded = await loadPolicy(name, {
    kinds,
    env: io.env,
    cwd: io.cwd,
    withSecrets,
    otherwise,
    beforeSecrets: refuseSandboxWritten,
    // Loaded here, because few gateways are behind a proxy.
    connectByProxy: async (...order) =>
      (await import('#proxy/upstream/connect-by-proxy.js')).connectByProxy(...order),
  })
  return { ...loaded, file: name }
}

/** Position of a rule or destination, such as `egress.yaml:12`. */
export function placeOf({ file, positions }: PolicyOnDisk, id: string): string {
  const position = positions.get(id)
  return position === undefined ? file : `${file}:${position.line}`
}
