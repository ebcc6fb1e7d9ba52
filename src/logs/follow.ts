import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { AuditRole } from '../audit/audit.js'
import { logDirectories, parseLine, type LogLine } from './read.js'

/** Interval between two reads, in milliseconds: fast enough to look immediate, and nearly free. */
const POLL_MS = 200
const READ_BYTES = 65_536

/** Threat: a flood of queries would stop who follows them, such as the proxy, for as long as it takes to read all of them. */
const TURN_BYTES = 262_144

/** How far a file has been read: always up to the end of a line, so that an incomplete last line is read again. */
interface FileOffset {
  offset: number
  inode: number
  /** More of it was there than one turn reads. */
  behind: boolean
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
    let isBehind = false
    for (const file of currentFiles(auditDir, roles)) {
      const position = offsets.get(file) ?? { offset: 0, inode: 0, behind: false }
      offsets.set(file, position)
      lines.push(...readOn(file, position))
      isBehind ||= position.behind
    }
    lines.sort((a, b) => (a.time < b.time ? -1 : 1))
    yield* lines
    if (isBehind) await nextTurn()
    else await sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
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
  return { offset: size, inode: ino, behind: false }
}

function readOn(file: string, position: FileOffset): LogLine[] {
  const fd = openSync(file, 'r')
  try {
    const { size, ino } = fstatSync(fd)
    // A new file under the same name: the old one was rotated.
    if (ino !== position.inode) Object.assign(position, { inode: ino, offset: 0 })
    const chunks: Buffer[] = []
    let at = position.offset
    // A line that is longer than a turn is read to its end.
    let hasLine = false
    while (at < size && !(hasLine && at - position.offset >= TURN_BYTES)) {
      const buffer = Buffer.alloc(Math.min(READ_BYTES, size - at))
      const bytes = readSync(fd, buffer, 0, buffer.length, at)
      if (bytes === 0) break
      at += bytes
      chunks.push(buffer.subarray(0, bytes))
      hasLine ||= buffer.includes('\n')
    }
    position.behind = at < size
    const data = Buffer.concat(chunks)
    const lines = data.subarray(0, data.lastIndexOf('\n') + 1)
    position.offset += lines.length
    const texts = lines.toString('utf8').split('\n')
    return texts.map(parseLine).filter((line) => line !== null)
  } finally {
    closeSync(fd)
  }
}
