import type { PlaceholderFormat } from '#firewall/contracts/policy.js'

/** What a service needs to be used, but for what only its user knows. Written as the policy file writes it. */
export interface Preset {
  /** What stands behind `use`. */
  readonly name: string
  /** One line for people. */
  readonly description: string
  /** What its user writes beside `use`: a working example. Empty where nothing is needed. */
  readonly example: PresetService
  readonly service: PresetService & { readonly rules: readonly PresetRule[] }
  /** What placeholders look like whose secrets have no prefix that tells, by the field of the credential. */
  readonly placeholders?: Readonly<Record<string, PlaceholderFormat>>
}

export type PresetRule = { readonly allow: string } | { readonly deny: string }

export interface PresetService {
  readonly url?: string
  readonly targets?: readonly string[]
  /** One kind with its fields. */
  readonly credential?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Other places in which its clients send it. */
  readonly also?: { readonly headers?: readonly string[]; readonly query?: readonly string[] }
  readonly rules?: readonly PresetRule[]
  /** As in the policy; `{field:NAME}` is the plain text of a field of the credential. */
  readonly env?: Readonly<Record<string, string>>
}
