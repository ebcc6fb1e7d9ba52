import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Replaces a file atomically: readers see the old text or the new one, even if the disk is full or the program is killed.
 * Creates its directory if necessary.
 *
 * @param mode permissions of the file
 */
export function writeWholeFile(path: string, text: string | Buffer, mode = 0o644): void {
  const temporary = `${path}.new`
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(temporary, text, { mode })
  renameSync(temporary, path)
}
