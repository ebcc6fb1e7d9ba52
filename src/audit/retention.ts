import {
  createReadStream,
  createWriteStream,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { AuditSettings } from '#config/audit-settings.js'

/** Milliseconds between two looks at the files; with a limit, of which the health check tells within ten seconds, more often. */
const LOOK_MS = 60_000
const LIMIT_LOOK_MS = 5_000

/** The part of the limit from which the operator is warned. */
const WARN_AT = 0.8

/** Milliseconds since the last write from which a run without an end is taken for one that was killed. */
const IDLE_MS = 3_600_000

export interface RetentionOptions extends Pick<AuditSettings, 'keepMs' | 'maxBytes' | 'compress'> {
  /** The audit directory. Files of runs are in `runs/` below it. */
  readonly directory: string
  readonly now: () => number
  /** For the program's log. */
  readonly warn: (message: string) => void
}

/** A log that is larger than it may be, although all that is closed was removed. */
export interface AuditExcess {
  readonly bytes: number
  readonly maxBytes: number
}

/** A file or a directory that nobody writes any more. */
interface Closed {
  readonly path: string
  readonly bytes: number
  /** Milliseconds since 1970 of the last write. */
  readonly at: number
}

/** `http.1767225600000.ndjson`; the files that are written have no number. */
const ROTATED = /^(?:dns|http|sandbox)\.\d+\.ndjson(?:\.gz|\.zst)?$/
const CURRENT = /^(?:dns|http|sandbox)\.ndjson$/

/**
 * Compresses and removes what of a log is closed. What is written is never touched: a log that is full stops traffic, and is not
 * cut. Of several gateways in one directory, one looks after it.
 */
export class Retention {
  readonly #options: RetentionOptions
  #timer: NodeJS.Timeout | null = null
  #looking: Promise<void> | null = null
  #hasWarned = false
  #excess: AuditExcess | null = null

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  /** Null while the log is within its limit: what is written is not removed, so it may be larger. */
  get excess(): AuditExcess | null {
    return this.#excess
  }

  start(): void {
    void this.look()
    const pauseMs = this.#options.maxBytes === null ? LOOK_MS : LIMIT_LOOK_MS
    this.#timer = setInterval(() => void this.look(), pauseMs)
    this.#timer.unref()
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  /** Does now what is due. Never rejects: the log's own errors stop traffic, these are only told. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => {
        this.#options.warn(`Could not keep the audit log small: ${(error as Error).message}`)
      })
      .finally(() => (this.#looking = null))
    return this.#looking
  }

  async #look(): Promise<void> {
    const { directory, keepMs, compress, now } = this.#options
    if (!existsSync(directory)) return
    if (keepMs !== null)
      for (const { path, at } of this.#closed()) if (at < now() - keepMs) rmSync(path, { recursive: true })
    if (compress === 'gzip')
      for (const name of readdirSync(directory))
        if (ROTATED.test(name) && name.endsWith('.ndjson')) await gzip(join(directory, name))
    this.#fit()
  }

  #fit(): void {
    const { directory, maxBytes, warn } = this.#options
    if (maxBytes === null) return
    const closed = this.#closed().sort((a, b) => a.at - b.at)
    const current = readdirSync(directory).filter((name) => CURRENT.test(name))
    const open = current.reduce((sum, name) => sum + sizeOf(join(directory, name)), 0)
    let total = open + closed.reduce((sum, { bytes }) => sum + bytes, 0)
    if (total > maxBytes * WARN_AT && !this.#hasWarned) {
      const percent = String(Math.floor((total / maxBytes) * 100))
      warn(
        `The audit log uses ${percent} % of its limit (audit.max, EGRESS_AUDIT_MAX). Beyond it the oldest files are removed`,
      )
    }
    this.#hasWarned = total > maxBytes * WARN_AT
    for (const { path, bytes } of closed) {
      if (total <= maxBytes) break
      rmSync(path, { recursive: true })
      total -= bytes
    }
    this.#excess = total > maxBytes ? { bytes: total, maxBytes } : null
  }

  #closed(): Closed[] {
    const { directory } = this.#options
    const files = readdirSync(directory)
      .filter((name) => ROTATED.test(name))
      .map((name) => closedFile(join(directory, name)))
    return [...files, ...this.#closedRuns(join(directory, 'runs'))]
  }

  /** Directories of runs that have ended, or have written nothing for long. */
  #closedRuns(runs: string): Closed[] {
    if (!existsSync(runs)) return []
    return readdirSync(runs).flatMap((name) => {
      const path = join(runs, name)
      const files = readdirSync(path).map((file) => closedFile(join(path, file)))
      const at = Math.max(0, ...files.map((file) => file.at))
      if (this.#options.now() - at < IDLE_MS) return []
      return [{ path, at, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }]
    })
  }
}

function closedFile(path: string): Closed {
  const { size, mtimeMs } = statSync(path)
  return { path, bytes: size, at: mtimeMs }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** Beside the file, which is removed when the whole of it is on the disk under its new name. Keeps its time, by which it is removed. */
async function gzip(path: string): Promise<void> {
  const { mtime, atime } = statSync(path)
  const draft = `${path}.gz.new`
  await pipeline(
    createReadStream(path),
    createGzip({ level: 6 }),
    createWriteStream(draft, { mode: 0o600, flush: true }),
  )
  utimesSync(draft, atime, mtime)
  renameSync(draft, `${path}.gz`)
  rmSync(path)
}
