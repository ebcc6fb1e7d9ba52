/**
 * Which characters a secret may be made of. What waits at the end of a chunk is decided by these classes alone, so it says
 * nothing about the secrets of this gateway but in which class the most unusual of them is.
 */
const TOKEN = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-.~%\\&;#:@\0'

/** What ends a value in JSON, HTML or a table, so that their lines pass although a password has punctuation in it. */
const ENCLOSING = '"{}<>|'

const isPrintable = (byte: number) => byte > 0x20 && byte !== 0x7f

export const LF = 0x0a
export const CR = 0x0d
export const SPACE = 0x20
export const TAB = 0x09

export const isBreak = (byte: number) => byte === LF || byte === CR
export const isIndent = (byte: number) => byte === SPACE || byte === TAB

/** Narrow to wide; each contains the one before. */
export const CLASSES: readonly Uint8Array[] = [
  classOf((byte) => TOKEN.includes(String.fromCharCode(byte))),
  classOf((byte) => byte === 0 || (isPrintable(byte) && !ENCLOSING.includes(String.fromCharCode(byte)))),
  classOf((byte) => byte === 0 || isPrintable(byte)),
  classOf((byte) => byte !== LF && byte !== CR),
]

function classOf(contains: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => Number(contains(byte)))
}

/** The index of the narrowest class that has every byte; line breaks may stand in any of them. */
export function levelOf(bytes: Uint8Array): number {
  const level = CLASSES.findIndex((members) => bytes.every((byte) => isBreak(byte) || members[byte] === 1))
  return level < 0 ? CLASSES.length - 1 : level
}
