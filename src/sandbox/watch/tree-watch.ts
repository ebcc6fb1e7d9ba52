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
import { isInHome } from '../kept-home.js'
import { isWithin } from '../paths.js'
import type { ShownTree } from '../plan.js'
import { decodePath, fsPath } from '../raw-path.js'

/** Milliseconds until a new file below a writable `node_modules` is looked at: by then it is clear whether it is a package's. */
const PACKAGE_SETTLES_MS = 1500

export interface TreeWatchInput {
  readonly trees: readonly ShownTree[]
  /** the tree that is the sandbox's home directory: only what is hidden already is hidden there */
  readonly home: string | null
  /** paths that are hidden already, and what is shown instead: a path inside, or '' for nothing */
  readonly hidden: Readonly<Record<string, string>>
  /** inodes of hidden files, to recognise new names of them */
  readonly inodes: readonly string[]
  /** paths that the sandbox must not write */
  readonly readOnly: readonly string[]
}

/**
 * Events between two turns of the event loop after which some may be lost: half of what the kernel queues. Threat: a sandbox that
 * renames files as fast as it can fills the queue, and the kernel drops the event of a hidden file that the host has replaced.
 */
const FLOOD_EVENTS = kernelLimit('max_queued_events', 16_384) / 2

/** Directories, half of what the kernel allows a user. Threat: a sandbox that makes directories until no other one can be watched. */
const MAX_WATCHES = kernelLimit('max_user_watches', 8192) / 2

/** Milliseconds from a flood, or from an event that may have been missed, until everything is searched. */
const SEARCH_AFTER_MS = 200

/** A search takes at most this part of the time. */
const SEARCH_SHARE = 0.1

/** Milliseconds for names with new content, in one turn of the event loop. */
const TURN_MS = 20

/** Hidden by one run, more than any project has. Each is a mount, and a mount takes the time in which the next one is visible. */
const MAX_FOUND = 2000

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
  readonly #fail: (reason: string) => void
  readonly #watchers = new Map<string, { watcher: FSWatcher; inode: string }>()
  readonly #changes = new Map<string, { directory: string; name: string }>()
  readonly #settling = new Set<string>()
  readonly #found = new Set<string>()
  #isStarted = false
  /** whether the kernel allowed all watches at the start */
  #isComplete = false
  #events = 0
  #isTurning = false
  #search: NodeJS.Timeout | null = null
  #searchedUntil = 0
  #searchMs = 0
  #isClosed = false
  readonly #inodes: Set<string>
  readonly #hidden: ReadonlyMap<string, string>
  readonly #readOnly: ReadonlySet<string>
  readonly #shown: readonly string[]
  readonly #tops: readonly string[]
  #pid: number | null = null

  /** @param fail told why files can no longer be hidden: the sandbox must end */
  constructor(
    input: TreeWatchInput,
    send: (finding: WatchFinding) => void,
    fail: (reason: string) => void = () => undefined,
  ) {
    this.#fail = fail
    this.#input = input
    this.#send = send
    this.#inodes = new Set(input.inodes)
    this.#hidden = new Map(Object.entries(input.hidden))
    this.#readOnly = new Set(input.readOnly)
    this.#shown = input.trees.map(({ path }) => path)
    this.#tops = input.trees.flatMap(({ path, kind }) => {
      const isNeedless = path === input.home && ![...this.#hidden.keys()].some((one) => isWithin(one, path))
      return kind === 'directory' && !isNeedless ? [path] : []
    })
  }

  /** Watches everything; reports what has appeared since the plan was made. Throws if the kernel allows no more watches. */
  start(): void {
    try {
      for (const path of this.#tops) this.#enter(path, true)
      this.#isComplete = true
    } finally {
      this.#isStarted = true
    }
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
    this.#isClosed = true
    if (this.#search !== null) clearTimeout(this.#search)
    this.#unwatch()
  }

  #unwatch(): void {
    for (const { watcher } of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  /** @param first whether the masks of the plan still are as they were */
  #enter(top: string, first: boolean): void {
    const pending = [top]
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      // First watch, then look: what comes in between is seen twice and not missed.
      if (!this.#watch(directory)) continue
      for (const entry of listEntries(directory) ?? []) {
        const path = joinPath(directory, entry.name)
        if (this.#hidden.has(path)) {
          if (!first) this.#hide(path)
          continue
        }
        const found = this.#look(directory, entry.name, entry.type)
        if (!found && entry.type === 'directory' && !isPackage(directory, entry.name)) pending.push(path)
      }
    }
  }

  /** Keeps the watch of a directory that is still the same one: events of one that is closed are not counted. */
  #watch(directory: string): boolean {
    try {
      const found = lstatSync(fsPath(directory))
      const inode = `${inodeOf(found)}:${String(found.birthtimeMs)}`
      const before = this.#watchers.get(directory)
      if (before?.inode === inode) return true
      before?.watcher.close()
      if (this.#isStarted && this.#watchers.size >= MAX_WATCHES)
        throw Object.assign(new Error(`more than ${String(MAX_WATCHES)} directories`), { code: 'ENOSPC' })
      const watcher = watch(fsPath(directory), { encoding: 'buffer', persistent: false }, (event, name) => {
        if (name !== null) this.#changed(directory, decodePath(name), event)
      })
      watcher.on('error', () => this.#forget(directory))
      this.#watchers.set(directory, { watcher, inode })
      return true
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOSPC' || code === 'EMFILE') throw error
      // It has gone, or nobody but its owner may list it: the plan hides such a directory.
      return false
    }
  }

  #forget(directory: string): void {
    const found = this.#watchers.get(directory)
    if (found === undefined) return
    found.watcher.close()
    this.#watchers.delete(directory)
    // Its events that were queued are not counted, and it may have another name by now.
    this.#searchSoon()
  }

  /** Called for every event. Node calls it again and again while there are events, and nothing else in between. */
  #changed(directory: string, name: string, event: string): void {
    if (++this.#events > FLOOD_EVENTS) {
      // Nothing else would run while the sandbox is faster than this function.
      this.#unwatch()
      this.#searchSoon()
      return
    }
    this.#turnSoon()
    // Most events are writes to ordinary files.
    if (event === 'change' && matchingNames(directory, name, false).length === 0) return
    this.#changes.set(joinPath(directory, name), { directory, name })
  }

  /** Looks at what has changed, each name once: first what is hidden already, last what is hidden for its content. */
  #turn(): void {
    this.#events = 0
    this.#isTurning = false
    if (this.#isClosed) return
    const until = Date.now() + TURN_MS
    const order = (path: string, { directory, name }: { directory: string; name: string }) => {
      if (this.#hidden.has(path) || this.#readOnly.has(path)) return 0
      return matchingNames(directory, name, false).some(({ content }) => content !== undefined) ? 2 : 1
    }
    const changes = [...this.#changes].map(([path, change]) => ({
      path,
      ...change,
      rank: order(path, change),
    }))
    for (const { path, directory, name, rank } of changes.sort((a, b) => a.rank - b.rank)) {
      if (rank === 2 && Date.now() > until) continue
      this.#changes.delete(path)
      const wait = rank > 0 && /\/node_modules(\/|$)/.test(directory) && this.#isWritable(directory)
      if (!wait) this.#guarded(() => this.#evaluate(directory, name))
      else if (!this.#settling.has(path)) {
        this.#settling.add(path)
        setTimeout(() => {
          this.#settling.delete(path)
          if (!this.#isClosed) this.#guarded(() => this.#settled(directory, name))
        }, PACKAGE_SETTLES_MS).unref()
      }
    }
    if (this.#changes.size > 0) this.#turnSoon()
  }

  #turnSoon(): void {
    if (this.#isTurning) return
    this.#isTurning = true
    setImmediate(() => this.#turn())
  }

  /** Searches everything again, as soon as the last search was a small part of the time. */
  #searchSoon(): void {
    if (this.#search !== null || this.#isClosed) return
    const rest = this.#searchedUntil + this.#searchMs / SEARCH_SHARE - Date.now()
    const wait = Math.max(SEARCH_AFTER_MS, rest)
    this.#search = setTimeout(() => {
      this.#search = null
      this.#events = 0
      const begin = Date.now()
      this.#guarded(() => {
        for (const path of this.#tops) this.#enter(path, false)
        for (const path of this.#readOnly) this.#report('protect', path)
      })
      this.#searchedUntil = Date.now()
      this.#searchMs = this.#searchedUntil - begin
    }, wait).unref()
  }

  #giveUp(reason: string): void {
    if (this.#isClosed) return
    this.close()
    this.#fail(reason)
  }

  /** A sandbox can use up what the kernel watches for a user. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (this.#isComplete) this.#giveUp(`not all directories can be watched (${(error as Error).message})`)
    }
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
    const mask = isInHome(path, { home: this.#input.home, shown: this.#input.trees })
      ? null
      : classify(directory, { name, type })
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
    this.#found.add(path)
    if (this.#found.size > MAX_FOUND + this.#hidden.size + this.#readOnly.size) {
      this.#giveUp(`more than ${String(MAX_FOUND)} of them have appeared`)
      return
    }
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

function kernelLimit(name: string, otherwise: number): number {
  try {
    return Number(readFileSync(`/proc/sys/fs/inotify/${name}`, 'utf8')) || otherwise
  } catch {
    return otherwise
  }
}
