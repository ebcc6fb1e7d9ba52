import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'
import { readFileSync } from 'node:fs'
import { acceptFor } from '#proxy/message/websocket-handshake.js'
import { tellStarter } from './processes.js'

// The upstream of `npm run bench`: node bench-upstream.js KEY CERTIFICATE

/** Ports of a server that answers every request with the same 1 KiB, and of one that has the paths below. */
export interface UpstreamPorts {
  readonly http: number
  readonly https: number
  readonly paths: number
  readonly securePaths: number
}

const BODY_BYTES = 1024
const GIBIBYTE = 1024 ** 3
const CHUNK = Buffer.alloc(64 * 1024, 'x')

/** Milliseconds between two events. */
const EVENT_MS = 20

const HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n' +
  `Content-Length: ${String(BODY_BYTES)}\r\nConnection: keep-alive\r\n\r\n`
const ANSWER = Buffer.from(HEAD + 'x'.repeat(BODY_BYTES))

/** Sends the same bytes for every request, so that the proxies are the bottleneck. */
function answer(socket: Socket): void {
  let open = ''
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    // The requests have no bodies, so each ends with an empty line.
    const parts = (open + chunk.toString('latin1')).split('\r\n\r\n')
    open = parts.pop() ?? ''
    for (let i = 0; i < parts.length; i += 1) socket.write(ANSWER)
  })
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  if (request.url?.startsWith('/v1/events') === true) sendEvents(response)
  else if (request.url?.startsWith('/v1/down') === true) sendAll(response)
  else request.resume().on('end', () => response.end())
}

/** Each event is the time at which it was sent, in nanoseconds of the machine's clock. */
function sendEvents(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const timer = setInterval(() => {
    response.write(`data: ${String(process.hrtime.bigint())}\n\n`)
  }, EVENT_MS)
  response.once('close', () => clearInterval(timer))
}

function sendAll(response: ServerResponse): void {
  response.writeHead(200, { 'content-length': GIBIBYTE })
  let left = GIBIBYTE
  const go = () => {
    while (left > 0 && !response.destroyed) {
      left -= CHUNK.length
      if (!response.write(CHUNK)) return
    }
    response.end()
  }
  response.on('drain', go)
  go()
}

/** A WebSocket that sends back each short frame, which a mask of zeros hides from nobody (RFC 6455 section 5.2). */
function echo(request: IncomingMessage, socket: Socket): void {
  const key = String(request.headers['sec-websocket-key'])
  socket.on('error', () => socket.destroy())
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      `Sec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`,
  )
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at + 6 <= chunk.length;) {
      const length = (chunk[at + 1] ?? 0) & 0x7f
      socket.write(
        Buffer.concat([Buffer.of(chunk[at] ?? 0, length), chunk.subarray(at + 6, at + 6 + length)]),
      )
      at += 6 + length
    }
  })
}

async function listen(server: Server): Promise<number> {
  server.listen({ port: 0, backlog: 511 })
  await new Promise((resolve) => server.once('listening', resolve))
  return (server.address() as AddressInfo).port
}

const [keyFile = '', certFile = ''] = process.argv.slice(2)
const identity = { key: readFileSync(keyFile), cert: readFileSync(certFile) }
const paths = [createHttp(serve), createHttps(identity, serve)] as const
for (const server of paths) server.on('upgrade', (request, socket) => echo(request, socket as Socket))
const secure = createTls({ ...identity, ALPNProtocols: ['http/1.1'] }, answer)
secure.on('tlsClientError', () => undefined)
const ports: UpstreamPorts = {
  http: await listen(createTcp(answer)),
  https: await listen(secure),
  paths: await listen(paths[0]),
  securePaths: await listen(paths[1]),
}
tellStarter(ports)
