import {
  closeSync,
  existsSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { EgressError } from '../common/errors.js'
import { makeDirectory } from '../common/make-directory.js'

/** Milliseconds between two fsync calls. A crash of the machine loses at most this much; a crash of the process loses nothing. */
const FSYNC_MS = 1_000

/** Size at which a file is rotated, in bytes. */
const ROTATE_BYTES = 256 * 1024 * 1024

/** Buffer size for the records of one turn of the event loop, in bytes. Unused pages take no memory. */
const SCRATCH_BYTES = 256 * 1024

const LF = 0x0a

const LATER = 'Free disk space or repair the file system; traffic resumes with the next successful write'

const AT_START = 'Make it writable, or set --audit-dir or EGRESS_AUDIT_DIR to another directory'

export class AuditUnavailable extends EgressError {
  constructor(path: string, cause: unknown, fix = LATER) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error'
    super({
      code: 'EGRESS_AUDIT_UNAVAILABLE',
      problem: `Cannot write the audit log ${path} (${code}), so all traffic is blocked`,
      fix,
      exitCode: 125,
      cause,
    })
  }
}

/**
 * A file of lines, one record each, written only by this process. When `append` returns, all its lines are in the file. If it
 * throws, none are: a write that a full disk cut short is undone.
 */
export class AuditFile {
  readonly #path: string
  #fd: number
  #size: number
  /** Reused for encoding: allocating a buffer for each write would cost more than the write. */
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  #dirty = false
  #broken: unknown = null
  readonly #timer: NodeJS.Timeout

  /** @throws AuditUnavailable */
  constructor(path: string) {
    this.#path = path
    try {
      makeDirectory(dirname(path), 0o700)
      this.#fd = openSync(path, 'a', 0o600)
      this.#size = fstatSync(this.#fd).size
    } catch (error) {
      throw new AuditUnavailable(path, error, AT_START)
    }
    this.#timer = setInterval(() => this.#sync(), FSYNC_MS)
    this.#timer.unref()
  }

  /** Writes lines, given without their line feeds. @throws AuditUnavailable */
  append(lines: readonly string[]): void {
    const bytes = this.#encode(lines)
    try {
      if (this.#broken !== null) {
        fsyncSync(this.#fd)
        this.#broken = null
      }
      if (this.#size > 0 && this.#size + bytes.length > ROTATE_BYTES) this.#rotate()
      writeWhole(this.#fd, bytes)
      this.#size += bytes.length
      this.#dirty = true
    } catch (error) {
      this.#broken = error
      this.#takeBack()
      throw new AuditUnavailable(this.#path, error)
    }
  }

  close(): void {
    clearInterval(this.#timer)
    try {
      fsyncSync(this.#fd)
    } catch {
      // No later record could report the error.
    }
    closeSync(this.#fd)
  }

  #encode(lines: readonly string[]): Buffer {
    const scratch = this.#scratch
    let at = 0
    for (const line of lines) {
      // UTF-8 takes three bytes at most for a unit of UTF-16.
      if (at + line.length * 3 + 1 > SCRATCH_BYTES) return Buffer.from(`${lines.join('\n')}\n`, 'utf8')
      at += scratch.write(line, at, 'utf8')
      scratch[at] = LF
      at += 1
    }
    return scratch.subarray(0, at)
  }

  /** Asynchronous, because a slow disk would otherwise delay every request. */
  #sync(): void {
    if (!this.#dirty) return
    this.#dirty = false
    fsync(this.#fd, (error) => {
      if (error !== null) this.#broken = error
    })
  }

  /** Cuts the file back to its last whole line. Special files have no length to cut. */
  #takeBack(): void {
    try {
      ftruncateSync(this.#fd, this.#size)
    } catch {
      // If truncating fails, the next append fails too and reports the error.
    }
  }

  /** Closes the old file last: the operating system may reuse its descriptor for a socket as soon as it is closed. */
  #rotate(): void {
    const old = this.#fd
    fsyncSync(old)
    if (existsSync(this.#path)) {
      renameSync(this.#path, this.#path.replace(/\.ndjson$/, `.${String(Date.now())}.ndjson`))
    }
    this.#fd = openSync(this.#path, 'a', 0o600)
    this.#size = 0
    closeSync(old)
  }
}

function writeWhole(fd: number, bytes: Buffer): void {
  let at = 0
  while (at < bytes.length) at += writeSync(fd, bytes, at)
}
