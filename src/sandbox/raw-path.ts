import { lstatSync, type Stats } from 'node:fs'

/*
 * File names are bytes, and not all of them are UTF-8. A path in this program is a string in which each byte that is not part
 * of valid UTF-8 stands as a lone surrogate (U+DC80 to U+DCFF, as in Python's `surrogateescape`). Such a string survives JSON
 * and string comparison; only calls to the file system have to convert it.
 */

const FIRST = 0xdc00

/** With `u`, half of a surrogate pair does not match. */
const lone = /[\udc80-\udcff]/u

/** Whether a path contains bytes that are not UTF-8. */
export function isRaw(path: string): boolean {
  return lone.test(path)
}

/** The string for the bytes of a file name. */
export function decodePath(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  if (!text.includes('\ufffd') || Buffer.from(text, 'utf8').equals(bytes)) return text
  let decoded = ''
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at)
    decoded +=
      length === 0 ? String.fromCharCode(FIRST + (bytes[at] ?? 0)) : bytes.toString('utf8', at, at + length)
    at += Math.max(length, 1)
  }
  return decoded
}

/** The bytes of a path. */
export function encodePath(path: string): Buffer {
  if (!isRaw(path)) return Buffer.from(path, 'utf8')
  const parts = path.split(/([\udc80-\udcff])/u)
  return Buffer.concat(
    parts.map((part) =>
      lone.test(part) && part.length === 1
        ? Buffer.from([part.charCodeAt(0) - FIRST])
        : Buffer.from(part, 'utf8'),
    ),
  )
}

/** The path as node:fs takes it. */
export function fsPath(path: string): string | Buffer {
  return isRaw(path) ? encodePath(path) : path
}

/** What is at a path; undefined for nothing, and for what cannot be looked at, such as a path that is too long for the kernel. */
export function entryAt(path: string): Stats | undefined {
  try {
    return lstatSync(fsPath(path))
  } catch {
    return undefined
  }
}

/** A path for a message: bytes that are not UTF-8 as `\xe4`. */
export function printablePath(path: string): string {
  return path.replace(/[\udc80-\udcff]/gu, (char) => `\\x${(char.charCodeAt(0) - FIRST).toString(16)}`)
}

/** Length of the valid UTF-8 sequence at `at`; 0 if there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0
  const length =
    first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  const sequence = bytes.subarray(at, at + length)
  return length > 0 && Buffer.from(sequence.toString('utf8'), 'utf8').equals(sequence) ? length : 0
}
