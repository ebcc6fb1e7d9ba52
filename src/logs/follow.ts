import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditRole } from '../audit/audit.js'
import { logDirectories, parseLine, type LogLine } from './read.js'

/** Interval between two reads, in milliseconds: fast enough to look immediate, and nearly free. */
const POLL_MS = 200
const READ_BYTES = 65_536

/** How far a file has been read: always up to the end of a line, so that an incomplete last line is read again. */
interface FileOffset {
  offset: number
  inode: number
}

/** Lines written from now on, including those of runs that start later. Ends when the signal fires. */
export async function* followLog(
  auditDir: string,
  roles: readonly AuditRole[],
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const offsets = new Map<string, FileOffset>()
  for (const file of currentFiles(auditDir, roles)) offsets.set(file, endOf(file))
  while (!signal.aborted) {
    const lines: LogLine[] = []
    for (const file of currentFiles(auditDir, roles)) {
      const position = offsets.get(file) ?? { offset: 0, inode: 0 }
      offsets.set(file, position)
      lines.push(...readOn(file, position))
    }
    lines.sort((a, b) => (a.time < b.time ? -1 : 1))
    yield* lines
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
  }
}

function currentFiles(auditDir: string, roles: readonly AuditRole[]): string[] {
  return logDirectories(auditDir)
    .flatMap((directory) => roles.map((role) => join(directory, `${role}.ndjson`)))
    .filter((file) => existsSync(file))
}

function endOf(file: string): FileOffset {
  const fd = openSync(file, 'r')
  const { size, ino } = fstatSync(fd)
  closeSync(fd)
  return { offset: size, inode: ino }
}

function readOn(file: string, position: FileOffset): LogLine[] {
  const fd = openSync(file, 'r')
  try {
    const { size, ino } = fstatSync(fd)
    // A new file under the same name: the old one was rotated.
    if (ino !== position.inode) Object.assign(position, { inode: ino, offset: 0 })
    const chunks: Buffer[] = []
    for (let at = position.offset; at < size;) {
      const buffer = Buffer.alloc(Math.min(READ_BYTES, size - at))
      const bytes = readSync(fd, buffer, 0, buffer.length, at)
      if (bytes === 0) break
      at += bytes
      chunks.push(buffer.subarray(0, bytes))
    }
    const data = Buffer.concat(chunks)
    const lines = data.subarray(0, data.lastIndexOf('\n') + 1)
    position.offset += lines.length
    const texts = lines.toString('utf8').split('\n')
    return texts.map(parseLine).filter((line) => line !== null)
  } finally {
    closeSync(fd)
  }
}
