import { verdictWord, wrap } from '../demo/table.js'
import type { JudgedClient } from './judge.js'
import { missingClients, runClients } from './run-clients.js'

const HELP = `node dist/examples/clients/main.js [--json]

Runs real clients, unmodified, in a sandbox with worthless credentials, against services that verify the real ones.
  --json   one JSON object a line
Exits with 0 only if every line holds.`

const WIDTHS = [24, 26, 22, 26, 10] as const

const args = process.argv.slice(2)
const missing = missingClients()
if (args.some((arg) => arg !== '--json')) {
  console.error(HELP)
  process.exitCode = args.includes('--help') ? 0 : 2
} else if (missing.length > 0) {
  console.error(`demo:clients: these clients are missing here: ${missing.join(', ')}`)
  console.error(`  On Debian: apt-get install ${missing.join(' ')}`)
  process.exitCode = 2
} else {
  const interruption = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interruption.abort())
  try {
    const rows = await runClients(interruption.signal)
    if (args.includes('--json')) for (const row of rows) console.log(JSON.stringify(row))
    else console.log(table(rows))
    process.exitCode = rows.every(({ held }) => held) ? 0 : 1
  } catch (error) {
    console.error(`demo:clients: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}

function table(rows: readonly JudgedClient[]): string {
  const head = layOut(['client', 'what it did', 'the service received', 'the client saw', 'twin', 'result'])
  const body = rows.flatMap(({ client, does, received, saw, twin, held }) =>
    layOut([client, does, received, saw, twin, verdictWord(held)]),
  )
  return [...head, '─'.repeat(119), ...body].join('\n')
}

function layOut(cells: readonly string[]): string[] {
  const columns = cells.map((cell, index) => wrap(cell, WIDTHS[index] ?? 120))
  const height = Math.max(...columns.map((lines) => lines.length))
  return Array.from({ length: height }, (_, line) =>
    columns
      .map((lines, index) => (lines[line] ?? '').padEnd(WIDTHS[index] ?? 0))
      .join(' ')
      .trimEnd(),
  )
}
