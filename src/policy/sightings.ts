import { printable } from '../common/hostile-text.js'

/** `3 times, 2026-01-31T12:00:00Z to 12:05:00`, as evidence. */
export function timesText({ count, first, last }: Sightings): string {
  const seconds = (time: string) => printable(time.replace(/\.\d+/, ''))
  if (count === 1) return `once, ${seconds(first)}`
  return `${String(count)} times, ${seconds(first)} to ${seconds(last)}`
}

/** How often something was seen. */
export interface Sightings {
  readonly count: number
  /** ISO 8601, UTC, as the log has it. */
  readonly first: string
  readonly last: string
}
