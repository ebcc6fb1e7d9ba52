import type { EvaluatedRow } from '../attacks/row.js'

const WIDTHS = { title: 42, evidence: 52, control: 10 } as const
const GAP = '  '

/** Colours only on a terminal (https://no-color.org), and never without the word. */
export function wantsColour(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
}

/** A result with its sign; the word alone must be enough. */
export function verdictWord(passed: boolean): string {
  return passed ? '✓ ok' : '✗ FAILED'
}

/** The attack table, at most 120 columns wide. */
export function renderTable(rows: readonly EvaluatedRow[], colour: boolean): string {
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
  const head = layOut('attack', 'what the attacker got', 'control', 'result')
  const rule = '─'.repeat(Math.max(...head.map((line) => line.length), 117))
  const body = rows.flatMap((row) => {
    const word = verdictWord(row.passed)
    const control = row.control.passed ? 'ok' : 'FAILED'
    const evidence = row.control.passed ? row.evidence : `${row.evidence}; control: ${row.control.evidence}`
    const lines = layOut(row.title, evidence, control, word)
    return lines.map((line) => line.replace(word, paint(row.passed ? 32 : 31, word)))
  })
  return [...head.map((line) => paint(1, line)), rule, ...body].join('\n')
}

/** Details of the failed rows, for the developer who fixes them. */
export function renderFailures(rows: readonly EvaluatedRow[]): string {
  return rows
    .filter(({ passed }) => !passed)
    .map(
      ({ id, threat, evidence, control }) =>
        `FAILED ${id}: ${threat}\n  attack: ${evidence}\n  control: ${control.evidence}`,
    )
    .join('\n')
}

function layOut(title: string, evidence: string, control: string, result: string): string[] {
  const cells = [
    wrap(title, WIDTHS.title),
    wrap(evidence, WIDTHS.evidence),
    wrap(control, WIDTHS.control),
    [result],
  ]
  const height = Math.max(...cells.map((cell) => cell.length))
  const widths = [WIDTHS.title, WIDTHS.evidence, WIDTHS.control, 0]
  return Array.from({ length: height }, (_, line) =>
    cells
      .map((cell, column) => (cell[line] ?? '').padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd(),
  )
}

/** Breaks lines at spaces, and inside a word that is longer than a line. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let rest = text
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width)
    const cut = space > 0 ? space : width
    lines.push(rest.slice(0, cut))
    rest = rest.slice(cut).trimStart()
  }
  return [...lines, rest]
}
