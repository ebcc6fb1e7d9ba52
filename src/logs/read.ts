import { createReadStream, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { AuditRole } from '../audit/audit.js'

/** One line of the audit log, as text and parsed. */
export interface LogLine {
  readonly text: string
  readonly record: LogRecord
}

/** The fields of a record that the reader uses. A line without the required ones counts as damaged. */
export interface LogRecord {
  readonly '@timestamp': string
  readonly event: { readonly action: string; readonly reason?: string | null; readonly duration?: number }
  readonly rule?: { readonly name: string | null }
  readonly url?: {
    readonly scheme: string | null
    readonly domain: string | null
    readonly port: number | null
    readonly path: string | null
    readonly query: string | null
  }
  readonly http?: {
    readonly request?: { readonly id?: string; readonly method?: string | null; readonly bytes?: number }
    readonly response?: { readonly status_code?: number | null; readonly bytes?: number }
  }
  readonly dns?: {
    readonly question: { readonly name: string; readonly type: string } | null
    readonly response_code: string | null
    readonly resolved_ip: readonly string[]
  }
  readonly process?: { readonly executable: string; readonly exit_code: number | null }
  readonly egress: {
    readonly sandbox: { readonly id: string; readonly agent: string } | null
    readonly verdict?: 'allow' | 'deny'
    readonly credential?: string | null
    readonly suspicious?: boolean
    readonly redactions?: number
    readonly detail?: string | null
    readonly secret?: { readonly name: string; readonly source: string }
  }
}

export function parseLine(text: string): LogLine | null {
  try {
    const record = JSON.parse(text) as Partial<LogRecord> | null
    const valid = typeof record?.['@timestamp'] === 'string' && typeof record.event?.action === 'string'
    return valid && typeof record.egress === 'object' && (record.egress as object | null) !== null
      ? { text, record: record as LogRecord }
      : null
  } catch {
    return null
  }
}

/** Directories with logs: the audit directory itself, then one per run, the oldest first. */
export function logDirectories(auditDir: string): string[] {
  const runs = join(auditDir, 'runs')
  const names = existsSync(runs) ? readdirSync(runs).sort() : []
  return [auditDir, ...names.map((name) => join(runs, name))]
}

/** The files of one role in a directory, rotated files first. */
export function logFiles(directory: string, role: AuditRole): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => name.startsWith(`${role}.`) && name.endsWith('.ndjson'))
    .sort((a, b) => Number(a === `${role}.ndjson`) - Number(b === `${role}.ndjson`) || a.localeCompare(b))
    .map((name) => join(directory, name))
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

async function* readFiles(
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
  return (next.value as LogLine).record['@timestamp']
}
