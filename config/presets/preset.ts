import type { PlaceholderFormat } from '#firewall/contracts/service.js'

/** Everything about a service that does not depend on its user, in the syntax of the policy file. */
export interface Preset {
  /** The value of `use`. */
  readonly name: string
  /** One line for people. */
  readonly description: string
  /** A working example of the keys to write beside `use`; empty if none are needed. */
  readonly example: PresetService
  readonly service: PresetService & { readonly rules: readonly PresetRule[] }
  /** Placeholder formats by the field of the credential, for secrets without a known prefix. */
  readonly placeholders?: Readonly<Record<string, PlaceholderFormat>>
}

export type PresetRule = { readonly allow: string } | { readonly deny: string }

export interface PresetService {
  readonly url?: string
  readonly targets?: readonly string[]
  /** One kind of credential with its fields. */
  readonly credential?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Other locations in which clients send it. */
  readonly also_in?: { readonly headers?: readonly string[]; readonly query?: readonly string[] }
  readonly rules?: readonly PresetRule[]
  /** As in the policy. `{field:NAME}` expands to the literal text of a field of the credential. */
  readonly env?: Readonly<Record<string, string>>
}
