import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * `mkdir -p`. Node's `recursive` option loops forever if the kernel returns ENOENT below an existing directory, as in /proc or
 * in a directory that was removed.
 */
export function makeDirectory(path: string, mode = 0o777): void {
  if (attempt(path, mode) === null) return
  makeDirectory(dirname(path), mode)
  const failure = attempt(path, mode)
  if (failure !== null) throw failure
}

/** @returns null if the directory is there now, or the ENOENT */
function attempt(path: string, mode: number): Error | null {
  try {
    mkdirSync(path, mode)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return error as Error
    if (code !== 'EEXIST' || !statSync(path).isDirectory()) throw error
  }
  return null
}
