import type { Fault } from '#firewall/host-pattern.js'

/** What a source may use while it reads. */
export interface SourceTools {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** The value of a secret that `needs` names. */
  readonly valueOf: (name: string) => string
  /** Fires when nobody waits for the value any more. */
  readonly signal: AbortSignal
}

export const SOURCE_KINDS = ['file', 'command', 'vault', 'aws_secret'] as const
export type SourceKind = (typeof SOURCE_KINDS)[number]

/** Where the value of one secret comes from, again and again. */
export interface SecretSource {
  readonly name: string
  /** As the policy calls it. */
  readonly kind: SourceKind
  /** Secrets that it needs itself, with the key of the policy that names each. */
  readonly needs: readonly { readonly name: string; readonly key: string }[]
  /** Milliseconds between two reads; null when it is read once. */
  readonly refreshMs: number | null
  /** Reads the value. Never rejects: what went wrong is a fault, which holds nothing of the value. */
  read(tools: SourceTools): Promise<string | Fault>
  /** Files that hold the value, absolute: no sandbox may see them. */
  hides(): readonly string[]
  /** Files that every read obeys, absolute: no sandbox may change them. */
  trusts(): readonly string[]
}

/** A service answers within this, or the value that there is stays. */
export const SOURCE_TIMEOUT_MS = 10_000

/** Values are a few thousand bytes at most; what goes on and on is none. */
export const MAX_VALUE_BYTES = 65_536
