import type { Server } from 'node:net'
import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { CertificateAuthority } from '#proxy/tls/authority.js'
import { connectThrough, HTTPS_DOORS, type DoorClient } from '#test/support/client.js'
import { startGate, type TestGate } from '#test/support/gate.js'
import { destination, service, testPolicy } from '#test/support/policy.js'
import { startUpstream } from '#test/support/upstream.js'

// A gate that ends tells everybody who waits for it, and every request that it let through has its end in the log.

async function setUp(test: Test, listener: RequestListener, onServer?: (server: Server) => void) {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(authority, listener, onServer)
  const at = { address: '127.0.0.1', port: upstream.port }
  const gate = await startGate(
    testPolicy({
      destinations: [
        destination('https://api.example', ['allow * /**'], { id: 'api', service: 'api', ca: authority.pem }),
        destination('https://tunnel.example', [], { id: 'tunnel', mode: 'tunnel' }),
      ],
      services: [service('api', 'https://api.example', null)],
      hosts: { 'api.example': at, 'tunnel.example': at },
      // No test here may pass because something timed out.
      http: { responseTimeoutMs: 60_000, idleTimeoutMs: 60_000 },
    }),
  )
  test.teardown(() => upstream.close())
  return { gate, upstream }
}

async function ask(gate: TestGate, door: DoorClient, path: string, ...fields: string[]) {
  const socket = await door.open(gate, 'api.example')
  const { target, host } = door.head('api.example', path)
  socket.write([`GET ${target} HTTP/1.1`, `Host: ${host}`, ...fields, '', ''].join('\r\n'))
  return listenTo(socket)
}

/** What comes in on a socket so far, and all of it once it is closed. */
function listenTo(socket: Socket) {
  let received = ''
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
  const all = new Promise<string>((resolve) => socket.once('close', () => resolve(received)))
  return { all, until: (text: string) => until(() => received.includes(text)) }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Every decision has its end, and each is that of a gate that shut down. */
function checkRecords(test: Test, gate: TestGate, count: number): void {
  const ids = gate.decisions.filter(({ verdict }) => verdict === 'allow').map(({ id }) => id)
  test.equal(ids.length, count)
  test.strictSame(gate.closes.map(({ id }) => id).sort(), ids.sort())
  for (const close of gate.closes) test.match(close, { outcome: 'failure', reason: 'shutting-down' })
  test.strictSame(gate.failures, [])
}

void t.test('who waits for a response is told, at every door', async (test) => {
  const { gate, upstream } = await setUp(test, () => undefined)
  const lines = await Promise.all(HTTPS_DOORS.map((door) => ask(gate, door, '/')))
  await until(() => upstream.requests.length === HTTPS_DOORS.length)
  await gate.close()
  for (const [index, line] of lines.entries()) {
    const received = await line.all
    test.match(received, /^HTTP\/1\.1 503 /, HTTPS_DOORS[index]?.name ?? '')
    test.match(received, '"reason":"shutting-down"', HTTPS_DOORS[index]?.name ?? '')
  }
  checkRecords(test, gate, HTTPS_DOORS.length)
})

void t.test('a response that has begun is cut off, and does not look whole', async (test) => {
  const { gate } = await setUp(test, (_request, response) => void response.write('first'))
  const lines = await Promise.all(HTTPS_DOORS.map((door) => ask(gate, door, '/')))
  for (const line of lines) await line.until('first')
  await gate.close()
  for (const line of lines) test.notMatch(await line.all, /0\r\n\r\n$/)
  checkRecords(test, gate, HTTPS_DOORS.length)
})

const WEBSOCKET = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

void t.test('WebSockets: one that waits is told, one that is open is closed', async (test) => {
  const waiting: Socket[] = []
  const { gate } = await setUp(
    test,
    () => undefined,
    (server) =>
      server.on('upgrade', (request: { url: string }, socket: Socket) => {
        socket.on('error', () => undefined)
        waiting.push(socket)
        if (request.url !== '/open') return
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      }),
  )
  const [door] = HTTPS_DOORS
  if (door === undefined) return
  const open = await ask(gate, door, '/open', ...WEBSOCKET)
  await open.until('101')
  const held = await ask(gate, door, '/held', ...WEBSOCKET)
  await until(() => waiting.length === 2)
  await gate.close()
  test.match(await held.all, /^HTTP\/1\.1 503 [^]*"reason":"shutting-down"/)
  await open.all
  checkRecords(test, gate, 2)
})

void t.test('a tunnel ends with its record', async (test) => {
  const { gate } = await setUp(test, (_request, response) => void response.write('first'))
  const { socket } = await connectThrough(gate, 'tunnel.example:443')
  const inner = connectTls({ socket, servername: 'tunnel.example', rejectUnauthorized: false })
  inner.on('error', () => undefined)
  const line = listenTo(inner)
  inner.write('GET / HTTP/1.1\r\nHost: tunnel.example\r\n\r\n')
  await line.until('first')
  await gate.close()
  await line.all
  checkRecords(test, gate, 1)
})

void t.test('a client that takes nothing more cannot hold the gate up', async (test) => {
  const { gate } = await setUp(test, (_request, response) => {
    const more = () => {
      while (response.write(Buffer.alloc(65_536)));
    }
    response.on('drain', more)
    more()
  })
  const [door] = HTTPS_DOORS
  if (door === undefined) return
  const socket = await door.open(gate, 'api.example')
  socket.write('GET / HTTP/1.1\r\nHost: api.example\r\n\r\n')
  await new Promise((resolve) => socket.once('readable', resolve))
  await gate.close()
  test.equal(gate.closes.length, 1)
  socket.destroy()
})
