import { lstatSync, readFileSync, statSync, watch, type FSWatcher } from 'node:fs'
import { inodeOf } from '../hard-links.js'
import { matchingNames } from '../masked-names.js'
import {
  classify,
  followLink,
  isPackage,
  joinPath,
  listEntries,
  packageBehind,
  typeOf,
} from '../masked-paths.js'
import { isWithin } from '../paths.js'
import type { ShownTree } from '../plan.js'
import { decodePath, fsPath } from '../raw-path.js'

/** Milliseconds until a new file below a writable `node_modules` is looked at: by then it is clear whether it is a package's. */
const PACKAGE_SETTLES_MS = 1500

export interface TreeWatchInput {
  readonly trees: readonly ShownTree[]
  /** paths that are hidden already, and what is shown instead: a path inside, or '' for nothing */
  readonly hidden: Readonly<Record<string, string>>
  /** inodes of hidden files, to recognise new names of them */
  readonly inodes: readonly string[]
  /** paths that the sandbox must not write */
  readonly readOnly: readonly string[]
}

/** What has to be mounted again or for the first time. */
export interface WatchFinding {
  readonly how: 'mask' | 'protect'
  readonly path: string
  /** path inside of the file to show instead; '' for an empty one */
  readonly shownAs: string
}

/**
 * Watches all directories of the trees, and reports paths that have to be hidden or protected as they appear: created, renamed,
 * linked or replaced, by the host or by the sandbox. Threat: the kernel takes a mount away when the host renames another file to
 * its place.
 */
export class TreeWatch {
  readonly #input: TreeWatchInput
  readonly #send: (finding: WatchFinding) => void
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #inodes: Set<string>
  readonly #hidden: ReadonlyMap<string, string>
  readonly #readOnly: ReadonlySet<string>
  readonly #shown: readonly string[]
  #pid: number | null = null

  constructor(input: TreeWatchInput, send: (finding: WatchFinding) => void) {
    this.#input = input
    this.#send = send
    this.#inodes = new Set(input.inodes)
    this.#hidden = new Map(Object.entries(input.hidden))
    this.#readOnly = new Set(input.readOnly)
    this.#shown = input.trees.map(({ path }) => path)
  }

  /** Watches everything; reports what has appeared since the plan was made. Throws if the kernel allows no more watches. */
  start(): void {
    for (const { path, kind } of this.#input.trees) if (kind === 'directory') this.#enter(path, true)
  }

  /** Whether a path is a socket that a program of the sandbox has opened. */
  isOwnSocket(path: string): boolean {
    const found = lstatSync(fsPath(path), { throwIfNoEntry: false })
    return (
      found?.isSocket() === true && this.#isWritable(path) && this.#isOwn(path, path.split('/').at(-1) ?? '')
    )
  }

  /** Names a process in the network namespace of the sandbox, whose own sockets stay visible. */
  attach(pid: number): void {
    this.#pid = pid
  }

  /** Number of watched directories. */
  get size(): number {
    return this.#watchers.size
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
  }

  /** @param first whether the masks of the plan still are as they were */
  #enter(top: string, first: boolean): void {
    const pending = [top]
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      if (this.#watchers.has(directory)) this.#watchers.get(directory)?.close()
      // First watch, then look: what comes in between is seen twice and not missed.
      if (!this.#watch(directory)) continue
      for (const entry of listEntries(directory) ?? []) {
        const path = joinPath(directory, entry.name)
        if (first && this.#hidden.has(path)) continue
        const found = this.#look(directory, entry.name, entry.type)
        if (!found && entry.type === 'directory' && !isPackage(directory, entry.name)) pending.push(path)
      }
    }
  }

  #watch(directory: string): boolean {
    try {
      const watcher = watch(fsPath(directory), { encoding: 'buffer', persistent: false }, (event, name) => {
        if (name !== null) this.#changed(directory, decodePath(name), event)
      })
      watcher.on('error', () => this.#forget(directory))
      this.#watchers.set(directory, watcher)
      return true
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOSPC' || code === 'EMFILE') throw error
      // It has gone, or nobody but its owner may list it: the plan hides such a directory.
      return false
    }
  }

  #forget(directory: string): void {
    this.#watchers.get(directory)?.close()
    this.#watchers.delete(directory)
  }

  #changed(directory: string, name: string, event: string): void {
    // Most events are writes to ordinary files.
    if (event === 'change' && matchingNames(directory, name, false).length === 0) return
    const wait = /\/node_modules(\/|$)/.test(directory) && this.#isWritable(directory)
    if (wait) setTimeout(() => this.#settled(directory, name), PACKAGE_SETTLES_MS).unref()
    else this.#evaluate(directory, name)
  }

  #settled(directory: string, name: string): void {
    const inPackage = directory.split('/').some((part, index, parts) => {
      const above = parts.slice(0, index).join('/')
      return part !== '' && isPackage(above, part)
    })
    if (!inPackage) this.#evaluate(directory, name)
  }

  #evaluate(directory: string, name: string): void {
    const path = joinPath(directory, name)
    if (this.#readOnly.has(path)) this.#report('protect', path)
    const found = lstatSync(fsPath(path), { throwIfNoEntry: false })
    if (found === undefined) {
      this.#forget(path)
      return
    }
    // Hidden by the user's choice and not by its name, such as the policy; or shown in part.
    if (this.#hidden.has(path)) {
      this.#hide(path)
      return
    }
    const type = typeOf(found)
    if (this.#look(directory, name, type) || type !== 'directory' || isPackage(directory, name)) return
    this.#enter(path, false)
  }

  /** Reports an entry if it has to be hidden. */
  #look(directory: string, name: string, type: ReturnType<typeof typeOf>): boolean {
    const path = joinPath(directory, name)
    if (type === 'socket') {
      if (this.#isWritable(path) && this.#isOwn(path, name)) return false
      this.#report('mask', path)
      return true
    }
    const mask = classify(directory, { name, type })
    if (mask !== null) {
      for (const { path: real } of followLink(mask, this.#shown)) this.#hide(real)
      return true
    }
    if (type === 'link') for (const package_ of packageBehind(path, this.#shown)) this.#enter(package_, false)
    if (type !== 'file') return false
    const found = lstatSync(fsPath(path), { throwIfNoEntry: false })
    if (found === undefined || found.nlink < 2 || !this.#inodes.has(inodeOf(found))) return false
    this.#report('mask', path)
    return true
  }

  #hide(path: string): void {
    const found = statSync(fsPath(path), { throwIfNoEntry: false })
    if (found?.isFile() === true) this.#inodes.add(inodeOf(found))
    this.#report('mask', path)
  }

  #report(how: WatchFinding['how'], path: string): void {
    this.#send({ how, path, shownAs: this.#hidden.get(path) ?? '' })
  }

  #isWritable(path: string): boolean {
    const around = this.#input.trees.filter((tree) => isWithin(path, tree.path))
    return around.sort((a, b) => b.path.length - a.path.length)[0]?.writable === true
  }

  /**
   * Whether a socket or pipe belongs to the sandbox: only its network namespace lists the name. In a read-only tree all belong to
   * the host.
   */
  #isOwn(path: string, name: string): boolean {
    const found = lstatSync(fsPath(path), { throwIfNoEntry: false })
    if (found?.isFIFO() === true) return true
    const pid = this.#pid
    return (
      pid !== null &&
      listsSocket(`/proc/${String(pid)}/net/unix`, name) &&
      !listsSocket('/proc/net/unix', name)
    )
  }
}

/** Whether a table of sockets has one that was bound to this file name. */
function listsSocket(table: string, name: string): boolean {
  try {
    return readFileSync(table, 'utf8')
      .split('\n')
      .some((line) => line.endsWith(`/${name}`) || line.endsWith(` ${name}`))
  } catch {
    return false
  }
}
