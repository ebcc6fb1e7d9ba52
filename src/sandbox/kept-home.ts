import { lstatSync } from 'node:fs'
import { isSandboxWritten } from '../common/sandbox-writes.js'
import { joinPath, listEntries } from './masked-paths.js'
import { isWithin } from './paths.js'
import type { HostView } from './plan.js'
import { fsPath, isRaw } from './raw-path.js'

/** Entries of a directory that are looked at; one with more is taken for the user's. */
const MAX_ENTRIES = 5_000

/** Whether a path is in a home directory that stays, and not in another tree in it. */
export function isInHome(path: string, { home, shown }: Pick<HostView, 'home' | 'shown'>): boolean {
  if (home === null || !isWithin(path, home)) return false
  return !shown.some((tree) => tree.path !== home && isWithin(tree.path, home) && isWithin(path, tree.path))
}

/**
 * Whether a file in a home directory that stays, or everything in a directory there, was last written by sandboxes. Agents keep
 * their settings in files that look like credentials: these stay theirs. What the user has put there himself is hidden as anywhere
 * else, because the change time of a file cannot be set back to when a sandbox could write.
 */
export function isSandboxOwn(path: string): boolean {
  const pending = [path]
  let seen = 0
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (isRaw(at) || ++seen > MAX_ENTRIES || !isSandboxWritten(at)) return false
    if (lstatSync(fsPath(at), { throwIfNoEntry: false })?.isDirectory() !== true) continue
    const directory = at
    const entries = listEntries(directory)
    if (entries === null) return false
    pending.push(...entries.map(({ name }) => joinPath(directory, name)))
  }
  return true
}
