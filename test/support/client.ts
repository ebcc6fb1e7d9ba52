import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TestGate } from './gate.js'

/** A way in, as a client at the level of bytes sees it. */
export interface DoorClient {
  readonly name: string
  /** An open connection that requests to `host` can be written to. */
  open(gate: TestGate, host: string): Promise<Socket>
  /** The request target and Host header for a path on a host. */
  head(host: string, path: string): { target: string; host: string }
}

const originForm = (host: string, path: string) => ({ target: path, host })

async function tcp(port: number): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return socket
}

export async function tls(gate: TestGate, under: Socket, servername: string): Promise<Socket> {
  const socket = connectTls({ socket: under, servername, ca: gate.ca, ALPNProtocols: ['http/1.1'] })
  await new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve).once('error', reject)
    socket.once('close', () => reject(new Error('closed during the handshake')))
  })
  socket.on('error', () => undefined)
  return socket
}

export async function connectThrough(
  gate: TestGate,
  authority: string,
  host = authority,
): Promise<{ socket: Socket; status: string }> {
  const socket = await tcp(gate.ports.explicit)
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  const chunk = await new Promise<string>((resolve) =>
    socket.once('data', (data: Buffer) => resolve(data.toString())),
  )
  return { socket, status: chunk.slice(9, 12) }
}

/** Every door that takes requests for an https service. `routes` needs a service of the name `api`. */
export const HTTPS_DOORS: readonly DoorClient[] = [
  {
    name: 'transparent 443',
    open: async (gate, host) => tls(gate, await tcp(gate.ports.https), host),
    head: originForm,
  },
  {
    name: 'CONNECT 3128',
    open: async (gate, host) => tls(gate, (await connectThrough(gate, `${host}:443`)).socket, host),
    head: originForm,
  },
  {
    name: 'absolute form 3128',
    open: async (gate) => tcp(gate.ports.explicit),
    head: (host, path) => ({ target: `https://${host}${path}`, host }),
  },
  {
    name: 'routes 9199',
    open: async (gate) => tcp(gate.ports.routes),
    head: (_host, path) => ({ target: `/api${path}`, host: 'egress:9199' }),
  },
]

/** Opens a door, writes bytes, and returns all that came back when the other side ended or `quietMs` passed. */
export async function exchangeBytes(socket: Socket, bytes: string | Buffer, quietMs = 150): Promise<string> {
  let received = ''
  return new Promise((resolve) => {
    let timer = setTimeout(done, Math.max(quietMs * 5, 5_000))
    function done() {
      clearTimeout(timer)
      socket.destroy()
      resolve(received)
    }
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      clearTimeout(timer)
      timer = setTimeout(done, quietMs)
    })
    socket.on('close', done)
    socket.write(bytes)
  })
}

/** The status codes of the responses in a byte stream. */
export function statuses(received: string): string[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1] ?? '')
}
