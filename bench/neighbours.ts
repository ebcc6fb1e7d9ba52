import { spawn, type ChildProcess } from 'node:child_process'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { listen, portOf } from './workers/gateway.js'
import { startWorker } from './workers/processes.js'
import { table } from './workers/statistics.js'

// What one sandbox (b) notices of another (a) that takes all it can: latency of b's requests, quiet and under each load. The
// aim is a p99 of at most twice the quiet one. The loads take processor time of their own: `processor time elsewhere` is what two
// processes that have nothing to do with the gateway cost b, and no load can be expected to cost less on a machine of two cores.

const SAMPLES = Number(process.argv[2] ?? 300)

interface Ports {
  readonly dns: number
  readonly http: number
  readonly https: number
}

const packed = gzipSync(Buffer.alloc(16 * 2 ** 20, '\\u0067'))
const upstream = createServer((request, response) => {
  request.resume()
  if (request.url === '/hang') return
  if (request.url === '/packed') response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed)
  else if (request.url === '/large') response.end(Buffer.alloc(64 * 2 ** 20, 'x'))
  else request.on('end', () => response.end('fine'))
})
await listen(upstream)
const policy = `upstream: { hosts: { api.example: "127.0.0.1:${String(portOf(upstream))}" } }
allow:
  - { host: api.example, scheme: http, allow_private_addresses: true }
  - { host: api.example, allow_private_addresses: true }
  - { host: "**.wild.example", allow_private_addresses: true }
`
const gateway = await startWorker<Ports>('dns-exfiltration-gateway', [policy, '0'])
const { http, https } = gateway.ready

/** Runs in a process of its own, so that only the gateway can be slow. */
const MEASURE = `
const http = require('node:http')
const times = []
const ask = () => new Promise((resolve) => {
  const began = performance.now()
  const request = http.get({ host: '127.0.0.1', port: ${String(http)}, localAddress: '127.0.0.3', agent: false, headers: { host: 'api.example' } }, (response) => {
    response.resume().on('end', () => { times.push(performance.now() - began); resolve() })
  })
  request.on('error', () => { times.push(Infinity); resolve() })
})
;(async () => {
  for (let i = 0; i < ${String(SAMPLES)}; i += 1) { await ask(); await new Promise((r) => setTimeout(r, 5)) }
  times.sort((a, b) => a - b)
  console.log(JSON.stringify([times[times.length >> 1], times[Math.floor(times.length * 0.99)]]))
})()`

function measure(): Promise<readonly [p50: number, p99: number]> {
  const child = spawn(process.execPath, ['-e', MEASURE], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return new Promise((resolve) =>
    child.once('close', () => resolve(JSON.parse(text) as readonly [number, number])),
  )
}

let isOn = true
const open = new Set<Socket>()

/** A connection of the greedy sandbox that is opened again whenever it ends, as long as the load is on. */
function keep(port: number, onOpen: (socket: Socket) => void, reads = true): void {
  if (!isOn) return
  const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }, () => onOpen(socket))
  open.add(socket)
  if (reads) socket.resume()
  socket.on('error', () => undefined)
  socket.once('close', () => {
    open.delete(socket)
    setTimeout(() => keep(port, onOpen, reads), 5)
  })
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: api.example\r\n\r\n`
const times = (count: number, run: (index: number) => void) => {
  for (let i = 0; i < count; i += 1) run(i)
}

/** Processes that take as much time of the processor as the gateway and its greedy client. */
const burners: ChildProcess[] = []

const LOADS: Readonly<Record<string, () => void>> = {
  quiet: () => undefined,
  'processor time elsewhere': () =>
    times(2, () => burners.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }))),
  'connections, as many as there are': () => times(1_100, () => keep(http, () => undefined)),
  'requests that hang': () => times(300, () => keep(http, (socket) => socket.write(get('/hang')))),
  'requests sent ahead': () => times(50, () => keep(http, (socket) => socket.write(get('/').repeat(2_000)))),
  'readers that do not read': () =>
    times(200, () => keep(http, (socket) => socket.pause().write(get('/large')), false)),
  'compressed answers': () => times(100, () => keep(http, (socket) => socket.write(get('/packed')))),
  'handshakes with new names': () =>
    times(30, (i) =>
      keep(https, (socket) => {
        const servername = `n${String(i)}.wild.example`
        const tls = connectTls({ socket, servername, rejectUnauthorized: false }, () => tls.destroy())
        tls.on('error', () => undefined)
      }),
    ),
  'large bodies': () =>
    times(50, () =>
      keep(http, (socket) => {
        socket.write('POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 1000000000\r\n\r\n')
        const chunk = Buffer.alloc(65_536, 'x')
        const fill = () => {
          while (isOn && !socket.destroyed && socket.write(chunk));
        }
        socket.on('drain', fill)
        fill()
      }),
    ),
}

await measure()
process.stdout.write('Latency of one sandbox in milliseconds, while another one has\n')
let quiet = 0
for (const [name, load] of Object.entries(LOADS)) {
  isOn = true
  load()
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const [p50, p99] = await measure()
  if (name === 'quiet') quiet = p99
  const row = [name, p50.toFixed(1), p99.toFixed(1), (p99 / quiet).toFixed(1)]
  process.stdout.write(table(['', 'p50', 'p99', 'p99 to quiet'], [row]))
  isOn = false
  for (const socket of open) socket.destroy()
  for (const burner of burners.splice(0)) burner.kill()
  await new Promise((resolve) => setTimeout(resolve, 500))
}
await gateway.stop()
process.exit()
