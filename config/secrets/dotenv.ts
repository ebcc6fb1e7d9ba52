import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { SourcePosition } from '../issues/issue.js'

/**
 * Files of variables beside the policy; the first that has a variable decides. Docker Compose reads the `.env` beside its own
 * file, expands every `$` in it, and prints parts of such values as warnings; it does not read the other one.
 */
export const DOTENV_FILES = ['egress.env', '.env'] as const

/** One variable of the file: its value, or why it cannot be read. */
export interface DotenvEntry {
  /** Position of the name; of the part that is wrong, if there is an error. */
  readonly position: SourcePosition
  readonly value: string | Diagnostic
  /** True if other readers of the file expand a `$` in the value: it is not in single quotes. */
  readonly expandable: boolean
}

export type Dotenv = ReadonlyMap<string, DotenvEntry>

interface Reading {
  readonly value: string | Diagnostic
  readonly expandable: boolean
  /** Lines after the first that belong to the value. */
  readonly more: number
}

/**
 * Reads `KEY=VALUE` lines: `#` comments, an optional `export`, values unquoted, in '…' (literal) or in "…" (with `\"` and `\\`); a
 * quoted value may have several lines. Nothing is expanded. The file may be a project's own, in the syntax of any framework, so
 * other lines are left out. A variable in a syntax that shells, Compose and other readers interpret differently is an error for
 * whoever needs it, not a guess. Errors never quote a line, because it may contain a secret.
 */
export function parseDotenv(text: string): Dotenv {
  const entries = new Map<string, DotenvEntry>()
  const lines = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .map(withoutReturn)
  for (let index = 0; index < lines.length; index += 1) {
    const match = /^(\s*(?:export\s+)?)([A-Za-z_][A-Za-z0-9_]*)(\s*=)(.*)$/.exec(lines[index] ?? '')
    if (match === null) continue
    const [, lead = '', name = '', equals = '', rest = ''] = match
    const at = (column: number): SourcePosition => ({ line: index + 1, column })
    const { value, expandable, more } = readValue(rest, lines.slice(index + 1, index + 1 + MAX_LINES))
    const error = entries.has(name)
      ? { problem: `Duplicate variable ${name}`, fix: 'Keep one of the two lines' }
      : equals === '=' && !/^\s+\S/.test(rest)
        ? value
        : { problem: `Spaces around the \`=\` of ${name}`, fix: `Write \`${name}=value\` without spaces` }
    const column =
      error === value && typeof value !== 'string' ? lead.length + name.length + 2 : lead.length + 1
    entries.set(name, { position: at(column), value: error, expandable })
    index += more
  }
  return entries
}

/** The longest quoted value: a chain of certificates in PEM. A quote that is never closed costs no more than this. */
const MAX_LINES = 200

/** @param following the lines after the one that `text` is the rest of */
function readValue(text: string, following: readonly string[]): Reading {
  const quote = /^['"`]/.exec(text)?.[0]
  if (quote === undefined) return { value: readBare(text), expandable: true, more: 0 }
  const expandable = quote !== "'"
  let whole = text
  for (const [more, next] of ['', ...following].entries()) {
    if (more > 0) whole += `\n${next}`
    const end = closingQuote(whole, quote)
    if (end < 0) continue
    // Behind the quote there is more than a comment: the quote belongs to another line, and this one is not closed.
    if (!/^\s*(#.*)?$/.test(whole.slice(end + 1))) break
    return { value: unescape(whole.slice(1, end), quote), expandable, more }
  }
  return { value: { ...UNREADABLE, problem: 'The quoted value is not closed' }, expandable, more: 0 }
}

const UNREADABLE = { problem: '', fix: 'Put the value in single quotes' }

function closingQuote(text: string, quote: string): number {
  for (let at = 1; at < text.length; at += 1) {
    if (text[at] === '\\' && quote !== "'") at += 1
    else if (text[at] === quote) return at
  }
  return -1
}

function unescape(text: string, quote: string): string | Diagnostic {
  if (quote === "'") return text
  if (quote === '`') return { ...UNREADABLE, problem: 'The value is in backticks' }
  return /\\(?!["\\])/.test(text.replace(/\\\\/g, ''))
    ? {
        problem: 'The quoted value contains an escape other than \\" and \\\\',
        fix: 'Put the value in single quotes; write line breaks as they are',
      }
    : text.replace(/\\(["\\])/g, '$1')
}

function readBare(text: string): string | Diagnostic {
  const bare = text.replace(/\s+#.*$/, '').trim()
  return /[\s'"`\\]/.test(bare)
    ? { ...UNREADABLE, problem: 'The value contains spaces, quotes or backslashes but is not quoted' }
    : bare
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}
