import { CLASSES, CR, isBreak, isIndent, LF } from './characters.js'
import { startOfEscape } from './escapes.js'

/** Bytes of a line break with the indent behind it that may be within a token. */
const MAX_FOLD = 64

/**
 * Characters of a line that may go on in the next one although nothing has come for a while. Whoever folds base64 writes longer
 * lines, and the words at the ends of lines of a log are mostly shorter: a log that is followed does not wait for its next line.
 */
export const MIN_LINE = 16

/**
 * Where in a text the part begins that waits for more, since it may be the beginning of a secret: the characters at the end
 * of which any secret could consist, as many as the longest could have.
 *
 * Threat: what waits is seen by whoever reads along. It depends on classes of characters and on lengths, and on nothing that
 * is known of a secret.
 *
 * @param reaches by class; 0 where no secret has such characters
 * @param minLine characters of a line that may go on in the next one
 * @param runs by class, of the text up to `before`, all of which is known to wait; set to those of the whole text
 */
export function heldFrom(
  text: Uint8Array,
  before: number,
  reaches: readonly number[],
  runs: Uint32Array,
  minLine: number,
): number {
  let from = text.length
  for (let level = 0; level < reaches.length; level += 1) {
    const reach = reaches[level] ?? 0
    if (reach === 0) continue
    const members = CLASSES[level] ?? EMPTY
    const run = runLength(text, before, members, 2 * reach, runs[level] ?? 0, minLine)
    runs[level] = run
    // A token without end is passed on by pieces, so that what waits is not searched anew with each byte.
    from = Math.min(from, text.length - (run < 2 * reach ? run : reach))
  }
  return from
}

const EMPTY = new Uint8Array(256)

/** How many bytes at the end may be of one token; `most` where there are more. */
function runLength(
  text: Uint8Array,
  before: number,
  members: Uint8Array,
  most: number,
  known: number,
  minLine: number,
): number {
  const { length } = text
  const least = Math.max(length - most, 0)
  let at = length
  let start = length
  while (at > least) {
    // Of what waited before, the run at its end is known.
    const stop = known > 0 && at > before ? Math.max(before, least) : least
    const end = at
    while (at > stop && members[text[at - 1] as number] === 1) at -= 1
    if (at < end) start = at
    if (at === before && known > 0 && at < end) return Math.min(length - before + known, most)
    if (at <= least) break
    const escape = startOfEscape(text, at)
    if (escape >= 0) {
      if (known > 0 && at > before && escape <= before && before - escape <= known)
        return Math.min(length - before + known, most)
      at = escape
      start = escape
      continue
    }
    const line = endOfLineBefore(text, at, members, minLine)
    if (line < 0) break
    at = line
  }
  return length - at >= most ? most : length - start
}

/** Where the line ends that goes on at `at`, behind one line break and perhaps an indent; -1 where none does. */
function endOfLineBefore(text: Uint8Array, at: number, members: Uint8Array, minLine: number): number {
  let [end, breaks] = [at, 0]
  while (end > 0 && at - end < MAX_FOLD) {
    const byte = text[end - 1] ?? 0
    if (!isBreak(byte) && !isIndent(byte)) break
    end -= 1
    if (byte === LF || (byte === CR && text[end + 1] !== LF)) breaks += 1
  }
  // Words in a line, and a blank line: what is behind them is a token of its own.
  if (breaks !== 1 || !isBreak(text[end] ?? 0)) return -1
  for (let i = 1; i <= minLine; i += 1) if (members[text[end - i] ?? 0x0a] !== 1) return -1
  return end
}

/** Bytes that were passed on and are searched once more with what follows, where they end in the middle of a line. */
export const CONTEXT = MIN_LINE + MAX_FOLD

/** How many bytes at the end of what was passed on could belong to a secret that goes on behind a line break. */
export function contextOf(text: Uint8Array, end: number): number {
  const last = text[end - 1] ?? 0
  return isBreak(last) || isIndent(last) ? Math.min(end, CONTEXT) : 0
}
