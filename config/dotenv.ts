import type { Diagnostic } from '#firewall/names/host-pattern.js'
import type { SourcePosition } from './issue.js'

export interface DotenvError extends Diagnostic {
  readonly position: SourcePosition
}

export interface Dotenv {
  readonly values: ReadonlyMap<string, string>
  readonly errors: readonly DotenvError[]
}

/**
 * Reads `KEY=VALUE` lines: `#` comments, an optional `export`, values bare, in '…' (as they stand) or in "…" (with `\"`
 * and `\\`). Nothing is expanded. Whatever shells, compose and other readers of such files disagree about is a fault
 * instead of a guess. Faults never quote a line, for it may hold a secret.
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
        'this line is not `NAME=value`',
        'write `NAME=value` without spaces around `=`, or begin it with `#`',
      )
      continue
    }
    const [, lead = '', name = '', rest = ''] = match
    if (values.has(name)) {
      add(lead.length + 1, `${name} is set twice`, 'keep one of the two lines')
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
      problem: 'the quoted value does not end on its line, or has an escape other than \\" and \\\\',
      fix: "write it on one line in '…', which takes every character but ' as it stands",
    }
  }
  const bare = text.replace(/\s+#.*$/, '').trimEnd()
  if (/[\s'"`\\]/.test(bare)) {
    return {
      problem: 'the value has spaces, quotes or backslashes and is not quoted',
      fix: "put it in '…'",
    }
  }
  return bare
}
