import {
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  type Dirent,
  type Stats,
} from 'node:fs'
import { permits, type UnixUser } from './identity.js'
import { filterContent, type MaskedContent } from './filters/filter-content.js'
import { matchingNames } from './masked-names.js'
import { directoriesAbove, isWithin } from './paths.js'
import type { MaskedPath } from './plan.js'
import { decodePath, fsPath } from './raw-path.js'
import { SandboxError } from './sandbox-error.js'

export interface MaskBounds {
  /** maximum number of directory entries to search (about one second per 200,000) */
  entries: number
  /** maximum number of paths to hide; each one is a mount */
  masks: number
}

export const defaultMaskBounds: MaskBounds = { entries: 400_000, masks: 2000 }

/** An entry of a directory: its name and its type, without following links. */
export interface TreeEntry {
  readonly name: string
  readonly type: 'directory' | 'file' | 'link' | 'socket'
}

/**
 * Finds files below `tree` that look like credentials by name: `.env` files, private keys, settings of clients that store
 * tokens. Sockets and pipes are hidden too: neither a network namespace nor a read-only mount prevents connecting to them.
 * Throws if the tree is too large to search, because the rest of it would stay visible.
 *
 * @param trees everything that the sandbox sees; the target of a link is hidden if it is in one of them
 */
export function findMaskedPaths(
  tree: string,
  bounds: MaskBounds = defaultMaskBounds,
  trees: readonly string[] = [tree],
): MaskedPath[] {
  return searchTree(tree, bounds, trees).masks
}

/** The paths to hide below a tree, and the places of git repositories in it. */
export interface TreeContents {
  readonly masks: MaskedPath[]
  /** `.git`, and git directories with other names: of submodules, of worktrees, bare repositories */
  readonly gitPlaces: string[]
}

/** Searches a tree, as `findMaskedPaths` does. */
export function searchTree(tree: string, bounds: MaskBounds, trees: readonly string[]): TreeContents {
  // A tree may be the git directory itself.
  const gitPlaces: string[] = tree.endsWith('/.git') ? [tree] : []
  const found: MaskedPath[] = []
  const searched = new Set<string>()
  const pending = [tree]
  let seen = 0
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    if (searched.has(directory)) continue
    searched.add(directory)
    const entries = listEntries(directory)
    if (entries === null) found.push({ path: directory, kind: 'directory' })
    for (const entry of entries ?? []) {
      const path = joinPath(directory, entry.name)
      if (entry.name === '.git') gitPlaces.push(path)
      else if (entry.name === 'HEAD' && !directory.endsWith('/.git') && isGitDirectory(entries ?? []))
        gitPlaces.push(directory)
      const mask = classify(directory, entry)
      if (mask !== null) found.push(mask)
      else if (entry.type === 'directory' && !isPackage(directory, entry.name)) pending.push(path)
      else if (entry.type === 'link') pending.push(...packageBehind(path, trees))
      if (++seen > bounds.entries || found.length > bounds.masks) throw tooLarge(tree, bounds)
    }
  }
  return { masks: found.flatMap((mask) => followLink(mask, trees)), gitPlaces }
}

/** Whether git takes a directory with these entries for a repository, whatever its name: a bare one, a submodule's, a worktree's. */
export function isGitDirectory(entries: readonly TreeEntry[]): boolean {
  const has = (name: string) => entries.some((entry) => entry.name === name)
  return has('HEAD') && ((has('objects') && has('refs')) || has('commondir'))
}

/** Whether an entry must be hidden by its name, its type or its content; null if the sandbox may see it. */
export function classify(directory: string, { name, type }: TreeEntry): MaskedPath | null {
  const path = joinPath(directory, name)
  if (type === 'socket') return { path, kind: 'file' }
  const kind = type === 'directory' ? 'directory' : 'file'
  for (const { content } of matchingNames(directory, name, type === 'directory')) {
    const shown = content === undefined ? '' : filterContent(content, readWhole(path, content))
    if (shown !== null) return shown === '' ? { path, kind } : { path, kind, content: shown }
  }
  return null
}

/**
 * Whether a package manager put a directory there. Its files are public, they are many, and npm must be able to replace them:
 * a hidden file cannot be removed. A file of the user's own gets there through a link, which `packageBehind` follows.
 */
export function isPackage(directory: string, name: string): boolean {
  if (!/\/node_modules(\/@[^/]+)?$/.test(directory) || name.startsWith('.')) return false
  return lstatSync(fsPath(`${directory}/${name}/package.json`), { throwIfNoEntry: false })?.isFile() === true
}

/**
 * The package below `node_modules` that a link outside leads to. Threat: an agent moves `config/` to `node_modules/config/`
 * and leaves a link, so that the user's next secret lands where nobody looks.
 */
export function packageBehind(link: string, trees: readonly string[]): string[] {
  if (link.includes('/node_modules/')) return []
  const real = realOf(link)
  if (real === null || !real.includes('/node_modules/') || !trees.some((tree) => isWithin(real, tree)))
    return []
  return statSync(fsPath(real)).isDirectory() ? [real] : []
}

/** The paths that the caller wants to hide, limited to those that `trees` would show. */
export function maskExplicit(paths: readonly string[], trees: readonly string[]): MaskedPath[] {
  return paths.flatMap((path): MaskedPath[] => {
    let real: string
    try {
      real = realpathSync(path)
    } catch {
      return []
    }
    if (!trees.some((tree) => isWithin(real, tree))) {
      if (!trees.some((tree) => isWithin(tree, real))) return []
    }
    const inside = trees.find((tree) => isWithin(tree, real))
    if (inside !== undefined) {
      throw new SandboxError(
        'EGRESS_SANDBOX_MASK',
        `${inside} is in ${path}, which is hidden from all agents`,
        'Use another work directory, or move the policy and the audit log out of this one',
      )
    }
    return [{ path: real, kind: statSync(real).isDirectory() ? 'directory' : 'file' }]
  })
}

/**
 * The user that builds the sandbox may not be allowed to enter a directory that root can enter, so nothing can be mounted
 * inside it. Hide the whole directory; the agent could not have entered it either.
 */
export function hideClosedDirectories(
  masks: readonly MaskedPath[],
  trees: readonly string[],
  who: UnixUser,
): MaskedPath[] {
  const hidden = masks.map((mask): MaskedPath => {
    const tree = trees.find((candidate) => isWithin(mask.path, candidate))
    const above = tree === undefined ? [] : directoriesAbove(mask.path, tree)
    const closed = above.find((path) => !permits(statSync(fsPath(path)), who, 1))
    return closed === undefined ? mask : { path: closed, kind: 'directory' }
  })
  return [...new Map(hidden.map((mask) => [mask.path, mask])).values()]
}

/**
 * Null for a directory that cannot be listed. Threat: its owner can make it readable again, or use the files in it by name.
 * An agent that removes the read permission in one run would see unsearched files in the next.
 */
export function listEntries(directory: string): TreeEntry[] | null {
  try {
    const entries = readdirSync(fsPath(directory), { withFileTypes: true })
    if (entries.every(({ name }) => !name.includes('\ufffd'))) return entries.map(entryOf)
    // A name that is not UTF-8.
    return readdirSync(fsPath(directory), { withFileTypes: true, encoding: 'buffer' }).map(entryOf)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? [] : null
  }
}

function entryOf(entry: Dirent<string | Buffer>): TreeEntry {
  const name = typeof entry.name === 'string' ? entry.name : decodePath(entry.name)
  return { name, type: typeOf(entry) }
}

/** The type of an entry; devices count as files. */
export function typeOf(entry: Dirent<string | Buffer> | Stats): TreeEntry['type'] {
  if (entry.isDirectory()) return 'directory'
  if (entry.isSymbolicLink()) return 'link'
  return entry.isSocket() || entry.isFIFO() ? 'socket' : 'file'
}

/** A path below a directory, as it is: join() of node:path would be slow here. */
export function joinPath(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`
}

/** Bytes of a file whose content decides: bundles of certificates are large, settings are not, and are looked at line by line. */
const MAX_BYTES = { 'not-a-public-pem': 2 * 1024 * 1024, other: 256 * 1024 }

/** The text of a file of reasonable size, null for anything else. */
function readWhole(path: string, check: MaskedContent): string | null {
  try {
    const found = statSync(fsPath(path))
    return found.isFile() && found.size <= MAX_BYTES[check === 'not-a-public-pem' ? check : 'other']
      ? readFileSync(fsPath(path), 'utf8')
      : null
  } catch {
    return null
  }
}

/** A mount follows links, so hide the target of a link, if the sandbox shows the target. */
export function followLink(mask: MaskedPath, trees: readonly string[]): MaskedPath[] {
  const real = realOf(mask.path)
  if (real === mask.path) return [mask]
  if (real === null || !trees.some((tree) => isWithin(real, tree) && real !== tree)) return []
  return [{ ...mask, path: real, kind: statSync(fsPath(real)).isDirectory() ? 'directory' : 'file' }]
}

function realOf(path: string): string | null {
  try {
    // Not realpathSync() itself, which works on strings.
    return decodePath(realpathSync.native(fsPath(path), 'buffer'))
  } catch {
    return null
  }
}

function tooLarge(tree: string, bounds: MaskBounds): SandboxError {
  return new SandboxError(
    'EGRESS_SANDBOX_TOO_LARGE',
    `${tree} has more than ${bounds.entries} entries or ${bounds.masks} credential-like files to hide`,
    'Use the directory of one project as the work directory, not a directory of projects',
  )
}
