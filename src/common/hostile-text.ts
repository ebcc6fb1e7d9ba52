/*
 * Text that a sandbox chose, on its way to a person: in a terminal, a table, a policy. Threat: an escape sequence moves a cursor, a
 * line feed begins a line of its own, and marks of direction show another text than is there.
 */

/** Control characters are written out: for a terminal. */
export function clean(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/**
 * So is what changes the direction of text or cannot be seen: for whoever decides by what is shown. Threat: a request that looks like
 * another one.
 */
export function visible(text: string): string {
  return clean(text).replace(
    /[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|[\u{e0000}-\u{e0fff}]/gu,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  )
}

/** Characters of one text that are shown. */
const MAX_SHOWN = 300

/** All but printable ASCII is: for what is pasted, and read by programs. */
export function printable(text: string, longest = MAX_SHOWN): string {
  const shown = text.length > longest ? `${text.slice(0, longest)}...` : text
  return shown.replace(/[^\x20-\x7e]/g, (char) => {
    const code = char.charCodeAt(0)
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`
  })
}
