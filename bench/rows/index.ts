import { down, up } from './bulk.js'
import { dns } from './dns.js'
import { http } from './http.js'
import { http2 } from './http2.js'
import type { BenchRow } from './row.js'
import { rules, sandboxes } from './sizes.js'
import { events, webSocket } from './streams.js'
import { first, tls } from './tls.js'

/** In the order of running and printing. */
export const ROWS: readonly BenchRow[] = [
  ...[http, tls, http2, first, events, webSocket],
  ...[down, up, rules, sandboxes, dns],
]
