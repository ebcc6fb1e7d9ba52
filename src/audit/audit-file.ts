import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
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

/** Threat: a link in the place of the log, or of its directory's last part, leads its records to where nobody looks. */
const OPEN_FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW

/** What became of the file, seen from its path. */
export type FileLoss = 'is gone' | 'was replaced' | 'was cut'

/** The path does not lead to what was written any more. */
export class AuditLost extends AuditUnavailable {
  readonly loss: FileLoss

  constructor(path: string, loss: FileLoss) {
    super(
      path,
      { code: `the file ${loss}` },
      'Put the file back, or restart the gateway; settings.audit_lost: reopen begins a new file instead',
    )
    this.loss = loss
  }
}

/**
 * A file of lines, one record each, written only by this process. When `append` returns, all its lines are in the file, and the
 * file is where its path says. If it throws, none are: a write that a full disk cut short is undone.
 */
export class AuditFile {
  readonly #path: string
  #fd: number
  #size: number
  /** What the path must lead to. */
  #identity = { dev: 0, ino: 0, isFile: true }
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
      this.#fd = openSync(path, OPEN_FLAGS, 0o600)
      this.#size = this.#identify()
      this.#endLine()
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
        this.#check()
        fsyncSync(this.#fd)
        this.#broken = null
      }
      writeWhole(this.#fd, bytes)
      this.#dirty = true
      this.#check(bytes.length)
      this.#size += bytes.length
    } catch (error) {
      this.#broken = error
      const lost = error instanceof AuditLost
      this.#takeBack(lost && error.loss === 'was cut' ? bytes.length : null)
      throw lost ? error : new AuditUnavailable(this.#path, error)
    }
  }

  /** What is wrong with the file now; null if it can be written as far as one can see. */
  problem(): AuditUnavailable | null {
    try {
      this.#check()
      return this.#broken === null ? null : new AuditUnavailable(this.#path, this.#broken)
    } catch (error) {
      return error as AuditUnavailable
    }
  }

  /** Whether the next lines belong into a new file. */
  get isFull(): boolean {
    return this.#size >= ROTATE_BYTES
  }

  /** Renames the file, and begins the next. @throws AuditUnavailable */
  rotate(): void {
    const old = this.#fd
    try {
      fsyncSync(old)
      if (existsSync(this.#path)) {
        renameSync(this.#path, this.#path.replace(/\.ndjson$/, `.${String(Date.now())}.ndjson`))
      }
      this.#fd = openSync(this.#path, OPEN_FLAGS | constants.O_EXCL, 0o600)
      this.#size = this.#identify()
    } catch (error) {
      this.#broken = error
      throw new AuditUnavailable(this.#path, error)
    }
    // Last: the operating system may give its descriptor to a socket as soon as it is closed.
    closeSync(old)
  }

  /** Leaves a file that was lost, and begins one in its place. @throws AuditUnavailable */
  reopen(): void {
    const old = this.#fd
    try {
      makeDirectory(dirname(this.#path), 0o700)
      this.#fd = openSync(this.#path, OPEN_FLAGS, 0o600)
      this.#size = this.#identify()
      this.#broken = null
    } catch (error) {
      throw new AuditUnavailable(this.#path, error)
    }
    closeSync(old)
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

  /** Returns its size. */
  #identify(): number {
    const stats = fstatSync(this.#fd)
    this.#identity = { dev: stats.dev, ino: stats.ino, isFile: stats.isFile() }
    return stats.size
  }

  /**
   * Threat: somebody on the host removes, moves, replaces or cuts the file, and everything goes on unrecorded. A file that is
   * open keeps its inode, so no other can have it. Two microseconds, once for each write.
   *
   * @throws AuditLost
   */
  #check(added = 0): void {
    const seen = lstatSync(this.#path, { throwIfNoEntry: false })
    if (seen === undefined) throw new AuditLost(this.#path, 'is gone')
    const { dev, ino, isFile } = this.#identity
    if (seen.ino !== ino || seen.dev !== dev) throw new AuditLost(this.#path, 'was replaced')
    if (!isFile) return
    if (seen.size < this.#size + added) throw new AuditLost(this.#path, 'was cut')
    // Somebody else's lines: they are not ours to take back.
    this.#size = seen.size - added
  }

  /**
   * Cuts the file back to its last whole line: to the size that it had, or, if somebody else has cut it, by so many bytes, for
   * the size that it had would fill the gap with zeros. Special files have no length to cut.
   */
  #takeBack(added: number | null): void {
    try {
      const size = added === null ? this.#size : Math.max(fstatSync(this.#fd).size - added, 0)
      ftruncateSync(this.#fd, size)
    } catch {
      // If truncating fails, the next append fails too and reports the error.
    }
  }

  /** Ends a line that a crash cut off, so that the next one is whole. */
  #endLine(): void {
    const last = Buffer.alloc(1)
    if (this.#size === 0 || !this.#identity.isFile) return
    const fd = openSync(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW)
    readSync(fd, last, 0, 1, this.#size - 1)
    closeSync(fd)
    if (last[0] === LF) return
    writeWhole(this.#fd, Buffer.of(LF))
    this.#size += 1
  }
}

function writeWhole(fd: number, bytes: Buffer): void {
  let at = 0
  while (at < bytes.length) at += writeSync(fd, bytes, at)
}
