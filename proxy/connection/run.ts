import type { Socket } from 'node:net'
import type { ProxyContext } from '../context/context.js'
import { Http1Server } from '../downstream/http1-server.js'
import { Http2Server } from '../downstream/http2-server.js'
import type { Connection } from './connection.js'
import { denyConnection } from './deny-connection.js'
import type { ConnectionTools, Protocol } from './protocol.js'
import { CONNECTION_STEPS } from './steps.js'

/** The connections of one set of listeners: each is taken through the steps and handed to its protocol. */
export class Connections {
  readonly #protocols: readonly Protocol[]
  readonly #tools: ConnectionTools
  readonly #open = new Set<Socket>()

  constructor(context: ProxyContext, protocols: readonly Protocol[]) {
    this.#protocols = protocols
    this.#tools = {
      context,
      http1: new Http1Server(),
      http2: new Http2Server(),
      run: (inner) => this.run(inner),
    }
  }

  /** Never rejects: a bug of ours on one connection closes that connection and no other. */
  async run(connection: Connection): Promise<void> {
    const { socket } = connection
    this.#track(socket)
    try {
      if (await this.#takeSteps(connection)) await connection.protocol?.serve(connection, this.#tools)
    } catch (error) {
      this.#tools.context.fail(error)
      socket.destroy()
    }
  }

  /** Connections that wait for their next request end now, others with the one under way. */
  closeIdle(): void {
    this.#tools.http1.close()
    this.#tools.http2.close()
  }

  destroy(): void {
    for (const socket of this.#open) socket.destroy()
  }

  async #takeSteps(connection: Connection): Promise<boolean> {
    const tools = { ...this.#tools, protocols: this.#protocols }
    for (const step of CONNECTION_STEPS) {
      const result = step.run(connection, tools)
      const end = result instanceof Promise ? await result : result
      if (end === null) continue
      if (end !== 'gone') await denyConnection(this.#tools.context, connection, end)
      return false
    }
    return true
  }

  /**
   * Threat: Node forgets a connection that it has handed over (CONNECT, upgrades), but its server waits for it to end, which
   * its client need never do.
   */
  #track(socket: Socket): void {
    if (this.#open.has(socket)) return
    this.#open.add(socket)
    // It may be reset at any time, also where nobody else listens.
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#open.delete(socket))
  }
}
