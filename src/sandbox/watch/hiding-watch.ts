import { lstatSync } from 'node:fs'
import { findHardLinks } from '../hard-links.js'
import type { MaskedPath, SandboxPlan } from '../plan.js'
import { fsPath } from '../raw-path.js'
import { TreeWatch, type WatchFinding } from './tree-watch.js'

/** Keeps hidden paths hidden while a sandbox runs. See docs/decisions/hidden-by-watching.md. */
export class HidingWatch {
  readonly #tree: TreeWatch
  readonly #early: WatchFinding[] = []
  readonly #hidden = new Set<string>()
  #apply: ((finding: WatchFinding) => void) | null = null
  #fail: (reason: string) => void = () => undefined

  /** @param shownAs path inside of what is shown instead of a hidden file; '' for an empty file */
  constructor(
    { shown, home, hidden, readOnly }: SandboxPlan,
    shownAs: (mask: MaskedPath, index: number) => string = () => '',
  ) {
    this.#tree = new TreeWatch(
      {
        trees: shown,
        home,
        hidden: Object.fromEntries(hidden.map((mask, index) => [mask.path, shownAs(mask, index)])),
        inodes: [...findHardLinks(hidden, []).inodes],
        readOnly: readOnly.map(({ path }) => path),
      },
      (finding) => {
        if (this.#apply === null) this.#early.push(finding)
        else this.#apply(finding)
      },
      (reason) => this.#fail(reason),
    )
  }

  /** Watches all directories. Returns a warning if the kernel allows no more watches, otherwise null. */
  start(): string | null {
    try {
      this.#tree.start()
      return null
    } catch {
      return `Only ${String(this.#tree.size)} directories can be watched, so files to hide that appear in others during this run stay visible. Increase fs.inotify.max_user_watches`
    }
  }

  /**
   * Passes on what has appeared since the plan was made, and then everything else as it appears.
   *
   * @param pid a process of the sandbox; null if it is not known yet
   * @param fail told why files that appear can no longer be hidden: the sandbox must end
   */
  attach(pid: number | null, apply: (finding: WatchFinding) => void, fail: (reason: string) => void): void {
    this.#fail = fail
    if (pid !== null) this.#tree.attach(pid)
    this.#apply = apply
    for (const finding of this.#early.splice(0)) apply(finding)
  }

  /** Whether a finding is a socket of the sandbox's own; for a sandbox whose process was not known to `attach`. */
  isOwnSocket(pid: number, path: string): boolean {
    this.#tree.attach(pid)
    return this.#tree.isOwnSocket(path)
  }

  /** Notes that a path was hidden. */
  note(path: string): void {
    this.#hidden.add(path)
  }

  /** Paths that were hidden while the sandbox ran and that still exist. */
  get hidden(): string[] {
    return [...this.#hidden].filter(
      (path) => lstatSync(fsPath(path), { throwIfNoEntry: false }) !== undefined,
    )
  }

  close(): void {
    this.#tree.close()
  }
}
