import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { TLSSocket, type TlsOptions } from 'node:tls'
import type { CertificateAuthority } from '#proxy/tls/authority.js'

/** An upstream that keeps what reached it. */
export interface Upstream {
  readonly port: number
  readonly requests: RecordedRequest[]
  close(): Promise<void>
}

export interface RecordedRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly socket: Socket
}

/** TLS for any name, with certificates of this authority. */
export function forAnyName(authority: CertificateAuthority): TlsOptions {
  return {
    SNICallback: (name, done) => {
      authority.contextFor(name, Date.now()).then((context) => done(null, context), done)
    },
  }
}

/** TLS for any name, with certificates of the given authority; plain HTTP without one. */
export async function startUpstream(
  authority: CertificateAuthority | null,
  listener: RequestListener,
  onServer: (server: Server) => void = () => undefined,
): Promise<Upstream> {
  const requests: RecordedRequest[] = []
  const record: RequestListener = (request, response) => {
    const { method = '', url = '', headers, rawHeaders, socket } = request
    requests.push({ method, url, headers, rawHeaders, socket })
    listener(request, response)
  }
  const server =
    authority === null ? createHttpServer(record) : createHttpsServer(forAnyName(authority), record)
  onServer(server)
  const port = await listen(server)
  return {
    port,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** An upstream at the level of bytes: what it was sent per connection, and an answer to each first request. */
export interface RawUpstream {
  readonly port: number
  /** What each connection sent, in the order of the connections. */
  readonly received: string[]
  close(): Promise<void>
}

export async function startRawUpstream(
  authority: CertificateAuthority | null,
  onData: (socket: Socket, received: string, chunk: string) => void,
): Promise<RawUpstream> {
  const received: string[] = []
  const sockets = new Set<Socket>()
  const server = createTcpServer((outer) => {
    sockets.add(outer)
    outer.on('error', () => undefined)
    const index = received.push('') - 1
    const socket =
      authority === null
        ? outer
        : new TLSSocket(outer, {
            isServer: true,
            SNICallback: (name, done) => {
              authority.contextFor(name, Date.now()).then((context) => done(null, context), done)
            },
          })
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1')
      const all = (received[index] ?? '') + text
      received[index] = all
      onData(socket, all, text)
    })
  })
  const port = await listen(server)
  return {
    port,
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

export function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, () => resolve((server.address() as AddressInfo).port))
  })
}
