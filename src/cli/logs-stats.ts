import type { CommandIo } from '../common/io.js'
import { isChosen, isEverything, textFilter } from '../logs/filter.js'
import { clean } from '../common/hostile-text.js'
import { summaryMarkdown } from '../logs/markdown.js'
import { progressBar } from '../logs/progress.js'
import { readLog, readTexts, sizeOfLogs } from '../logs/read.js'
import { LogStats, type Count, type Figures } from '../logs/stats.js'
import { readFilter, rolesOf, tellMissing, type FilterFlags } from './logs.js'

/** Options of `egress logs stats`. */
export interface StatsOptions {
  readonly auditDir: string
  readonly isNamed: boolean
  readonly role: string | undefined
  readonly filter: FilterFlags
  readonly format: 'pretty' | 'json' | 'markdown'
  /** Whether a bar may show how much was read. */
  readonly bar: boolean
}

/** Rows of a table. */
const MAX_ROWS = 10

/** Prints the audit log in figures. */
export async function logsStats(options: StatsOptions, io: CommandIo, now: number): Promise<number> {
  const filter = readFilter(options.filter, now)
  tellMissing({ ...options, follow: false }, io)
  const stats = new LogStats()
  const roles = rolesOf(options.role)
  const bar = progressBar(options.bar ? io.stderr : null, sizeOfLogs(options.auditDir, roles))
  if (isEverything(filter)) {
    for await (const texts of readTexts(options.auditDir, roles, bar.add))
      for (const text of texts) stats.addText(text)
  } else {
    const reading = { mayBeWanted: textFilter(filter), progress: bar.add }
    for await (const line of readLog(options.auditDir, roles, () => undefined, reading))
      if (isChosen(line, filter)) stats.add(line)
  }
  bar.clear()
  io.stdout.write(shownAs[options.format](stats.figures()))
  return 0
}

const shownAs = {
  pretty: describe,
  json: (figures: Figures) => `${JSON.stringify(figures)}\n`,
  markdown: summaryMarkdown,
} as const

function describe(figures: Figures): string {
  const { records, from, to, queries, requests, bytesUp, bytesDown, redactions, p50, p95 } = figures
  const outcomes = ({ allowed, denied, failed, limited }: Figures['queries']) =>
    `${String(allowed)} allowed, ${String(denied)} denied, ${String(failed)} failed, ${String(limited)} limited`
  const lines = [
    from === null || to === null
      ? 'No records'
      : `${String(records)} records from ${clean(from)} to ${clean(to)}`,
    `DNS queries  ${outcomes(queries)}`,
    `Requests     ${outcomes(requests)}`,
    `Bodies       ${bytesOf(bytesUp)} up, ${bytesOf(bytesDown)} down; ${String(redactions)} secrets redacted`,
    ...(p50 === null || p95 === null ? [] : [`Time         p50 ${ms(p50)}, p95 ${ms(p95)}`]),
    ...table('Requests by host', figures.byHost),
    ...table('Requests by agent', figures.byAgent),
    ...table('Allowed by rule', figures.byRule),
    ...table('Denied, failed or limited', figures.denials),
    ...table('Names that look like encoded data', figures.suspicious),
  ]
  return `${lines.join('\n')}\n`
}

function table(title: string, rows: readonly Count[]): string[] {
  if (rows.length === 0) return []
  const width = String(rows[0]?.count ?? 0).length
  const more = rows.length > MAX_ROWS ? [`  and ${String(rows.length - MAX_ROWS)} more`] : []
  const shown = rows.slice(0, MAX_ROWS)
  return [
    '',
    title,
    ...shown.map(({ name, count }) => `  ${String(count).padStart(width)}  ${clean(name)}`),
    ...more,
  ]
}

const ms = (milliseconds: number) => `${String(Math.round(milliseconds))} ms`

function bytesOf(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  const value = bytes / 2 ** (10 * power)
  return `${power === 0 ? String(value) : value.toFixed(1)} ${units[power] ?? 'B'}`
}
