import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { SourcePosition } from '../issues/issue.js'

export interface DotenvError extends Diagnostic {
  readonly position: SourcePosition
}

export interface Dotenv {
  readonly values: ReadonlyMap<string, string>
  readonly errors: readonly DotenvError[]
}

/**
 * Reads `KEY=VALUE` lines: `#` comments, an optional `export`, values unquoted, in '…' (literal) or in "…" (with `\"` and
 * `\\`). Nothing is expanded. Syntax that shells, Compose and other readers of such files interpret differently is an error
 * instead of a guess. Errors never quote a line, because it may contain a secret.
 */
export function parseDotenv(text: string): Dotenv {
  const values = new Map<string, string>()
  const errors: DotenvError[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    if (/^\s*(#|$)/.test(line)) continue
    const add = (column: number, problem: string, fix: string): void => {
      errors.push({ position: { line: index + 1, column }, problem, fix })
    }
    const match = /^(\s*(?:export\s+)?)([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line)
    if (match === null) {
      add(
        1,
        'Invalid line: expected `NAME=value`',
        'Write `NAME=value` without spaces around `=`, or begin the line with `#`',
      )
      continue
    }
    const [, lead = '', name = '', rest = ''] = match
    if (values.has(name)) {
      add(lead.length + 1, `Duplicate variable ${name}`, 'Keep one of the two lines')
      continue
    }
    const value = parseValue(rest)
    if (typeof value === 'string') values.set(name, value)
    else add(lead.length + name.length + 2, value.problem, value.fix)
  }
  return { values, errors }
}

function parseValue(text: string): string | Diagnostic {
  const quoted = /^(?:'([^']*)'|"((?:[^"\\]|\\["\\])*)")\s*(?:#.*)?$/.exec(text)
  if (quoted !== null) return quoted[1] ?? (quoted[2] ?? '').replace(/\\(["\\])/g, '$1')
  if (/^['"]/.test(text)) {
    return {
      problem: 'The quoted value does not end on its line, or contains an escape other than \\" and \\\\',
      fix: 'Put the value on one line in single quotes',
    }
  }
  const bare = text.replace(/\s+#.*$/, '').trimEnd()
  if (/[\s'"`\\]/.test(bare)) {
    return {
      problem: 'The value contains spaces, quotes or backslashes but is not quoted',
      fix: 'Put the value in single quotes',
    }
  }
  return bare
}
