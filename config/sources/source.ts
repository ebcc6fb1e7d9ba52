import type { Diagnostic } from '#firewall/names/host-pattern.js'

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
  /** Reads the value. What goes wrong is a fault, which holds nothing of the value. */
  read(tools: SourceTools): Promise<string | Diagnostic>
  /** Files that hold the value, absolute: no sandbox may see them. */
  hides(): readonly string[]
  /** Files that every read obeys, absolute: no sandbox may change them. */
  trusts(): readonly string[]
}

/** Reads a source, whatever happens. Threat: one value that a library does not take ends the gateway. */
export async function readSource(source: SecretSource, tools: SourceTools): Promise<string | Diagnostic> {
  try {
    return await source.read(tools)
  } catch (error) {
    // Never its message: libraries quote what they do not like.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code'
    return {
      problem: `the source cannot be read (${code})`,
      fix: 'see that what it proves itself with is whole: plain characters on one line',
    }
  }
}

/** A service answers within this, or the value that there is stays. */
export const SOURCE_TIMEOUT_MS = 10_000

/** Values are a few thousand bytes at most; what goes on and on is none. */
export const MAX_VALUE_BYTES = 65_536
