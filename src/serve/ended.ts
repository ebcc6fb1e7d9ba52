import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Milliseconds between two checks for sandboxes that have ended. */
const POLL_MS = 500

/**
 * Finds sandboxes that have ended: a run copies an empty file named `ID.CODE` into the directory, or `ID.` if the exit code
 * is unknown. This takes a quarter of the time of a program in the gateway's container, and also works while the gateway is
 * not running.
 */
export class EndedSandboxes {
  readonly #directory: string
  readonly #end: (id: string, exitCode: number | null) => void
  readonly #timer: NodeJS.Timeout

  /** @param end records the end; if it throws, it is called again later */
  constructor(directory: string, end: (id: string, exitCode: number | null) => void) {
    this.#directory = directory
    this.#end = end
    mkdirSync(directory, { recursive: true })
    this.read()
    this.#timer = setInterval(() => this.read(), POLL_MS)
  }

  /** Ends the sandboxes whose files exist now. */
  read(): void {
    // Handle files with an exit code first: a later clean-up may add a second file for the same sandbox without one.
    for (const name of readdirSync(this.#directory).sort().reverse()) {
      const [, id, code = ''] = /^(sb-[0-9a-f]{10})\.(\d{0,3})$/.exec(name) ?? []
      if (id === undefined) continue
      try {
        this.#end(id, code === '' ? null : Number(code))
        rmSync(join(this.#directory, name))
      } catch {
        // The audit log reports its own errors.
      }
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
