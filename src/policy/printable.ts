/**
 * Text of a log, in printable ASCII alone. Threat: who wrote it may be an attacker. A line feed would begin a line of its own in a
 * policy, an escape sequence moves a terminal's cursor, and marks of direction show other text than is there.
 */
export function printable(text: string, longest = MAX_SHOWN): string {
  const shown = text.length > longest ? `${text.slice(0, longest)}...` : text
  return shown.replace(/[^\x20-\x7e]/g, (char) => {
    const code = char.charCodeAt(0)
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

/** Characters of one text that are shown. */
const MAX_SHOWN = 300

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
