import { stringify } from 'yaml'
import { expandService } from '#config/presets/expand.js'
import { nearest } from '#firewall/rules/nearest.js'
import { PRESETS } from '#config/presets/index.js'
import type { Preset } from '#config/presets/preset.js'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { EgressError, EXIT } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'

export interface PresetsArgs {
  /** The preset to show (default: list all). */
  readonly name?: string | undefined
  /** One JSON object per line. */
  readonly json?: boolean | undefined
}

/**
 * `egress presets [NAME]`: lists the presets, or shows the keys that one sets.
 *
 * @throws EgressError if the name is unknown
 */
export function runPresets(
  { name, json = false }: PresetsArgs,
  { stdout }: CommandIo,
  kinds: readonly CredentialKind[],
): number {
  const shown = PRESETS.filter((preset) => name === undefined || preset.name === name)
  if (shown.length === 0) {
    const names = PRESETS.map((preset) => preset.name)
    const near = nearest(name ?? '', names)
    throw new EgressError({
      code: 'EGRESS_NO_PRESET',
      problem: `Unknown preset \`${name ?? ''}\``,
      fix: near === null ? `Use one of: ${names.join(', ')}` : `Did you mean \`${near}\`?`,
    })
  }
  for (const preset of shown) {
    const service = expandService(preset, { use: preset.name, ...preset.example }, kinds)
    if (json)
      stdout.write(`${JSON.stringify({ name: preset.name, description: preset.description, service })}\n`)
    else if (name === undefined) stdout.write(`${preset.name.padEnd(16)} ${preset.description}\n`)
    else stdout.write(explain(preset, service))
  }
  return EXIT.fine
}

/** The few lines that a user writes, and the service that they expand to. */
function explain(preset: Preset, service: Readonly<Record<string, unknown>>): string {
  const { use, ...filled } = service
  const written = { services: { [preset.name]: { use, ...preset.example } } }
  return [
    `# ${preset.description}`,
    '# In the policy:',
    stringify(written).trimEnd(),
    '',
    '# Expands to:',
    stringify({ services: { [preset.name]: filled } }, { lineWidth: 0 }).trimEnd(),
    '',
  ].join('\n')
}
