import type { PlaceholderFormat } from '#firewall/contracts/service.js'

/** Everything about a service that does not depend on its user, in the syntax of the policy file. */
export interface Preset {
  /** The value of `use`. */
  readonly name: string
  /** One line for people. */
  readonly description: string
  /** A working example of the keys to write beside `use`; empty if none are needed. */
  readonly example: PresetExample
  /** Keys beside `use` that only this preset has, by name. */
  readonly parameters?: Readonly<Record<string, PresetParameter>>
  /**
   * What a variable in a path of `operations` stands for, with the values of the parameters: `{repo}` becomes one rule for each
   * of its texts. An optional parameter without a value is an empty list.
   */
  readonly variables?: (values: ParameterValues) => Readonly<Record<string, readonly string[]>>
  readonly service: PresetService
  /**
   * Every request that the preset allows, in the order of its rules. Enumerated: a vendor adds operations that grant rights at
   * any time, and a preset that allows everything but a list would allow them.
   */
  readonly operations: readonly Operations[]
  /** Placeholder formats by the field of the credential, for secrets without a known prefix. */
  readonly placeholders?: Readonly<Record<string, PlaceholderFormat>>
}

/** Requests with one purpose. A denied request stays denied where a later group would allow it. */
export interface Operations {
  /** The purpose, for the table in docs/presets.md. */
  readonly about: string
  /** Rules without their effect: methods, a space, and a path with at most one variable such as `{repo}`. */
  readonly deny?: readonly string[]
  readonly allow?: readonly string[]
}

/** A key beside `use`: one text, or a list of texts. */
export interface PresetParameter {
  /** A noun phrase for messages and the documentation. */
  readonly describe: string
  /** What one text must be. It becomes a part of a path pattern, so `*` only where that is meant. */
  readonly pattern: RegExp
  readonly example: string
  /** True if the preset works without it. */
  readonly optional?: true
}

/** The texts that the policy gives for each parameter. */
export type ParameterValues = Readonly<Record<string, readonly string[]>>

export type PresetRule = { readonly allow: string } | { readonly deny: string }

export type PresetExample = PresetService & Readonly<Record<string, unknown>>

export interface PresetService {
  readonly url?: string
  readonly targets?: readonly string[]
  /** One kind of credential with its fields. */
  readonly credential?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Other locations in which clients send it. */
  readonly also_in?: { readonly headers?: readonly string[]; readonly query?: readonly string[] }
  /** As in the policy. `{field:NAME}` expands to the literal text of a field of the credential. */
  readonly env?: Readonly<Record<string, string>>
}
