import type { ProxyContext } from '../context/context.js'
import type { Denial } from '../contracts/denial.js'
import type { Exchange } from './exchange.js'

/** One step of a request: it refuses, or passes on. It may set the exchange's field that it is there to find out. */
export interface Step {
  readonly name: string
  run(exchange: Exchange, context: ProxyContext): Denial | null | Promise<Denial | null>
}
