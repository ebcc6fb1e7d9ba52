import type { RemoteInfo, Socket as UdpSocket } from 'node:dgram'
import type { Server as TcpServer, Socket } from 'node:net'
import type { Gateway, GatewaySockets } from './gateway.js'

/** Milliseconds after which a gateway is loaded that nobody has asked anything: the first request then finds it ready. */
const LOAD_AFTER_MS = 60

export interface LateGatewayOptions {
  readonly sockets: GatewaySockets
  /** Called once. */
  readonly load: () => Promise<Gateway>
  /** Told if the gateway cannot be loaded: what waits for it gets no answer. */
  readonly failed: (error: unknown) => void
}

interface Early {
  readonly pass: () => void
  readonly drop: () => void
}

/**
 * A gateway that is loaded with the first connection or query on its sockets, or soon after `start`. A command that needs no
 * network has often ended by then.
 */
export class LateGateway {
  readonly #options: LateGatewayOptions
  /** What arrived before the gateway was there, in order. */
  readonly #early: Early[] = []
  readonly #letGo: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined
  #loading: Promise<Gateway | null> | null = null
  #closing: Promise<void> | null = null

  constructor(options: LateGatewayOptions) {
    this.#options = options
    for (const server of serversOf(options.sockets)) this.#holdConnections(server)
    this.#holdQueries(options.sockets.dnsUdp)
  }

  /** Call it when the command has started. */
  start(): void {
    this.#timer = setTimeout(() => void this.#load(), LOAD_AFTER_MS).unref()
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer)
    const gateway = await this.#loading
    if (gateway != null) return gateway.close()
    for (const { drop } of this.#early.splice(0)) drop()
    this.#options.sockets.dnsUdp.close()
    for (const server of serversOf(this.#options.sockets)) server.close()
  }

  #holdConnections(server: TcpServer): void {
    const hold = (socket: Socket) => {
      // A reset before the gateway is there would be an error that nobody handles.
      const ignore = () => undefined
      socket.on('error', ignore)
      this.#hold({
        pass() {
          if (!socket.destroyed) server.emit('connection', socket)
          socket.off('error', ignore)
        },
        drop: () => void socket.destroy(),
      })
    }
    server.on('connection', hold)
    this.#letGo.push(() => server.off('connection', hold))
  }

  #holdQueries(socket: UdpSocket): void {
    const hold = (bytes: Buffer, from: RemoteInfo) =>
      this.#hold({ pass: () => void socket.emit('message', bytes, from), drop: () => undefined })
    socket.on('message', hold)
    this.#letGo.push(() => socket.off('message', hold))
  }

  #hold(arrived: Early): void {
    this.#early.push(arrived)
    void this.#load()
  }

  #load(): Promise<Gateway | null> {
    clearTimeout(this.#timer)
    return (this.#loading ??= this.#options.load().then(
      (gateway) => {
        for (const letGo of this.#letGo) letGo()
        gateway.serve(this.#options.sockets)
        for (const { pass } of this.#early.splice(0)) pass()
        return gateway
      },
      (error: unknown) => {
        this.#options.failed(error)
        return null
      },
    ))
  }
}

function serversOf({ dnsTcp, http, https, forward, reverse }: GatewaySockets): readonly TcpServer[] {
  return [dnsTcp, http, https, forward, reverse]
}
