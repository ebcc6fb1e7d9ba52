import { createReadStream, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { AuditRole } from '../audit/audit.js'
import { logFiles } from '../audit/chain.js'
import { readRecord, type LogEntry } from '../events/read-record.js'

/** One line of the audit log, with what is read of it to choose and to show it. */
export interface LogLine extends LogEntry {
  readonly text: string
}

/** Null for a damaged line. */
export function parseLine(text: string): LogLine | null {
  const entry = readRecord(text)
  return entry === null ? null : { ...entry, text }
}

/** Directories with logs: the audit directory itself, then one per run, the oldest first. */
export function logDirectories(auditDir: string): string[] {
  const runs = join(auditDir, 'runs')
  const names = existsSync(runs) ? readdirSync(runs).sort() : []
  return [auditDir, ...names.map((name) => join(runs, name))]
}

/** Every line of the given roles: run by run, and by time within a run. Reads one line of each file at a time. */
export async function* readLog(
  auditDir: string,
  roles: readonly AuditRole[],
  damaged: (file: string) => void,
): AsyncGenerator<LogLine> {
  for (const directory of logDirectories(auditDir)) {
    const streams = roles.map((role) => readFiles(logFiles(directory, role), damaged))
    yield* mergeByTime(streams)
  }
}

/** Every line of one role in one directory, the oldest first. */
export function readLogOf(
  directory: string,
  role: AuditRole,
  damaged: (file: string) => void,
): AsyncGenerator<LogLine> {
  return readFiles(logFiles(directory, role), damaged)
}

/** Every line of these files, one file after another. */
export async function* readFiles(
  files: readonly string[],
  damaged: (file: string) => void,
): AsyncGenerator<LogLine> {
  for (const file of files) {
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      const line = parseLine(text)
      if (line === null) damaged(file)
      else yield line
    }
  }
}

async function* mergeByTime(streams: readonly AsyncGenerator<LogLine>[]): AsyncGenerator<LogLine> {
  const heads = await Promise.all(streams.map(async (stream) => ({ stream, next: await stream.next() })))
  for (;;) {
    const open = heads.filter((head) => head.next.done !== true)
    const [first, ...others] = open
    if (first === undefined) return
    const earliest = others.reduce((a, b) => (timeOf(b.next) < timeOf(a.next) ? b : a), first)
    yield earliest.next.value as LogLine
    earliest.next = await earliest.stream.next()
  }
}

function timeOf(next: IteratorResult<LogLine, unknown>): string {
  return (next.value as LogLine).time
}
