import type { Socket } from 'node:net'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'

/** Tools of a source while it reads. */
export interface SourceTools {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** The value of a secret in `needs`. */
  readonly valueOf: (name: string) => string
  /** Aborted when the value is no longer needed. */
  readonly signal: AbortSignal
}

/** How a secret store is reached. */
export interface StoreWay {
  /** Secrets that a proxy on the way wants. */
  readonly needs: SecretSource['needs']
  /** Connects through that proxy; null for a store that is dialled. */
  readonly connect: ((valueOf: SourceTools['valueOf'], signal: AbortSignal) => Promise<Socket>) | null
}

export const SOURCE_KINDS = ['file', 'command', 'vault', 'aws_secret'] as const
export type SourceKind = (typeof SOURCE_KINDS)[number]

/** The source of one secret. It can be read many times. */
export interface SecretSource {
  readonly name: string
  /** Its key in the policy. */
  readonly kind: SourceKind
  /** Secrets that the source needs itself, with the key of the policy that refers to each. */
  readonly needs: readonly { readonly name: string; readonly key: string }[]
  /** Milliseconds between two reads; null if it is read once. */
  readonly refreshMs: number | null
  /** Reads the value. A diagnostic contains no part of the value. */
  read(tools: SourceTools): Promise<string | Diagnostic>
  /** Files that contain the value, absolute: hidden from sandboxes. */
  secretFiles(): readonly string[]
  /** Files that are read or run for every value, absolute: no sandbox may change them. */
  trustedFiles(): readonly string[]
}

/** Reads a source, and turns exceptions into diagnostics. Threat: a value that a library rejects could end the gateway. */
export async function readSource(source: SecretSource, tools: SourceTools): Promise<string | Diagnostic> {
  try {
    return await source.read(tools)
  } catch (error) {
    // Not the message: libraries quote the value that they reject.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code'
    return {
      problem: `Cannot read the source (${code})`,
      fix: "Check that the source's own token or keys are complete and on one line",
    }
  }
}

/** Milliseconds for one read (default); after a timeout the previous value stays in use. */
export const SOURCE_TIMEOUT_MS = 10_000

/** Values are a few thousand bytes at most; endless output is an error. */
export const MAX_VALUE_BYTES = 65_536
