import { credentialRows } from './credential-rows.js'
import { networkRows } from './network-rows.js'
import { requestRows } from './request-rows.js'
import type { Row } from './row.js'
import { sandboxRows } from './sandbox-rows.js'
import { WHOLE_RUN } from './whole-run.js'

/** The attack table, in the order of running and printing. To add a row, add a line here, and its id inside. */
export const ATTACKS: readonly Row[] = [
  ...credentialRows,
  ...networkRows.flatMap(alsoOverHttp2),
  ...requestRows.flatMap(alsoOverHttp2),
  ...sandboxRows,
]

/** The same with the row that checks the whole run. */
export const TABLE: readonly Row[] = [...ATTACKS, WHOLE_RUN]

/** A row whose requests can be of HTTP/2, too, is there twice: each version has a parser of its own. */
function alsoOverHttp2(row: Row): Row[] {
  if (row.hasHttp !== true) return [row]
  return [row, { ...row, id: `${row.id}-h2`, title: `${row.title}, HTTP/2` }]
}
