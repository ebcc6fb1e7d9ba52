import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes a file whole: whoever reads it meanwhile sees the old text or the new one, also when the disk fills up or the program
 * is killed. Its directory is made if it is not there.
 *
 * @param mode permissions of the file
 */
export function writeWholeFile(path: string, text: string, mode = 0o644): void {
  const temporary = `${path}.new`
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(temporary, text, { mode })
  renameSync(temporary, path)
}
