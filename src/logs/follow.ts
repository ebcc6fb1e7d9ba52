import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditRole } from '../audit/audit.js'
import { logDirectories, parseLine, type LogLine } from './read.js'

/** Milliseconds between two looks: quick to the eye, nothing to the machine. */
const POLL_MS = 200
const READ_BYTES = 65_536

/** How far a file was read. A last line without its end waits for it. */
interface Position {
  offset: number
  inode: number
  rest: string
}

/** Lines that are written from now on, those of runs that begin later included. Ends when the signal fires. */
export async function* followLog(
  auditDir: string,
  roles: readonly AuditRole[],
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const positions = new Map<string, Position>()
  for (const file of currentFiles(auditDir, roles)) positions.set(file, endOf(file))
  while (!signal.aborted) {
    const lines: LogLine[] = []
    for (const file of currentFiles(auditDir, roles)) {
      const position = positions.get(file) ?? { offset: 0, inode: 0, rest: '' }
      positions.set(file, position)
      lines.push(...readOn(file, position))
    }
    lines.sort((a, b) => (a.record['@timestamp'] < b.record['@timestamp'] ? -1 : 1))
    yield* lines
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
  }
}

function currentFiles(auditDir: string, roles: readonly AuditRole[]): string[] {
  return logDirectories(auditDir)
    .flatMap((directory) => roles.map((role) => join(directory, `${role}.ndjson`)))
    .filter((file) => existsSync(file))
}

function endOf(file: string): Position {
  const fd = openSync(file, 'r')
  const { size, ino } = fstatSync(fd)
  closeSync(fd)
  return { offset: size, inode: ino, rest: '' }
}

function readOn(file: string, position: Position): LogLine[] {
  const fd = openSync(file, 'r')
  try {
    const { size, ino } = fstatSync(fd)
    // Another file under the same name: the old one was set aside.
    if (ino !== position.inode) Object.assign(position, { inode: ino, offset: 0, rest: '' })
    const chunks: Buffer[] = []
    while (position.offset < size) {
      const buffer = Buffer.alloc(Math.min(READ_BYTES, size - position.offset))
      const bytes = readSync(fd, buffer, 0, buffer.length, position.offset)
      if (bytes === 0) break
      position.offset += bytes
      chunks.push(buffer.subarray(0, bytes))
    }
    const texts = (position.rest + Buffer.concat(chunks).toString('utf8')).split('\n')
    position.rest = texts.pop() ?? ''
    return texts.map(parseLine).filter((line) => line !== null)
  } finally {
    closeSync(fd)
  }
}
