import { lstatSync, type Stats } from 'node:fs'
import { joinPath, listEntries } from './masked-paths.js'
import type { MaskedPath } from './plan.js'
import { fsPath } from './raw-path.js'

/** One file under all of its names. */
export const inodeOf = ({ dev, ino }: Pick<Stats, 'dev' | 'ino'>): string => `${String(dev)}:${String(ino)}`

export interface LinkedFiles {
  /** inodes of hidden files */
  readonly inodes: ReadonlySet<string>
  /** other names of these files in the trees */
  readonly names: MaskedPath[]
}

/**
 * Finds further names (hard links) of hidden files. A file with a single name needs no search; otherwise every file of the
 * trees is looked at once.
 */
export function findHardLinks(hidden: readonly MaskedPath[], trees: readonly string[]): LinkedFiles {
  const known = new Set(hidden.map(({ path }) => path))
  const inodes = new Set<string>()
  const wanted = new Map<string, number>()
  const note = (path: string) => {
    const found = lstatSync(fsPath(path), { throwIfNoEntry: false })
    if (found === undefined || found.isDirectory()) return
    inodes.add(inodeOf(found))
    if (found.nlink > 1) wanted.set(inodeOf(found), (wanted.get(inodeOf(found)) ?? found.nlink) - 1)
  }
  for (const { path, kind } of new Map(hidden.map((mask) => [mask.path, mask])).values()) {
    if (kind === 'file') note(path)
    else for (const file of filesIn(path, () => true)) note(file)
  }
  const names: MaskedPath[] = []
  const open = () => [...wanted.values()].some((count) => count > 0)
  for (const tree of open() ? trees : []) {
    for (const path of filesIn(tree, (directory) => !known.has(directory))) {
      if (known.has(path)) continue
      const found = lstatSync(fsPath(path), { throwIfNoEntry: false })
      if (found === undefined || found.nlink < 2) continue
      const left = wanted.get(inodeOf(found))
      if (left === undefined) continue
      names.push({ path, kind: 'file' })
      wanted.set(inodeOf(found), left - 1)
      if (!open()) return { inodes, names }
    }
  }
  return { inodes, names }
}

/** The files below a directory. */
function* filesIn(top: string, enter: (directory: string) => boolean): Generator<string> {
  const pending = [top]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const entry of listEntries(directory) ?? []) {
      const path = joinPath(directory, entry.name)
      if (entry.type === 'file') yield path
      else if (entry.type === 'directory' && enter(path)) pending.push(path)
    }
  }
}
