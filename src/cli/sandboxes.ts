import type { ListedSandbox } from '../control/operator-routes.js'
import { EXIT } from '../common/errors.js'
import { printable } from '../common/hostile-text.js'
import type { CommandIo } from '../common/io.js'
import { findPlaces } from '../fleet/places.js'
import { askAll } from '../fleet/tell.js'

/** Characters of a command's name, which is the agent's to choose. */
const MAX_COMMAND = 40

const HEADS = ['SANDBOX', 'AGENT', 'STATE', 'AGE', 'ALLOWED', 'DENIED', 'FAILED', 'COMMAND'] as const

/** `egress sandboxes`: who runs, behind every gateway that this user can reach. */
export async function runSandboxes(
  { json }: { readonly json: boolean },
  io: CommandIo,
  now: number,
): Promise<number> {
  const { told, failed } = await askAll(await findPlaces(io), { method: 'GET', path: '/sandboxes' }, io)
  const sandboxes = told.flatMap(({ list }) => list.sandboxes)
  const rows = sandboxes.map((one) => rowOf(one, now))
  if (json) for (const one of sandboxes) io.stdout.write(`${JSON.stringify(one)}\n`)
  else if (rows.length > 0) io.stdout.write(tableOf([HEADS, ...rows]))
  else if (!failed) io.stderr.write('egress: No sandbox is running\n')
  if (told.some(({ list }) => list.all_stopped))
    io.stderr.write(
      'egress: All sandboxes are stopped, and new ones are refused: `egress start` lifts that\n',
    )
  const paused = [...new Set(told.flatMap(({ list }) => list.paused_agents))]
  if (paused.length > 0) io.stderr.write(`egress: The network of ${paused.join(', ')} is paused\n`)
  return failed ? EXIT.failed : EXIT.fine
}

function rowOf(one: ListedSandbox, now: number): readonly string[] {
  const { allowed, denied, failed, limited } = one.requests
  const age = one.started_at === null ? '-' : ageOf(now - Date.parse(one.started_at))
  const counts = [allowed, denied, failed + limited].map(String)
  return [
    one.id,
    one.agent,
    one.state,
    age,
    ...counts,
    one.command === '' ? '-' : printable(one.command, MAX_COMMAND),
  ]
}

function ageOf(ms: number): string {
  const seconds = Math.max(Math.floor(ms / 1000), 0)
  if (seconds < 60) return `${String(seconds)}s`
  if (seconds < 3600) return `${String(Math.floor(seconds / 60))}m`
  if (seconds < 86_400) return `${String(Math.floor(seconds / 3600))}h`
  return `${String(Math.floor(seconds / 86_400))}d`
}

function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = HEADS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return rows.map((row) => `${line(row)}\n`).join('')
}
