import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { tellStarter } from './processes.js'
import { percentile } from './statistics.js'

// A load on a proxy: node bench-load.js JSON, of type `LoadOrder`.

export interface LoadOrder {
  /**
   * `requests`: each connection sends one after the other. `first`: each request has a connection, and a target, of its own.
   * `events`: how late each event of a stream is. `echo`: how long a WebSocket takes to send back a message.
   */
  readonly kind: 'requests' | 'first' | 'events' | 'echo'
  readonly port: number
  /** What CONNECT names, in turn, with TLS inside; empty for neither. */
  readonly tunnels: readonly string[]
  /** Null for plain HTTP, through a tunnel or not. */
  readonly serverName: string | null
  readonly isTls: boolean
  /** The request line's target, and Host. */
  readonly target: string
  readonly host: string
  readonly connections: number
  /** Addresses that connections come from, in turn: 127.0.1.1 and so on; 1 for 127.0.0.1. */
  readonly addresses: number
  readonly milliseconds: number
}

export interface LoadOutcome {
  readonly operations: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly errors: number
}

const order = JSON.parse(process.argv[2] ?? '{}') as LoadOrder
const latencies: number[] = []
let errors = 0
let over = false
let opened = 0

const headFor = (host: string) => `GET ${order.target} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bench\r\n`
const plainRequest = headFor(order.host)
const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const MESSAGE = Buffer.concat([Buffer.of(0x81, 0x80 | 32, 0, 0, 0, 0), Buffer.alloc(32, 'm')])

/** Null when it could not be opened. */
async function open(): Promise<Socket | null> {
  const number = opened++
  const address = number % order.addresses
  const localAddress =
    order.addresses === 1
      ? '127.0.0.1'
      : `127.0.${String(1 + Math.floor(address / 200))}.${String(1 + (address % 200))}`
  const socket = connectTcp({ port: order.port, host: '127.0.0.1', localAddress, noDelay: true })
  socket.on('error', () => undefined)
  try {
    const tunnel = order.tunnels[number % Math.max(order.tunnels.length, 1)]
    if (tunnel !== undefined) {
      socket.write(`CONNECT ${tunnel} HTTP/1.1\r\nHost: ${tunnel}\r\n\r\n`)
      const head = await next(socket)
      if (!/^HTTP\/1\.[01] 200/.test(head.toString('latin1'))) throw new Error('no tunnel')
    }
    if (!order.isTls) return socket
    const servername = order.serverName ?? (tunnel ?? '').replace(/:\d+$/, '')
    const isAddress = /^[\d.]+$/.test(servername)
    const tls = connectTls({ socket, rejectUnauthorized: false, ...(isAddress ? {} : { servername }) })
    tls.on('error', () => undefined)
    await new Promise<void>((resolve, reject) => {
      tls.once('secureConnect', resolve)
      tls.once('close', () => reject(new Error('closed')))
    })
    return tls
  } catch {
    errors += 1
    socket.destroy()
    return null
  }
}

function next(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('closed'))
    socket.once('close', onClose)
    socket.once('data', (chunk: Buffer) => {
      socket.off('close', onClose)
      resolve(chunk)
    })
  })
}

/** Reads whole responses by their Content-Length. Heads come in one piece here; anything else counts as an error. */
function sendRequests(socket: Socket, count: number, onDone: () => void, host = order.host): void {
  const request = Buffer.from(`${headFor(host)}\r\n`)
  let [received, expected, sentAt, left] = [0, -1, 0, count]
  const send = () => {
    received = 0
    expected = -1
    sentAt = performance.now()
    socket.write(request)
  }
  const fail = () => {
    if (!over) errors += 1
    socket.destroy()
  }
  socket.on('close', onDone)
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length
    if (expected < 0) {
      const end = chunk.indexOf('\r\n\r\n')
      const head = chunk.toString('latin1', 0, end)
      const length = /content-length: (\d+)/i.exec(head)?.[1]
      if (end < 0 || length === undefined || !/^HTTP\/1\.[01] 200 /.test(head)) {
        fail()
        return
      }
      expected = end + 4 + Number(length)
    }
    if (received < expected) return
    latencies.push(performance.now() - sentAt)
    left -= 1
    if (over || left === 0) socket.destroy()
    else send()
  })
  send()
}

/** On another connection, when the proxy has closed this one. */
function keepSending(socket: Socket): void {
  sendRequests(socket, Infinity, () => {
    if (!over)
      void open().then((another) => {
        if (another !== null) keepSending(another)
      })
  })
}

async function driveFirst(): Promise<void> {
  while (!over) {
    const begun = performance.now()
    const host = order.tunnels[opened % Math.max(order.tunnels.length, 1)]?.replace(/:443$/, '')
    const socket = await open()
    if (socket === null) continue
    const before = latencies.length
    await new Promise<void>((resolve) => sendRequests(socket, 1, resolve, host))
    if (latencies.length > before) latencies[latencies.length - 1] = performance.now() - begun
  }
}

function readEvents(socket: Socket): void {
  let rest = ''
  socket.on('data', (chunk: Buffer) => {
    const now = process.hrtime.bigint()
    const parts = (rest + chunk.toString('latin1')).split('\n\n')
    rest = parts.pop() ?? ''
    for (const part of parts) {
      const sent = /data: (\d+)/.exec(part)?.[1]
      if (sent !== undefined && !over) latencies.push(Number(now - BigInt(sent)) / 1e6)
    }
  })
  socket.write(`${plainRequest}\r\n`)
}

function echo(socket: Socket): void {
  let [received, sentAt] = [0, 0]
  const send = () => {
    received = 0
    sentAt = performance.now()
    socket.write(MESSAGE)
  }
  socket.once('data', (head: Buffer) => {
    if (!head.toString('latin1').startsWith('HTTP/1.1 101')) {
      errors += 1
      socket.destroy()
      return
    }
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length
      if (received < MESSAGE.length - 4) return
      latencies.push(performance.now() - sentAt)
      if (!over) send()
    })
    send()
  })
  socket.write(`${plainRequest}${UPGRADE}\r\n`)
}

const begun = performance.now()
const sockets: Socket[] = []
if (order.kind === 'first') for (let i = 0; i < order.connections; i += 1) void driveFirst()
else
  for (let i = 0; i < order.connections; i += 1)
    void open().then((socket) => {
      if (socket === null) return
      sockets.push(socket)
      if (order.kind === 'requests') keepSending(socket)
      else if (order.kind === 'events') readEvents(socket)
      else echo(socket)
    })
setTimeout(() => {
  over = true
  const seconds = (performance.now() - begun) / 1000
  const sorted = Float64Array.from(latencies).sort()
  const outcome: LoadOutcome = {
    operations: sorted.length,
    perSecond: sorted.length / seconds,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    errors,
  }
  for (const socket of sockets) socket.destroy()
  tellStarter(outcome)
  setTimeout(() => process.exit(0), 50)
}, order.milliseconds)
