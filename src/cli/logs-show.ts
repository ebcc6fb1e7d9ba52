import { EgressError, EXIT } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { hostOf } from '../logs/filter.js'
import { formatEvent, painter } from '../logs/format.js'
import { readLog, type LogLine } from '../logs/read.js'
import { rolesOf, tellMissing } from './logs.js'

/** Options of `egress logs show`. */
export interface ShowOptions {
  readonly auditDir: string
  readonly isNamed: boolean
  /** The beginning of a request's id, or all of it. */
  readonly id: string
  readonly json: boolean
  readonly colour: boolean
}

/** A query this long before a request may be the one that led to it, in milliseconds. */
const LOOKUP_MS = 60_000

/** Prints the story of one request: the queries for its host before it, its decisions, its end. */
export async function logsShow(options: ShowOptions, io: CommandIo): Promise<number> {
  tellMissing({ ...options, follow: false }, io)
  const found: LogLine[] = []
  /** The last queries of each sandbox. */
  let recent: LogLine[] = []
  for await (const line of readLog(options.auditDir, rolesOf(undefined), () => undefined)) {
    if (line.shown.type === 'query') {
      const since = Date.parse(line.time) - LOOKUP_MS
      if (recent.length > MAX_RECENT) recent = recent.filter(({ time }) => Date.parse(time) >= since)
      recent.push(line)
    }
    if (line.request?.startsWith(options.id) !== true) continue
    if (found.length === 0) found.push(...recent.filter((query) => ledTo(query, line)))
    found.push(line)
  }
  const ids = new Set(found.flatMap(({ request }) => request ?? []))
  if (ids.size === 0)
    throw noRequest(
      `No request in the audit log has an id that begins with ${options.id}`,
      'Take the id behind # in `egress logs`',
    )
  if (ids.size > 1)
    throw noRequest(
      `${String(ids.size)} requests have ids that begin with ${options.id}`,
      `Give more of it, such as ${[...ids][0] ?? ''}`,
    )
  const paint = painter(options.colour, io.env)
  for (const { text, time, shown } of found)
    io.stdout.write(`${options.json ? text : formatEvent(time, shown, paint)}\n`)
  return EXIT.fine
}

/** Queries that are kept before old ones are dropped. */
const MAX_RECENT = 10_000

function ledTo(query: LogLine, request: LogLine): boolean {
  const host = hostOf(request)
  const age = Date.parse(request.time) - Date.parse(query.time)
  return (
    host !== null &&
    hostOf(query) === host &&
    query.sandbox === request.sandbox &&
    age >= 0 &&
    age <= LOOKUP_MS
  )
}

function noRequest(problem: string, fix: string): EgressError {
  return new EgressError({ code: 'EGRESS_NO_REQUEST', problem, fix })
}
