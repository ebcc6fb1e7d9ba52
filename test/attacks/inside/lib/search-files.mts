import { closeSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { WINDOW, type Scanner } from './fingerprint.mjs'

const CHUNK = 1 << 20

/** Kernel file systems with endless or virtual files; processes have their own row. */
const NOT_FILES = new Set(['/proc', '/sys'])

export interface Tree {
  /** Regular files that changed since. */
  readonly fresh: string[]
  /** Regular files that did not. */
  older: number
}

/**
 * Walks every readable directory. The inode's change time cannot be set back, so a file that is older than a text cannot
 * contain it.
 */
export function walk(root: string, since: number, tree: Tree = { fresh: [], older: 0 }): Tree {
  for (const name of listed(root)) {
    const path = join(root, name)
    if (NOT_FILES.has(path)) continue
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (stats?.isDirectory() === true) walk(path, since, tree)
    else if (stats?.isFile() !== true) continue
    else if (stats.ctimeMs < since) tree.older += 1
    else tree.fresh.push(path)
  }
  return tree
}

/** Names of the fingerprints in a file; none if it is not readable. */
export function searchFile(path: string, scanner: Scanner): string[] {
  const found = new Set<string>()
  for (const chunk of chunksOf(path)) for (const name of scanner.scan(chunk)) found.add(name)
  return [...found]
}

/** Whether a file contains a text of at most `WINDOW` bytes. */
export function holds(path: string, text: string): boolean {
  for (const chunk of chunksOf(path)) if (Buffer.from(chunk).includes(text)) return true
  return false
}

/** Reads a file in chunks that overlap by a window, so that no match is lost at a boundary. */
export function* chunksOf(path: string, start = 0, end = Infinity): Generator<Uint8Array> {
  const file = openOrNull(path)
  if (file === null) return
  try {
    const buffer = new Uint8Array(CHUNK)
    let position = start
    while (position < end) {
      const read = readOrZero(file, buffer, Math.min(CHUNK, end - position), position)
      if (read === 0) return
      yield buffer.subarray(0, read)
      if (read < WINDOW) return
      position += position + read >= end ? read : read - WINDOW + 1
    }
  } finally {
    closeSync(file)
  }
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function openOrNull(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch {
    return null
  }
}

/** An unreadable page ends the read, like the end of a file. */
function readOrZero(file: number, buffer: Uint8Array, length: number, position: number): number {
  try {
    return readSync(file, buffer, 0, length, position)
  } catch {
    return 0
  }
}
