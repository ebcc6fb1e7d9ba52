import { accessSync, constants, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { EgressError } from '../common/errors.js'

/** Names of a directory that are looked at: a state directory has a few, and an audit log some hundreds. */
const MAX_NAMES = 1_000

/**
 * Makes sure that this process can use its state. Files stay when the user of the gateway changes, and what can then not be read or
 * written would end as another error each time.
 *
 * @param writable directories that it writes, with what is directly in them
 * @throws EgressError
 */
export function checkStateOwner(writable: readonly string[]): void {
  for (const directory of writable) {
    const own = process.getuid?.() ?? 0
    const foreign = [directory, ...namesIn(directory)].find(
      (path) => !isUsable(path) && ownerOf(path) !== own,
    )
    if (foreign === undefined) continue
    const owner = ownerOf(foreign)
    throw new EgressError({
      code: 'EGRESS_STATE_OWNER',
      problem: `${foreign} belongs to user ${String(owner ?? 'unknown')}, and the gateway runs as user ${String(own)}`,
      fix: `Set EGRESS_UID=${String(owner ?? 1000)} again, or give the volumes to user ${String(own)}: docker compose run --rm own-volumes`,
      exitCode: 125,
    })
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .slice(0, MAX_NAMES)
      .map((name) => join(directory, name))
  } catch {
    // It is not there yet, or its own turn has told.
    return []
  }
}

function ownerOf(path: string): number | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.uid
  } catch {
    return undefined
  }
}

/** What does not exist, or cannot be written for another reason, has an error of its own later. */
function isUsable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EACCES'
  }
}
