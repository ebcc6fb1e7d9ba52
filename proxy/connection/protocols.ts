import { http } from './http.js'
import { http2 } from './http2.js'
import type { Protocol } from './protocol.js'
import { tls } from './tls.js'
import { tunnel } from './tunnel.js'

/** In the order in which they are asked whether a connection is theirs. */
export const PROTOCOLS: readonly Protocol[] = [tunnel, tls, http2, http]
