import { verdictWord, wrap } from '../demo/table.js'
import { runDrives, type DriveRow } from './agents/run-drives.js'
import { runTools } from './tools/all-tools.js'
import type { ToolResult } from './tools/run-tools.js'
import type { EvaluatedClient } from './evaluate.js'
import { runClients } from './run-clients.js'

const HELP = `node dist/test/clients/main.js [--json] [--agents | --tools | --all]

Runs real clients, unmodified, in a sandbox with worthless credentials, against services that verify the real ones.
  --json     one JSON object a line
  --agents   drive coding agents in a terminal instead, on each backend
  --tools    run package managers, command line tools, libraries and browsers instead, on each backend
  --all      all three
Exits with 0 only if every check passes, with 2 if clients are not installed and all others pass.`

const WIDTHS = [24, 26, 22, 26, 10] as const

const args = process.argv.slice(2)
const isJson = args.includes('--json')
const isAll = args.includes('--all')
const withAgents = isAll || args.includes('--agents')
const withTools = isAll || args.includes('--tools')
const withClients = isAll || !(withAgents || withTools)
if (args.some((arg) => !['--json', '--agents', '--tools', '--all'].includes(arg))) {
  console.error(HELP)
  process.exitCode = args.includes('--help') ? 0 : 2
} else {
  const interruption = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interruption.abort())
  try {
    const rows = withClients ? await runClients(interruption.signal) : []
    if (isJson) for (const row of rows) console.log(JSON.stringify(row))
    else if (withClients) console.log(table(rows))
    const tools = withTools
      ? await runTools((result) => console.log(isJson ? JSON.stringify(result) : toolLine(result)))
      : []
    const drives = withAgents
      ? await runDrives((row) => console.log(isJson ? JSON.stringify(row) : line(row)))
      : []
    const missing = [...new Set(rows.flatMap((row) => row.missing))]
    if (missing.length > 0) {
      console.error(`demo:clients: These clients are not installed: ${missing.join(', ')}`)
      console.error(`  On Debian: apt-get install ${missing.join(' ')}`)
    }
    const failed =
      rows.some((row) => !row.passed && row.missing.length === 0) ||
      [...drives, ...tools].some(({ problems }) => problems.length > 0)
    const incomplete = missing.length > 0 || [...drives, ...tools].some((one) => one.missing !== null)
    process.exitCode = failed ? 1 : incomplete ? 2 : 0
  } catch (error) {
    console.error(`demo:clients: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}

function toolLine({ tool, backend, problems, missing, control }: ToolResult): string {
  const result =
    missing === null
      ? `${verdictWord(problems.length === 0)}${control ? ', and refused elsewhere' : ''}`
      : `- not to be had here: ${missing}`
  return `${tool.padEnd(40)} ${backend.padEnd(12)} ${result}${indented(problems)}`
}

function indented(problems: readonly string[]): string {
  return problems.map((problem) => `\n    ${problem.trim().replaceAll('\n', '\n    ')}`).join('')
}

/** One row of the agents: each takes its time, so each is printed when it is known. */
function line({ agent, backend, use, problems, missing }: DriveRow): string {
  const result = missing === null ? verdictWord(problems.length === 0) : `- not run: ${missing}`
  return `${agent.padEnd(10)} ${backend.padEnd(12)} ${use.padEnd(20)} ${result}${indented(problems)}`
}

function table(rows: readonly EvaluatedClient[]): string {
  const head = layOut([
    'client',
    'what it did',
    'the service received',
    'the client saw',
    'control',
    'result',
  ])
  const body = rows.flatMap(({ client, does, received, saw, control, passed, missing }) =>
    layOut([client, does, received, saw, control, missing.length > 0 ? '- not run' : verdictWord(passed)]),
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
