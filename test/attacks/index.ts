import { credentialRows } from './credential-rows.js'
import { networkRows } from './network-rows.js'
import { requestRows } from './request-rows.js'
import type { Row } from './row.js'
import { sandboxRows } from './sandbox-rows.js'
import { WHOLE_RUN } from './whole-run.js'

/** The attack table, in the order of running and printing. To add a row, add a line here, and its id inside. */
export const ATTACKS: readonly Row[] = [...credentialRows, ...networkRows, ...requestRows, ...sandboxRows]

/** The same with the row that checks the whole run. */
export const TABLE: readonly Row[] = [...ATTACKS, WHOLE_RUN]
