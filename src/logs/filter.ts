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
