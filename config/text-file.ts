import { readFileSync, statSync } from 'node:fs'
import type { Diagnostic } from '#firewall/names/host-pattern.js'

/** Policies, secrets and certificates are kilobytes; more is a mistaken path, and must not fill the memory. */
const MAX_BYTES = 1_048_576

/**
 * Reads a small UTF-8 file. Messages name neither its path nor its content: the path may come from a variable that
 * holds a secret by mistake.
 *
 * @returns null when there is no such file
 */
export function readTextFile(path: string): { readonly text: string } | Diagnostic | null {
  try {
    const status = statSync(path)
    if (status.isDirectory()) {
      return { problem: 'this is a directory, not a file', fix: 'name the file itself' }
    }
    // A device such as /dev/zero never ends.
    if (!status.isFile() && !status.isFIFO()) {
      return { problem: 'this is neither a file nor a pipe', fix: 'name an ordinary file' }
    }
    if (status.size > MAX_BYTES) {
      return {
        problem: 'the file is larger than 1 MiB',
        fix: 'name the right file; none of ours is so large',
      }
    }
    return decode(readFileSync(path))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    if (code === 'ENOENT') return null
    return {
      problem: `the file cannot be read (${code})`,
      fix: 'make it readable for the user that runs egress',
    }
  }
}

function decode(bytes: Buffer): { readonly text: string } | Diagnostic {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return { problem: 'the file is not UTF-8 text', fix: 'save it as UTF-8' }
  }
}
