import type { Diagnostic } from '#firewall/contracts/diagnostic.js'

/** A name that policies used before, and its new name. */
export interface Retired {
  readonly old: string
  readonly now: string
  /** Values that changed too, old to new. */
  readonly values?: Readonly<Record<string, string>>
}

/** Keys of the policy file. No key of today has one of the old names. */
export const RETIRED_KEYS: readonly Retired[] = [
  { old: 'gate', now: 'settings' },
  { old: 'plain', now: 'allow_plaintext' },
  { old: 'private', now: 'allow_private_addresses' },
  { old: 'shared', now: 'allow_public_suffix' },
  { old: 'names', now: 'name_limits' },
  { old: 'sessions', now: 'session_headers' },
  { old: 'also', now: 'also_in' },
  { old: 'when', now: 'inject', values: { 'stand-in': 'on_placeholder' } },
]

/** Template variables in `env` values. */
export const RETIRED_VARIABLES: readonly Retired[] = [
  { old: '{route}', now: '{base_url}' },
  { old: '{dummy:NAME}', now: '{placeholder:NAME}' },
]

/** How to write a retired key today; null for any other key. */
export function retiredKey(key: string, value: unknown): Diagnostic | null {
  const found = RETIRED_KEYS.find(({ old }) => old === key)
  if (found === undefined) return null
  const changed = typeof value === 'string' ? found.values?.[value] : undefined
  const write = changed === undefined ? found.now : `${found.now}: ${changed}`
  return { problem: `\`${key}\` is now \`${found.now}\``, fix: `Write \`${write}\` instead` }
}

/** The same for a variable such as `{route}`; `argument` begins with its colon. */
export function retiredVariable(variable: string, argument: string | undefined): Diagnostic | null {
  const written = `{${variable}${argument ?? ''}}`
  const found = RETIRED_VARIABLES.find(({ old }) => old.replace(':NAME', argument ?? '') === written)
  if (found === undefined) return null
  const now = found.now.replace(':NAME', argument ?? '')
  return { problem: `\`${written}\` is now \`${now}\``, fix: `Write \`${now}\` instead` }
}
