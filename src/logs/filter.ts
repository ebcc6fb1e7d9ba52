import type { Outcome } from '#firewall/contracts/reasons.js'
import { outcomeOfEvent } from './outcome.js'
import type { LogLine } from './read.js'

/** Which records are wanted; null for all. */
export interface Filter {
  /** Milliseconds since 1970: from this on, and before that. */
  readonly since: number | null
  readonly until: number | null
  /** Exactly this name, in lower case, without a final dot. */
  readonly host: string | null
  readonly sandbox: string | null
  readonly agent: string | null
  readonly reason: string | null
  readonly service: string | null
  readonly credential: string | null
  /** Labels that it must have; empty for all. */
  readonly labels: readonly string[]
  /** Empty for all. */
  readonly outcomes: readonly Outcome[]
}

/** Whether a filter lets every record pass. */
export function isEverything(filter: Filter): boolean {
  const { since, until, host, labels, outcomes } = filter
  const others = [since, until, host, ...FIELDS.map((field) => filter[field])]
  return others.every((value) => value === null) && labels.length === 0 && outcomes.length === 0
}

export function isChosen(line: LogLine, filter: Filter): boolean {
  const { since, until, host, outcomes } = filter
  const time = since === null && until === null ? 0 : Date.parse(line.time)
  if (since !== null && time < since) return false
  if (until !== null && time >= until) return false
  if (host !== null && hostOf(line) !== host) return false
  for (const field of FIELDS) if (filter[field] !== null && line[field] !== filter[field]) return false
  if (!filter.labels.every((label) => line.labels.includes(label))) return false
  return outcomes.length === 0 || outcomes.some((outcome) => outcome === outcomeOfLine(line))
}

const FIELDS = ['sandbox', 'agent', 'reason', 'service', 'credential'] as const

/** Null for records that tell of no query or request. */
export function outcomeOfLine({ shown: { event } }: LogLine): Outcome | 'allowed' | null {
  return 'verdict' in event ? outcomeOfEvent(event) : null
}

export function hostOf({ shown: { type, event } }: LogLine): string | null {
  if (type === 'decision' || type === 'close' || type === 'repeat') return event.host
  return type === 'query' ? (event.question?.name ?? null) : null
}

/**
 * A test of a line's text that no chosen record fails: to parse a line takes ten times as long. Another spelling of the same text,
 * which JSON allows and this program does not write, is left to `isChosen`.
 */
export function textFilter(filter: Filter): (text: string) => boolean {
  const { since, until, host, labels, outcomes } = filter
  const values = [host, ...FIELDS.map((field) => filter[field]), ...labels]
  const parts = values.flatMap((value) => (value !== null && PLAIN.test(value) ? [`"${value}"`] : []))
  if (outcomes.length > 0) parts.push('"verdict":"deny"')
  const from = since === null ? '' : isoOf(since)
  const to = until === null ? null : isoOf(until)
  return (text) => {
    if ((from !== '' || to !== null) && text.startsWith(BEGINNING)) {
      const time = text.slice(BEGINNING.length, BEGINNING.length + TIME_LENGTH)
      if (time < from || (to !== null && time >= to)) return false
    }
    return parts.every((part) => text.includes(part))
  }
}

const PLAIN = /^[ !#-[\]-~]*$/
const BEGINNING = '{"@timestamp":"'
const TIME_LENGTH = '2026-01-31T12:00:00.000Z'.length

/** Of the form that records have; a time outside of the years that have four digits compares as the end that it is nearest to. */
function isoOf(time: number): string {
  if (time < 0) return '0'
  return time > Date.UTC(9999, 11, 31) ? '9999-12-31' : new Date(time).toISOString()
}
