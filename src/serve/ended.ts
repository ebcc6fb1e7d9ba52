import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Milliseconds between two looks for sandboxes that ended. */
const POLL_MS = 500

/**
 * Sandboxes that ended, told by files: sandbox-run copies an empty one named `ID.CODE` into the directory, the code left
 * out when nobody knows it. It takes a quarter of what a program started in the gateway's container takes, and reaches a
 * gateway that stands still, too.
 */
export class EndedSandboxes {
  readonly #directory: string
  readonly #end: (id: string, exitCode: number | null) => void
  readonly #timer: NodeJS.Timeout

  /** @param end records the end; when it throws, it is asked again later */
  constructor(directory: string, end: (id: string, exitCode: number | null) => void) {
    this.#directory = directory
    this.#end = end
    mkdirSync(directory, { recursive: true })
    this.read()
    this.#timer = setInterval(() => this.read(), POLL_MS)
  }

  /** Ends what was told until now. */
  read(): void {
    // Handle files with an exit code first: a later clean-up may add a second file for the same sandbox without one.
    for (const name of readdirSync(this.#directory).sort().reverse()) {
      const [, id, code = ''] = /^(sb-[0-9a-f]{10})\.(\d{0,3})$/.exec(name) ?? []
      if (id === undefined) continue
      try {
        this.#end(id, code === '' ? null : Number(code))
        rmSync(join(this.#directory, name))
      } catch {
        // The audit log says by itself that it cannot be written.
      }
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
