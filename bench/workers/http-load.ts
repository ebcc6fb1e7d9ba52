import { connect, type Socket } from 'node:net'
import { percentile } from './statistics.js'
import { tellStarter } from './processes.js'

// A load generator: node http-load.js PORT PATH CONNECTIONS MILLISECONDS. Each connection sends a request, reads the
// whole response, and sends the next. It reads only the Content-Length of responses, so that it needs little CPU time.

export interface LoadResult {
  readonly requestsPerSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Responses other than 200, and failed connections. */
  readonly errors: number
}

const [port = '', path = '', connections = '', duration = ''] = process.argv.slice(2)
const request = Buffer.from(
  `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: application/json\r\nUser-Agent: bench\r\n\r\n`,
)
const latencies: number[] = []
let errors = 0
let over = false

function drive(socket: Socket): void {
  let received = 0
  let expected = -1
  let sentAt = 0
  const send = () => {
    received = 0
    expected = -1
    sentAt = performance.now()
    socket.write(request)
  }
  socket.setNoDelay(true)
  socket.once('connect', send)
  socket.on('error', () => (errors += 1))
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length
    if (expected < 0) {
      // Response heads arrive in one piece here; any other head counts as an error in the result.
      const end = chunk.indexOf('\r\n\r\n')
      const head = chunk.toString('latin1', 0, end)
      const length = /content-length: (\d+)/i.exec(head)?.[1]
      if (end < 0 || length === undefined || !head.startsWith('HTTP/1.1 200 ')) {
        errors += 1
        socket.destroy()
        return
      }
      expected = end + 4 + Number(length)
    }
    if (received < expected) return
    latencies.push(performance.now() - sentAt)
    if (!over) send()
  })
}

const sockets = Array.from({ length: Number(connections) }, () => connect(Number(port), '127.0.0.1'))
const begin = performance.now()
for (const socket of sockets) drive(socket)
setTimeout(() => {
  over = true
  const seconds = (performance.now() - begin) / 1000
  const sorted = Float64Array.from(latencies).sort()
  const result: LoadResult = {
    requestsPerSecond: sorted.length / seconds,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    errors,
  }
  for (const socket of sockets) socket.destroy()
  tellStarter(result)
  process.disconnect()
}, Number(duration))
