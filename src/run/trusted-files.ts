import { readlinkSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { isWithin } from '../sandbox/paths.js'
import { EgressError } from '../common/errors.js'

/** Linux follows at most this many symbolic links in one path. */
const MAX_LINKS = 40

/**
 * Rejects files that the gateway rereads or runs again while the sandbox runs, if the sandbox could replace them. Hiding
 * them is not enough: the sandbox could rename a directory above a hidden file and create it again. Threat: an agent that
 * supplies its own credential, or a program that the gateway runs outside every sandbox.
 */
export function refuseWritable(files: readonly string[], trees: readonly string[]): void {
  const writable = trees.flatMap((tree) => [tree, real(tree)])
  for (const file of files) {
    const tree = writable.find((candidate) => placesOf(file).some((place) => isWithin(place, candidate)))
    if (tree === undefined) continue
    throw new EgressError({
      code: 'EGRESS_WRITABLE_SECRET',
      problem: `The command could modify ${file}, which the gateway rereads for a secret (writable directory: ${tree})`,
      fix: `Move ${file} out of ${tree}, or do not make ${tree} writable`,
      exitCode: 125,
    })
  }
}

/** Every path that decides which file a name leads to: the name itself, each link on the way, and the target. */
function placesOf(file: string): string[] {
  const places: string[] = []
  let path = file
  for (let count = 0; count < MAX_LINKS; count += 1) {
    const here = join(real(dirname(path)), basename(path))
    places.push(path, here)
    try {
      path = resolve(dirname(here), readlinkSync(here))
    } catch {
      return places
    }
  }
  return places
}

/** Returns the path unchanged if it does not exist. */
function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
