import { isAscii } from 'node:buffer'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { AuditRole } from '../audit/audit.js'
import { logFiles } from '../audit/chain.js'
import { readRecord, type LogEntry } from '../events/read-record.js'
import { blocksOf } from './blocks.js'

/** One line of the audit log, with what is read of it to choose and to show it. */
export interface LogLine extends LogEntry {
  readonly text: string
}

export interface ReadOptions {
  /** False for a line that is not wanted, as far as its text tells: to parse it takes most of the time. */
  readonly mayBeWanted?: (text: string) => boolean
  /** Told of the bytes that were read of the files. */
  readonly progress?: (bytes: number) => void
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

/** Bytes of all files of these roles, as they are on the disk. */
export function sizeOfLogs(auditDir: string, roles: readonly AuditRole[]): number {
  const files = logDirectories(auditDir).flatMap((directory) =>
    roles.flatMap((role) => logFiles(directory, role)),
  )
  return files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
}

/** Every line of the given roles: run by run, and by time within a run. Holds one block of each role. */
export async function* readLog(
  auditDir: string,
  roles: readonly AuditRole[],
  damaged: (file: string) => void,
  options: ReadOptions = {},
): AsyncGenerator<LogLine> {
  for (const directory of logDirectories(auditDir)) {
    const streams = roles.map((role) => batchesOf(logFiles(directory, role), damaged, options))
    for await (const batch of mergeByTime(streams)) yield* batch
  }
}

/** The lines of the given roles as they are in the files, in no order of time, block by block. */
export async function* readTexts(
  auditDir: string,
  roles: readonly AuditRole[],
  progress: (bytes: number) => void,
): AsyncGenerator<readonly string[]> {
  for (const directory of logDirectories(auditDir))
    for (const role of roles)
      for (const file of logFiles(directory, role))
        for await (const block of blocksOf(file, progress)) yield textsIn(block)
}

/** The lines of a block. One conversion of a block is cheaper than one of each line, and of ASCII cheaper still. */
function textsIn(block: Buffer): string[] {
  const texts = block.toString(isAscii(block) ? 'latin1' : 'utf8').split('\n')
  if (texts.at(-1) === '') texts.pop()
  return texts
}

/** Every line of one role in one directory, the oldest first. */
export async function* readLogOf(
  directory: string,
  role: AuditRole,
  damaged: (file: string) => void,
): AsyncGenerator<LogLine> {
  for await (const batch of batchesOf(logFiles(directory, role), damaged, {})) yield* batch
}

/** Every line of these files, one file after another. */
export async function* readFiles(
  files: readonly string[],
  damaged: (file: string) => void,
): AsyncGenerator<LogLine> {
  for await (const batch of batchesOf(files, damaged, {})) yield* batch
}

/** In batches, because a turn of an asynchronous iterator costs as much as a line. */
async function* batchesOf(
  files: readonly string[],
  damaged: (file: string) => void,
  { mayBeWanted = () => true, progress }: ReadOptions,
): AsyncGenerator<LogLine[]> {
  for (const file of files)
    for await (const block of blocksOf(file, progress)) {
      const batch: LogLine[] = []
      for (const text of textsIn(block)) {
        if (!mayBeWanted(text)) continue
        const line = parseLine(text)
        if (line === null) damaged(file)
        else batch.push(line)
      }
      if (batch.length > 0) yield batch
    }
}

interface Head {
  readonly stream: AsyncGenerator<LogLine[]>
  batch: readonly LogLine[]
  at: number
}

/** Merges up to the end of the batch that ends first, then reads on. */
async function* mergeByTime(streams: readonly AsyncGenerator<LogLine[]>[]): AsyncGenerator<LogLine[]> {
  const heads: Head[] = []
  for (const stream of streams) {
    const head = { stream, batch: [], at: 0 }
    if (await advance(head)) heads.push(head)
  }
  while (heads.length > 0) {
    const merged: LogLine[] = []
    let spent: Head | null = null
    while (spent === null) {
      let first = heads[0] as Head
      for (const head of heads) if (timeOf(head) < timeOf(first)) first = head
      merged.push(first.batch[first.at] as LogLine)
      first.at += 1
      if (first.at === first.batch.length) spent = first
    }
    yield merged
    if (!(await advance(spent))) heads.splice(heads.indexOf(spent), 1)
  }
}

const timeOf = ({ batch, at }: Head): string => batch[at]?.time ?? ''

/** Reads the next batch; false at the end. */
async function advance(head: Head): Promise<boolean> {
  const next = await head.stream.next()
  if (next.done === true) return false
  head.batch = next.value
  head.at = 0
  return true
}
