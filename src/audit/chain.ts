import { hash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
} from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

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

const FILE = /^(?<stem>.*\.ndjson)(?<ending>\.gz|\.zst)?$/

/**
 * The files of one role in a directory, rotated files first. Of a file that is there compressed and not, whoever compressed it was
 * stopped before the original was removed: the original is whole.
 */
export function logFiles(directory: string, role: string): string[] {
  if (!existsSync(directory)) return []
  const stems = new Map<string, string>()
  for (const name of readdirSync(directory)) {
    const { stem, ending } = FILE.exec(name)?.groups ?? {}
    if (stem === undefined || !name.startsWith(`${role}.`)) continue
    if (ending === undefined || !stems.has(stem)) stems.set(stem, name)
  }
  const current = `${role}.ndjson`
  return [...stems]
    .sort(([a], [b]) => Number(a === current) - Number(b === current) || (a < b ? -1 : 1))
    .map(([, name]) => join(directory, name))
}

/** Where the log of a role ended when its last process did. */
export function chainEndOf(directory: string, role: string): ChainEnd {
  const torn: Buffer[] = []
  for (const file of logFiles(directory, role).reverse()) {
    // A pipe or a device in the place of a log has no lines to go on from.
    if (!lstatSync(file).isFile()) continue
    for (const line of file.endsWith('.ndjson') ? linesFromEnd(file) : expandedFromEnd(file)) {
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

/** The same of a compressed file, which is one only if nothing was written since it was closed. */
function expandedFromEnd(path: string): Buffer[] {
  if (!path.endsWith('.gz')) throw new Error(`${path} cannot be continued: expand it first`)
  const lines = gunzipSync(readFileSync(path)).toString('latin1').split('\n')
  return lines
    .filter((line) => line !== '')
    .map((line) => Buffer.from(line, 'latin1'))
    .reverse()
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
