import { existsSync, lstatSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { permits, type UnixUser } from './identity.js'
import { isWithin } from './paths.js'
import type { ShownTree } from './plan.js'
import { printablePath } from './raw-path.js'
import type { ShownTrees } from './resolve-mounts.js'
import { quoteWord } from './shell-quote.js'

/** The trees with what git needs besides the work directory, and lines for the user about what it still lacks. */
export interface RepositoryView {
  readonly trees: ShownTrees
  readonly notes: readonly string[]
}

/**
 * Makes git work in a linked worktree and in a submodule, whose repository is elsewhere: it is shown too, read-only. Where more than
 * the user has asked for would be shown, a note says which option shows it: above a subdirectory, and at alternates.
 *
 * @param who the user of the sandbox if it is not the caller
 */
export function showRepository(trees: ShownTrees, who: UnixUser | null): RepositoryView {
  const { workdir } = trees
  const isShown = (path: string) => trees.shown.some((tree) => isWithin(path, tree.path))
  const link = join(workdir, '.git')
  const kind = lstatSync(link, { throwIfNoEntry: false })
  if (kind?.isDirectory() === true) return { trees, notes: lackingAlternates(link, isShown) }
  if (kind === undefined) {
    const top = repositoryAbove(workdir)
    const lacks = top !== null && !isShown(join(top, '.git'))
    return { trees, notes: lacks ? [`git needs the rest of the repository ${name(top)}: ${mount(top)}`] : [] }
  }
  const directory = gitDirectoryOf(link)
  if (directory === null || isShown(directory)) return { trees, notes: [] }
  const needed = repositoryOf(directory, link)
  // A bare repository may contain its worktrees, and others beside this one.
  if (needed === null || isWithin(workdir, needed) || (who !== null && !permits(statSync(needed), who, 5)))
    return { trees, notes: [`git needs ${name(directory)}: ${mount(directory)}`] }
  const shown: ShownTree = { path: needed, kind: 'directory', writable: false }
  const own = trees.shown.find((tree) => tree.path === workdir)
  return {
    trees: { ...trees, shown: [...trees.shown, shown] },
    notes: [
      ...(own?.writable === true
        ? [`git can read ${name(needed)} but not commit: ${mount(needed, ':rw')}`]
        : []),
      ...lackingAlternates(needed, (path) => isShown(path) || isWithin(path, needed)),
    ],
  }
}

const name = (path: string): string => printablePath(path)

const mount = (path: string, access = ''): string => `add --mount ${quoteWord(`${path}${access}`)}`

/** The directory that a `.git` file names; null if it names none that exists. */
function gitDirectoryOf(file: string): string | null {
  const [, target] = /^gitdir: ([^\n]+)\n?$/.exec(textOf(file)) ?? []
  return target === undefined ? null : realOrNull(resolve(dirname(file), target))
}

/**
 * The repository of a worktree or submodule, if it says itself that the `.git` file belongs to it. Threat: a sandbox that may write
 * the work directory leaves a `.git` that names another repository, and the next sandbox gets to read that.
 */
function repositoryOf(directory: string, file: string): string | null {
  const back = textOf(join(directory, 'gitdir')).trim()
  if (back !== '') {
    // No other place of the common directory than that of git itself, so that only who could write there could forge it.
    const common = dirname(dirname(directory))
    const isOwn = basename(dirname(directory)) === 'worktrees' && isRepository(common)
    return isOwn && realOrNull(resolve(directory, back)) === realOrNull(file) ? common : null
  }
  const [, tree] = /^\s*worktree\s*=\s*"?([^"\n]+?)"?\s*$/m.exec(textOf(join(directory, 'config'))) ?? []
  const isOwn = tree !== undefined && realOrNull(resolve(directory, tree)) === realOrNull(dirname(file))
  return isOwn && isRepository(directory) ? directory : null
}

function isRepository(directory: string): boolean {
  return ['HEAD', 'objects', 'refs'].every((entry) => existsSync(join(directory, entry)))
}

/** The top of the repository that a directory is in; null if none of those above is one. */
function repositoryAbove(directory: string): string | null {
  for (let at = dirname(directory); at !== '/'; at = dirname(at)) if (existsSync(join(at, '.git'))) return at
  return null
}

/** Repositories from which this one borrows objects. A sandbox may be able to write the list, so they are not shown for it. */
function lackingAlternates(repository: string, isShown: (path: string) => boolean): string[] {
  const objects = join(repository, 'objects')
  return textOf(join(objects, 'info/alternates'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => resolve(objects, line))
    .filter((path) => existsSync(path) && !isShown(path))
    .map((path) => `git borrows objects from ${name(path)}: ${mount(path)}`)
}

function realOrNull(path: string): string | null {
  try {
    return realpathSync(path)
  } catch {
    return null
  }
}

function textOf(path: string): string {
  try {
    return statSync(path).isFile() ? readFileSync(path, 'utf8') : ''
  } catch {
    return ''
  }
}
