import { lstatSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { findHardLinks } from '../hard-links.js'
import type { MaskedPath, SandboxPlan } from '../plan.js'
import type { TreeWatchInput, WatchFinding } from './tree-watch.js'
import type { WatchAttach, WatchMessage } from './watch-worker.js'

export interface HidingWatchEvents {
  /** a path must be hidden, and no program does it; called after `attach` with a null command */
  found?(finding: WatchFinding): void
  /** Something that had to be hidden could not be: the sandbox must end. */
  failed(path: string, reason: string): void
  /** the kernel watches no more than this number of directories */
  unwatched(directories: number): void
}

/** Keeps hidden paths hidden while a sandbox runs. See docs/decisions/hidden-by-watching.md. */
export class HidingWatch {
  readonly #worker: Worker
  readonly #hidden = new Set<string>()
  #ready: () => void = () => undefined
  #closed = false

  /** @param shownAs path inside of what is shown instead of a hidden file, '' for an empty file */
  constructor(
    { shown, hidden, readOnly }: SandboxPlan,
    shownAs: (mask: MaskedPath, index: number) => string,
    events: HidingWatchEvents,
  ) {
    const { inodes } = findHardLinks(hidden, [])
    const input: TreeWatchInput = {
      trees: shown,
      hidden: Object.fromEntries(hidden.map((mask, index) => [mask.path, shownAs(mask, index)])),
      inodes: [...inodes],
      readOnly: readOnly.map(({ path }) => path),
      pid: null,
    }
    this.#worker = new Worker(new URL('./watch-worker.js', import.meta.url), {
      workerData: input,
      stdin: false,
    })
    this.#worker.unref()
    this.#worker.on('error', (error) => !this.#closed && events.failed('', error.message))
    this.#worker.on('message', (message: WatchMessage) => {
      if (this.#closed) return
      if (message.what === 'ready') this.#ready()
      else if (message.what === 'unwatched') events.unwatched(message.directories)
      else if (message.what === 'failed') events.failed(message.path, message.reason)
      else if (message.what === 'hidden') this.#hidden.add(message.path)
      else events.found?.(message)
    })
  }

  /** Hides what has appeared since the plan was made; resolves when everything is watched and hidden. */
  attach(message: WatchAttach): Promise<void> {
    return new Promise((resolve) => {
      this.#ready = resolve
      this.#worker.postMessage(message)
    })
  }

  /** Paths that were hidden while the sandbox ran. */
  get hidden(): string[] {
    return [...this.#hidden].filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#ready()
    await this.#worker.terminate()
  }
}

export function unwatchedWarning(directories: number): string {
  return `Only ${String(directories)} directories can be watched, so files to hide that appear in others during this run stay visible. Increase fs.inotify.max_user_watches`
}
