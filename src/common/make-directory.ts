import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * `mkdir -p`. Node's own `recursive` spins for ever where the kernel says ENOENT below a directory that exists, as it does
 * in /proc and in a directory that was removed.
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
