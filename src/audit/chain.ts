import { hash } from 'node:crypto'
import { closeSync, existsSync, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Where a log goes on: each record has the number that follows, and the hash of the line before it. So whoever knows that one
 * record is genuine knows it of all before it.
 */
export interface ChainEnd {
  /** The number of the next record. */
  readonly sequence: number
  /** SHA-256 of the last record's line without its line feed, in hexadecimal; null where there is none. */
  readonly previous: string | null
  /** The same of the lines behind it, where the machine or the process stopped in the middle of a record. */
  readonly torn: string | null
}

const LF = 0x0a
const BLOCK = 65_536

/** SHA-256 in hexadecimal, as the next record has it. */
export function hashOf(line: string | Buffer): string {
  return hash('sha256', line)
}

/** The same of several lines as they stand in a file; null for none. */
export function hashOfLines(lines: readonly Buffer[]): string | null {
  return lines.length === 0 ? null : hashOf(Buffer.concat(lines.flatMap((line) => [line, Buffer.of(LF)])))
}

/** The files of one role in a directory, rotated files first. */
export function logFiles(directory: string, role: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => name.startsWith(`${role}.`) && name.endsWith('.ndjson'))
    .sort((a, b) => Number(a === `${role}.ndjson`) - Number(b === `${role}.ndjson`) || a.localeCompare(b))
    .map((name) => join(directory, name))
}

/** Where the log of a role ended when its last process did. */
export function chainEndOf(directory: string, role: string): ChainEnd {
  const torn: Buffer[] = []
  for (const file of logFiles(directory, role).reverse()) {
    // A pipe or a device in the place of a log has no lines to go on from.
    if (!lstatSync(file).isFile()) continue
    for (const line of linesFromEnd(file)) {
      const sequence = sequenceOf(line)
      if (sequence !== null)
        return { sequence: sequence + 1, previous: hashOf(line), torn: hashOfLines(torn) }
      torn.unshift(line)
    }
  }
  return { sequence: 0, previous: null, torn: hashOfLines(torn) }
}

function sequenceOf(line: Buffer): number | null {
  try {
    const record = JSON.parse(line.toString('utf8')) as { event?: { sequence?: unknown } } | null
    const sequence = record?.event?.sequence
    return typeof sequence === 'number' ? sequence : null
  } catch {
    return null
  }
}

/** The lines of a file, the last one first, whether or not it ends with a line feed. Reads no more of it than is asked for. */
function* linesFromEnd(path: string): Generator<Buffer> {
  const fd = openSync(path, 'r')
  try {
    // The parts of the line whose beginning has not been read, the last one first.
    let parts: Buffer[] = []
    for (let at = fstatSync(fd).size; at > 0;) {
      let block = Buffer.alloc(Math.min(BLOCK, at))
      at -= block.length
      readSync(fd, block, 0, block.length, at)
      for (let lf = block.lastIndexOf(LF); lf >= 0; lf = block.lastIndexOf(LF)) {
        const line = Buffer.concat([block.subarray(lf + 1), ...parts.reverse()])
        parts = []
        block = block.subarray(0, lf)
        if (line.length > 0) yield line
      }
      parts.push(block)
    }
    const first = Buffer.concat(parts.reverse())
    if (first.length > 0) yield first
  } finally {
    closeSync(fd)
  }
}
