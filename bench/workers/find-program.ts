import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

/** Directories with servers, which are not always in the PATH of ordinary users. */
const PLACES = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin', '/sbin']

/** The absolute path of a program; null if it is not installed. */
export function findProgram(name: string): string | null {
  const executable = PLACES.map((place) => join(place, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  return executable ?? null
}
