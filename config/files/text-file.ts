import { readFileSync, statSync } from 'node:fs'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'

/** Policies, secrets and certificates are kilobytes. A larger file is a mistaken path, and must not fill the memory. */
const MAX_BYTES = 1_048_576

/**
 * Reads a small file in UTF-8 (or, of `latin1`, with a character for each byte). Messages contain neither its path nor its content: the path may come from a variable
 * that contains a secret by mistake.
 *
 * @returns null if the file does not exist
 */
export function readTextFile(
  path: string,
  encoding: 'utf8' | 'latin1' = 'utf8',
): { readonly text: string } | Diagnostic | null {
  try {
    const status = statSync(path)
    if (status.isDirectory()) {
      return { problem: 'Expected a file, found a directory', fix: 'Name the file itself' }
    }
    // A device such as /dev/zero never ends.
    if (!status.isFile() && !status.isFIFO()) {
      return { problem: 'Expected a file or a pipe', fix: 'Name a regular file' }
    }
    if (status.size > MAX_BYTES) {
      return {
        problem: 'The file is larger than 1 MiB',
        fix: 'Check the path: policies, secrets and certificates are smaller',
      }
    }
    const bytes = readFileSync(path)
    return encoding === 'utf8' ? decode(bytes) : { text: bytes.toString('latin1') }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    if (code === 'ENOENT') return null
    return {
      problem: `Cannot read the file (${code})`,
      fix: `Make it readable for the user that runs egress (its number is ${String(process.getuid?.() ?? 'unknown')})`,
    }
  }
}

function decode(bytes: Buffer): { readonly text: string } | Diagnostic {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return { problem: 'The file is not valid UTF-8', fix: 'Save it as UTF-8' }
  }
}

/** Editors and programs end a file with a line break that is not a part of the value. */
export function withoutLastBreak(text: string): string {
  return text.replace(/\r?\n$/, '')
}
