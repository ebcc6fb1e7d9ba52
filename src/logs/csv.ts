import { hostOf, outcomeOfLine } from './filter.js'
import type { LogLine } from './read.js'
import { visible } from '../common/hostile-text.js'

/** The columns of `egress logs --format csv` and `markdown`, in order. */
export const COLUMNS = [
  'time',
  'sandbox',
  'agent',
  'labels',
  'action',
  'outcome',
  'method',
  'host',
  'target',
  'status',
  'reason',
  'rule',
  'service',
  'credential',
  'request',
] as const

/** What begins a formula in a spreadsheet (OWASP, CSV injection), also behind blanks; tab and carriage return begin a cell anew. */
const FORMULA = /^[\s\x00]*[=+\-@\t\r|%]/

/** A row of a table, without line feed. */
export function csvRow(values: readonly string[]): string {
  return values.map(csvField).join(',')
}

/** RFC 4180. Threat: a sandbox asks for `=HYPERLINK(…)`, and whoever opens the table runs it. */
function csvField(value: string): string {
  const text = visible(FORMULA.test(value) ? `'${value}` : value)
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** The values of one record, as `COLUMNS` names them. */
export function rowOf(line: LogLine): string[] {
  const { shown, time, sandbox, agent, labels, reason, service, credential, request } = line
  const { event, type } = shown
  const text = (value: string | number | null | undefined) => (value == null ? '' : String(value))
  const decision = type === 'decision' ? event : null
  const method =
    type === 'query' ? event.question?.type : type === 'repeat' || type === 'decision' ? event.method : ''
  const status = type === 'decision' || type === 'close' ? event.status : type === 'query' ? event.rcode : ''
  const action =
    type === 'query'
      ? 'dns-query'
      : type === 'close'
        ? 'http-close'
        : decision !== null
          ? `http-${decision.kind}`
          : 'action' in event
            ? event.action
            : type
  return [
    ...[time, text(sandbox), text(agent), labels.map(String).join(' '), action],
    ...[text(outcomeOfLine(line)), text(method), text(hostOf(line))],
    ...[`${text(decision?.path)}${text(decision?.query)}`, text(status), text(reason)],
    ...['rule' in event ? text(event.rule) : '', text(service), text(credential), text(request)],
  ]
}
