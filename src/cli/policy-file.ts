import { isAbsolute, relative } from 'node:path'
import { loadPolicy, type LoadedPolicy } from '#config/load.js'
import { readSettings } from '#config/settings.js'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { EgressError } from '../errors.js'
import type { CommandIo } from './io.js'

export interface PolicyOnDisk extends LoadedPolicy {
  /** Name of the file as messages write it. */
  readonly file: string
}

/** The policy file that a command means: its argument, else as the settings say. */
export function policyFile(file: string | undefined, { env, cwd }: CommandIo): string {
  const { policy } = readSettings({ flags: { policy: file }, env, cwd })
  const near = relative(cwd, policy)
  if (near === '') return '.'
  return near.startsWith('..') || isAbsolute(near) ? policy : near
}

/** Whether somebody asked for that very file. */
export function isNamed(file: string | undefined, { env }: CommandIo): boolean {
  return (file ?? env['EGRESS_POLICY']) !== undefined
}

/** A file that was named and is not there is a slip of the pen, not a wish to deny everything. */
export function noPolicy(file: string): EgressError {
  return new EgressError({
    code: 'EGRESS_NO_POLICY',
    problem: `there is no policy file ${file}`,
    fix: `write one with \`egress init ${file}\` (with Compose: egress.yaml beside docker-compose.yml), or name the one that you have (EGRESS_POLICY)`,
  })
}

/** Rejects with PolicyError or SettingsError. `withSecrets` as in `loadPolicy`. */
export async function openPolicy(
  file: string | undefined,
  io: CommandIo,
  kinds: readonly CredentialKind[],
  withSecrets = true,
): Promise<PolicyOnDisk> {
  const name = policyFile(file, io)
  return { ...(await loadPolicy(name, { kinds, env: io.env, cwd: io.cwd, withSecrets })), file: name }
}

/** `egress.yaml:12`, where a rule or destination stands. */
export function placeOf({ file, positions }: PolicyOnDisk, id: string): string {
  const position = positions.get(id)
  return position === undefined ? file : `${file}:${position.line}`
}
