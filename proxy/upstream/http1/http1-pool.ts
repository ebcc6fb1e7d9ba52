import type { Socket } from 'node:net'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import type { KeptConnections } from '../idle-connections.js'
import type { UpstreamPool } from '../upstream-pool.js'
import type { UpstreamHandler, UpstreamRequest } from '../upstream.js'
import { Call } from './call.js'
import { Pool } from './pool.js'

/** HTTP/1.1 to one upstream: each request has a connection to itself. */
export class Http1Pool implements UpstreamPool {
  readonly #pool: Pool
  readonly #limits: HttpLimits

  /**
   * @param first a connection that is there already; null for none
   * @param kept told of each connection while it is idle; it may close it
   * @param onEmpty called when a pool that drains has no connection any more
   */
  constructor(
    dial: () => Promise<Socket>,
    first: Socket | null,
    limits: HttpLimits,
    kept: KeptConnections,
    onEmpty: () => void,
  ) {
    let spare = first
    this.#limits = limits
    this.#pool = new Pool(
      (done) => {
        const socket = spare
        spare = null
        if (socket !== null && !socket.destroyed) done(null, socket)
        else {
          dial().then(
            (dialled) => done(null, dialled),
            (error: unknown) => done(error as Error, null),
          )
        }
      },
      limits.idleTimeoutMs,
      kept,
      onEmpty,
    )
  }

  send(request: UpstreamRequest, handler: UpstreamHandler): void {
    try {
      new Call(request, handler, this.#pool, this.#limits).start()
    } catch (error) {
      queueMicrotask(() => handler.onError(error as Error))
    }
  }

  drain(): void {
    this.#pool.drain()
  }

  close(): void {
    this.#pool.close()
  }
}
