import { readlinkSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { isWithin } from '../sandbox/mount-table.js'
import { EgressError } from '../errors.js'

/** As many links as Linux follows. */
const MAX_LINKS = 40

/**
 * Refuses files that the gateway reads or runs again while the sandbox runs, where the sandbox could put others in their
 * place. Hiding is not enough there: a directory above a hidden file can be renamed and made anew. Threat: an agent
 * that gives itself a credential of its own, or a program that the gateway runs outside of every sandbox.
 */
export function refuseWritable(files: readonly string[], trees: readonly string[]): void {
  const writable = trees.flatMap((tree) => [tree, real(tree)])
  for (const file of files) {
    const tree = writable.find((candidate) => placesOf(file).some((place) => isWithin(place, candidate)))
    if (tree === undefined) continue
    throw new EgressError({
      code: 'EGRESS_WRITABLE_SECRET',
      problem: `the policy takes a secret from ${file} again and again, and the command could write it in ${tree}`,
      fix: 'keep the file outside of what the command may write, or do not let it write there',
      exitCode: 125,
    })
  }
}

/** Every place that decides what a name stands for: the name, each link on the way, and where they end. */
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

/** The same path where it does not exist. */
function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
