import { readdirSync } from 'node:fs'
import type { AuditRole } from '../audit/audit.js'
import { EgressError, EXIT, usage } from '../common/errors.js'
import { followLog } from '../logs/follow.js'
import { formatEvent, painter } from '../logs/format.js'
import { COLUMNS, csvRow, rowOf } from '../logs/csv.js'
import { isChosen, textFilter, type Filter } from '../logs/filter.js'
import { tableHead, tableRow } from '../logs/markdown.js'
import { progressBar } from '../logs/progress.js'
import { readLog, sizeOfLogs, type LogLine } from '../logs/read.js'
import { AUDIT_ROLES } from '../audit/audit.js'
import { parseLabels } from '../common/labels.js'
import type { CommandIo } from '../common/io.js'
import { tellDamaged } from './named-logs.js'

/** What to show, as it was given on the command line. */
export interface FilterFlags {
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly host?: string | undefined
  readonly sandbox?: string | undefined
  readonly agent?: string | undefined
  readonly reason?: string | undefined
  readonly service?: string | undefined
  readonly credential?: string | undefined
  /** `NAME=VALUE` of each label that it must have. */
  readonly label?: readonly string[] | undefined
  /** Only these, if any is set. */
  readonly denied?: boolean | undefined
  readonly failed?: boolean | undefined
  readonly limited?: boolean | undefined
}

/** Options of `egress logs`. */
export interface LogsOptions {
  readonly auditDir: string
  /** Whether the user named the directory. */
  readonly isNamed: boolean
  readonly role: string | undefined
  readonly filter: FilterFlags
  readonly follow: boolean
  /** Lines from the end; null for all. */
  readonly tail: number | null
  readonly format: LogFormat
  /** Whether standard output is a terminal. */
  readonly colour: boolean
  /** Whether a bar may show how much was read. */
  readonly bar: boolean
}

export const LOG_FORMATS = ['pretty', 'json', 'csv', 'markdown'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

/** Prints the audit log: one formatted line per record, or with `json` the records unchanged. */
export async function logs(
  options: LogsOptions,
  io: CommandIo,
  now: number,
  signal: AbortSignal,
): Promise<number> {
  const roles = rolesOf(options.role)
  const filter = readFilter(options.filter, now)
  tellMissing(options, io)
  // Checkpoints are for `egress logs verify`.
  const chosen = (line: LogLine) =>
    isChosen(line, filter) && (options.format === 'json' || line.shown.type !== 'checkpoint')
  const { head, row } = printer(options, io)
  const print = (line: LogLine) => io.stdout.write(`${row(line)}\n`)
  for (const line of head) io.stdout.write(`${line}\n`)

  let damaged = 0
  const last: LogLine[] = []
  const bar = progressBar(options.bar ? io.stderr : null, sizeOfLogs(options.auditDir, roles))
  const reading = { mayBeWanted: textFilter(filter), progress: bar.add }
  for await (const line of readLog(options.auditDir, roles, () => (damaged += 1), reading)) {
    if (!chosen(line)) continue
    if (options.tail === null) print(line)
    else if (last.push(line) > options.tail) last.shift()
  }
  bar.clear()
  last.forEach(print)
  tellDamaged(damaged, io)
  if (options.follow) {
    for await (const line of followLog(options.auditDir, roles, signal)) if (chosen(line)) print(line)
  }
  return 0
}

/** The first lines of an output, and how it shows a record. */
function printer(
  { format, colour }: Pick<LogsOptions, 'format' | 'colour'>,
  io: CommandIo,
): { readonly head: readonly string[]; readonly row: (line: LogLine) => string } {
  const paint = painter(colour, io.env)
  switch (format) {
    case 'pretty':
      return { head: [], row: ({ time, shown }) => formatEvent(time, shown, paint) }
    case 'json':
      return { head: [], row: ({ text }) => text }
    case 'csv':
      return { head: [csvRow(COLUMNS)], row: (line) => csvRow(rowOf(line)) }
    case 'markdown':
      return { head: tableHead(COLUMNS), row: (line) => tableRow(rowOf(line)) }
  }
}

/** Says that there is no log yet. @throws EgressError if the user named a directory without one */
export function tellMissing(
  { auditDir, isNamed, follow }: Pick<LogsOptions, 'auditDir' | 'isNamed' | 'follow'>,
  io: CommandIo,
): void {
  if (hasLog(auditDir)) return
  if (isNamed && !follow) throw usage(`No audit log in ${auditDir}`, 'Check the path in --audit-dir')
  const next = follow
    ? 'Waiting for the first run'
    : 'Run an agent with `egress run` first, or set --audit-dir to another directory'
  io.stderr.write(`egress: No audit log in ${auditDir} yet\n  ${next}\n`)
}

/** @throws EgressError if the directory exists but cannot be read */
function hasLog(auditDir: string): boolean {
  try {
    return readdirSync(auditDir).length > 0
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return false
    throw new EgressError({
      code: 'EGRESS_AUDIT_UNREADABLE',
      problem: `Cannot read the audit directory ${auditDir} (${code})`,
      fix: 'Make it readable, or set --audit-dir or EGRESS_AUDIT_DIR to another directory',
      exitCode: EXIT.failed,
      cause,
    })
  }
}

/** @throws EgressError for a log that does not exist */
export function rolesOf(role: string | undefined): readonly AuditRole[] {
  if (role === undefined) return AUDIT_ROLES
  const known = AUDIT_ROLES.find((one) => one === role)
  if (known !== undefined) return [known]
  throw usage(`Unknown log \`${role}\``, 'Use dns, http or sandbox, or omit it to show all logs')
}

/** @throws EgressError for a time that is none, or a reason that does not exist */
export function readFilter(flags: FilterFlags, now: number): Filter {
  const { since, until, host, sandbox, agent, reason, service, credential } = flags
  const outcomes = (['denied', 'failed', 'limited'] as const).filter((outcome) => flags[outcome] === true)
  return {
    since: since === undefined ? null : parseTime('--since', since, now),
    until: until === undefined ? null : parseTime('--until', until, now),
    host: host?.toLowerCase().replace(/\.$/, '') ?? null,
    ...{ sandbox: sandbox ?? null, agent: agent ?? null, reason: reason ?? null },
    ...{ service: service ?? null, credential: credential ?? null, outcomes },
    labels: parseLabels(flags.label ?? []),
  }
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `42m`, `2h30m`, or a time such as `2026-01-31T12:00:00Z`; milliseconds since 1970. */
function parseTime(option: string, text: string, now: number): number {
  if (/^(\d+[smhd])+$/.test(text)) {
    const spans = [...text.matchAll(/(\d+)([smhd])/g)]
    return now - spans.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? 0), 0)
  }
  // `Date.parse` alone reads `10` as October 2001.
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time)) return time
  throw usage(
    `Invalid ${option} value \`${text}\``,
    'Use a duration such as 42m or 2h30m, or a time such as 2026-01-31T12:00:00Z',
  )
}
