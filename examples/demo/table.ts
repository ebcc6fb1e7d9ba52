import type { JudgedRow } from '../attacks/row.js'

const WIDTHS = { title: 42, evidence: 52, twin: 10 } as const
const GAP = '  '

/** Colours only where somebody looks at them (https://no-color.org), and never without their word. */
export function wantsColour(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
}

/** A verdict with its sign; the word alone must be enough. */
export function verdictWord(held: boolean): string {
  return held ? '✓ ok' : '✗ FAILED'
}

/** The attack table, at most 120 columns wide. */
export function renderTable(rows: readonly JudgedRow[], colour: boolean): string {
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
  const head = layOut('attack', 'what the attacker got', 'twin', 'result')
  const rule = '─'.repeat(Math.max(...head.map((line) => line.length), 117))
  const body = rows.flatMap((row) => {
    const word = verdictWord(row.held)
    const twin = row.twin.held ? 'ok' : 'FAILED'
    const evidence = row.twin.held ? row.evidence : `${row.evidence}; twin: ${row.twin.evidence}`
    const lines = layOut(row.title, evidence, twin, word)
    return lines.map((line) => line.replace(word, paint(row.held ? 32 : 31, word)))
  })
  return [...head.map((line) => paint(1, line)), rule, ...body].join('\n')
}

/** What a failed line means, for whoever has to mend it. */
export function renderFailures(rows: readonly JudgedRow[]): string {
  return rows
    .filter(({ held }) => !held)
    .map(
      ({ id, threat, evidence, twin }) =>
        `FAILED ${id}: ${threat}\n  attack: ${evidence}\n  twin: ${twin.evidence}`,
    )
    .join('\n')
}

function layOut(title: string, evidence: string, twin: string, result: string): string[] {
  const cells = [
    wrap(title, WIDTHS.title),
    wrap(evidence, WIDTHS.evidence),
    wrap(twin, WIDTHS.twin),
    [result],
  ]
  const height = Math.max(...cells.map((cell) => cell.length))
  const widths = [WIDTHS.title, WIDTHS.evidence, WIDTHS.twin, 0]
  return Array.from({ length: height }, (_, line) =>
    cells
      .map((cell, column) => (cell[line] ?? '').padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd(),
  )
}

/** Breaks at spaces, and inside a word that is longer than a line. */
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
