import { visible } from '../common/hostile-text.js'
import type { Count, Figures } from './stats.js'

/** Characters of one value: a table is read by people. */
const MAX_VALUE = 120

/** Rows of one table. */
const MAX_ROWS = 20

/**
 * A value as plain text of a table's cell. Threat: what a sandbox asked for is shown on a page of a CI job or of a repository, where it
 * must not be a link, an image, HTML, a mention, an issue, or the end of its row. So all that has a meaning in Markdown or HTML is a
 * reference to a character, and what would become a link by itself is broken by one.
 */
export function cell(value: string): string {
  const text = visible(value)
  const short = text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text
  return short
    .replace(/[^A-Za-z0-9 ,./()…-]/gu, (char) => `&#${String(char.codePointAt(0))};`)
    .replace(/www\./gi, (text) => `${text.slice(0, -1)}&#46;`)
    .replace(/gh-(?=\d)/gi, (text) => `${text.slice(0, -1)}&#45;`)
}

export function tableRow(values: readonly string[]): string {
  return `| ${values.map(cell).join(' | ')} |`
}

/** A table with its head; the names of its columns are ours. */
export function tableHead(columns: readonly string[]): string[] {
  return [`| ${columns.join(' | ')} |`, `|${' --- |'.repeat(columns.length)}`]
}

/** A summary for the page of a CI job (`$GITHUB_STEP_SUMMARY`). */
export function summaryMarkdown(figures: Figures): string {
  const { records, from, to, queries, requests, bytesUp, bytesDown, redactions, p50, p95 } = figures
  const outcomes = ({ allowed, denied, failed, limited }: Figures['queries']) =>
    [allowed, denied, failed, limited].map(String)
  const took =
    p50 === null || p95 === null
      ? ''
      : `, half of them within ${String(Math.round(p50))} ms, 95 % within ${String(Math.round(p95))} ms`
  const lines = [
    '## Egress',
    '',
    from === null || to === null
      ? 'No records.'
      : `${String(records)} records from ${cell(from)} to ${cell(to)}.`,
    '',
    ...tableHead(['', 'allowed', 'denied', 'failed', 'limited']),
    tableRow(['DNS queries', ...outcomes(queries)]),
    tableRow(['requests', ...outcomes(requests)]),
    '',
    `${String(bytesUp)} bytes up, ${String(bytesDown)} bytes down${took}. ${String(redactions)} secrets were taken out of responses.`,
    ...section('Denied, failed or limited', ['host and reason', 'times'], figures.denials),
    ...section('Names that look like data being carried out', ['name', 'times'], figures.suspicious),
    ...section('Requests by host', ['host', 'requests'], figures.byHost),
    ...section('Requests by agent', ['agent', 'requests'], figures.byAgent),
  ]
  return `${lines.join('\n')}\n`
}

function section(title: string, columns: readonly string[], counts: readonly Count[]): string[] {
  if (counts.length === 0) return []
  const rows = counts.slice(0, MAX_ROWS).map(({ name, count }) => tableRow([name, String(count)]))
  const more = counts.length > MAX_ROWS ? ['', `And ${String(counts.length - MAX_ROWS)} more.`] : []
  return ['', `### ${title}`, '', ...tableHead(columns), ...rows, ...more]
}
