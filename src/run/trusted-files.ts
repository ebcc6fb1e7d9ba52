import { isWithin } from '../sandbox/paths.js'
import { EgressError } from '../common/errors.js'
import { realOrSame, wayTo } from '../common/file-way.js'

/**
 * Rejects files that the gateway rereads or runs again while the sandbox runs, if the sandbox could replace them. Hiding
 * them is not enough: the sandbox could rename a directory above a hidden file and create it again. Threat: an agent that
 * supplies its own credential, or a program that the gateway runs outside every sandbox.
 */
export function refuseWritable(files: readonly string[], trees: readonly string[]): void {
  const writable = trees.flatMap((tree) => [tree, realOrSame(tree)])
  for (const file of files) {
    const { links, end } = wayTo(file)
    const tree = writable.find((candidate) => [...links, end].some((place) => isWithin(place, candidate)))
    if (tree === undefined) continue
    throw new EgressError({
      code: 'EGRESS_WRITABLE_SECRET',
      problem: `The command could modify ${file}, which the gateway rereads for a secret (writable directory: ${tree})`,
      fix: `Move ${file} out of ${tree}, or do not make ${tree} writable`,
      exitCode: 125,
    })
  }
}
