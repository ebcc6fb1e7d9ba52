import { encodePath, isRaw } from '../../raw-path.js'

/** One mount of a list for `mount --all --fstab`, which makes all of them in one process. */
export interface FstabEntry {
  source: string
  target: string
  type: string
  options: readonly string[]
}

/** fstab(5) text; blanks, backslashes and bytes that are not UTF-8 as octal escapes. */
export function formatFstab(entries: readonly FstabEntry[]): string {
  return entries
    .map(({ source, target, type, options }) =>
      [escapeField(source), escapeField(target), type, options.join(','), '0', '0'].join(' '),
    )
    .map((line) => line + '\n')
    .join('')
}

function escapeField(field: string): string {
  const bytes = isRaw(field) ? encodePath(field).toString('latin1') : field
  return bytes.replace(isRaw(field) ? /[\s\\#\x80-\xff]/g : /[\s\\#]/g, octal)
}

const octal = (char: string) => '\\' + char.charCodeAt(0).toString(8).padStart(3, '0')
