import { readdirSync, readFileSync, realpathSync, statSync, type Dirent } from 'node:fs'
import { join, relative } from 'node:path'
import { permits, type UnixUser } from './identity.js'
import { MASKED_NAMES, UNSEARCHED_DIRECTORIES, type MaskedContent } from './masked-names.js'
import { directoriesAbove, isWithin } from './paths.js'
import type { MaskedPath } from './plan.js'
import { SandboxError } from './sandbox-error.js'

export interface MaskBounds {
  /** maximum number of directory entries to search (about one second per 200,000) */
  entries: number
  /** maximum number of paths to hide; each one is a mount */
  masks: number
}

export const defaultMaskBounds: MaskBounds = { entries: 400_000, masks: 2000 }

/**
 * Finds files in `tree` that look like credentials by name: `.env` files, private keys, settings of clients that store
 * tokens. Sockets and pipes are hidden too: neither a network namespace nor a read-only mount prevents connecting to them.
 * Throws if the tree is too large to search, because the rest of it would stay visible.
 */
export function findMaskedPaths(tree: string, bounds: MaskBounds = defaultMaskBounds): MaskedPath[] {
  const found: MaskedPath[] = []
  const pending = [tree]
  let seen = 0
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const entries = listDirectory(directory)
    if (entries === null) found.push({ path: directory, kind: 'directory' })
    for (const entry of entries ?? []) {
      const path = join(directory, entry.name)
      const kind = evaluateEntry(path, entry)
      if (kind !== null) found.push({ path, kind })
      else if (entry.isDirectory() && !UNSEARCHED_DIRECTORIES.test(path)) pending.push(path)
      if (++seen > bounds.entries || found.length > bounds.masks) throw tooLarge(tree, bounds)
    }
  }
  return found.flatMap((mask) => followLink(mask, tree))
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
    const closed = above.find((path) => !permits(statSync(path), who, 1))
    return closed === undefined ? mask : { path: closed, kind: 'directory' }
  })
  return [...new Map(hidden.map((mask) => [mask.path, mask])).values()]
}

/**
 * Null for a directory that cannot be listed. Threat: its owner can make it readable again, or use the files in it by name.
 * An agent that removes the read permission in one run would see unsearched files in the next.
 */
function listDirectory(directory: string): Dirent[] | null {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? [] : null
  }
}

function evaluateEntry(path: string, entry: Dirent): MaskedPath['kind'] | null {
  if (entry.isSocket() || entry.isFIFO()) return 'file'
  const isDirectory = entry.isDirectory()
  const found = MASKED_NAMES.find(
    (name) =>
      (name.kind === 'directory' || !isDirectory) && name.path.test(path) && name.except?.test(path) !== true,
  )
  if (found === undefined) return null
  if (found.content !== undefined && !CONTENT_CHECKS[found.content](path)) return null
  return isDirectory ? 'directory' : 'file'
}

const CONTENT_CHECKS: Readonly<Record<MaskedContent, (path: string) => boolean>> = {
  'not-a-public-pem': (path) => !isPublicPem(path),
  'git-credential': holdsGitCredential,
}

/** Every Python environment contains certificate bundles. Hiding them would break TLS and protect nothing. */
function isPublicPem(path: string): boolean {
  const text = readWhole(path)
  return (
    text !== null && /-----BEGIN (CERTIFICATE|PUBLIC KEY)-----/.test(text) && !text.includes('PRIVATE KEY')
  )
}

/** A token in the URL of a remote, or in the header that CI checkouts store. An unreadable file counts as a credential. */
function holdsGitCredential(path: string): boolean {
  const text = readWhole(path)
  return text === null || /extraheader|:\/\/[^/\s@]+@/i.test(text)
}

/** The text of a file of reasonable size, null for anything else. */
function readWhole(path: string): string | null {
  try {
    const found = statSync(path)
    return found.isFile() && found.size <= 2 * 1024 * 1024 ? readFileSync(path, 'latin1') : null
  } catch {
    return null
  }
}

/** A mount follows links, so hide the target of a link, if the sandbox shows the target. */
function followLink(mask: MaskedPath, tree: string): MaskedPath[] {
  try {
    const real = realpathSync(mask.path)
    if (real === mask.path) return [mask]
    if (!isWithin(real, tree) || relative(tree, real) === '') return []
    return [{ path: real, kind: statSync(real).isDirectory() ? 'directory' : 'file' }]
  } catch {
    return []
  }
}

function tooLarge(tree: string, bounds: MaskBounds): SandboxError {
  return new SandboxError(
    'EGRESS_SANDBOX_TOO_LARGE',
    `${tree} has more than ${bounds.entries} entries or ${bounds.masks} credential-like files to hide`,
    'Use the directory of one project as the work directory, not a directory of projects',
  )
}
