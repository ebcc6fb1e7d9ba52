import type { IncomingMessage } from 'node:http'
import type { RequestListener } from 'node:http'
import { connect, type Server, type Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { connectThrough, HTTPS_LISTENERS, type ListenerClient } from './fixtures/client.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { startUpstream } from './fixtures/upstream.js'
import { switchProtocols, UPGRADE } from './fixtures/websocket.js'

// A gateway that ends tells everybody who waits for it, and every request that it let through has its end in the log.

async function setUp(
  test: Test,
  listener: RequestListener,
  onServer?: (server: Server) => void,
  tunnelPort?: number,
) {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(authority, listener, onServer)
  const at = { address: '127.0.0.1', port: upstream.port }
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('https://api.example', ['allow * /**'], { id: 'api', service: 'api', ca: authority.pem }),
        destination('https://tunnel.example', [], { id: 'tunnel', mode: 'tunnel' }),
      ],
      services: [service('api', 'https://api.example', null)],
      hosts: { 'api.example': at, 'tunnel.example': { ...at, port: tunnelPort ?? at.port } },
      // No test here may pass because something timed out.
      http: { responseTimeoutMs: 60_000, idleTimeoutMs: 60_000, connectTimeoutMs: 60_000 },
    }),
  )
  test.teardown(() => upstream.close())
  return { gateway, upstream }
}

async function ask(gateway: TestGateway, listener: ListenerClient, path: string, ...fields: string[]) {
  const socket = await listener.open(gateway, 'api.example')
  const { target, host } = listener.head('api.example', path)
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

/** Every decision has its end, and each is that of a gateway that shut down. */
function checkRecords(test: Test, gateway: TestGateway, count: number): void {
  const ids = gateway.decisions.filter(({ verdict }) => verdict === 'allow').map(({ id }) => id)
  test.equal(ids.length, count)
  test.strictSame(gateway.closes.map(({ id }) => id).sort(), ids.sort())
  for (const close of gateway.closes) test.match(close, { outcome: 'failure', reason: 'shutting-down' })
  test.strictSame(gateway.failures, [])
}

void t.test('who waits for a response is told, at every listener', async (test) => {
  const { gateway, upstream } = await setUp(test, () => undefined)
  const lines = await Promise.all(HTTPS_LISTENERS.map((listener) => ask(gateway, listener, '/')))
  await until(() => upstream.requests.length === HTTPS_LISTENERS.length)
  await gateway.close()
  for (const [index, line] of lines.entries()) {
    const received = await line.all
    test.match(received, /^HTTP\/1\.1 503 /, HTTPS_LISTENERS[index]?.name ?? '')
    test.match(received, '"reason":"shutting-down"', HTTPS_LISTENERS[index]?.name ?? '')
  }
  checkRecords(test, gateway, HTTPS_LISTENERS.length)
})

void t.test('a response that has begun is cut off, and does not look whole', async (test) => {
  const { gateway } = await setUp(test, (_request, response) => void response.write('first'))
  const lines = await Promise.all(HTTPS_LISTENERS.map((listener) => ask(gateway, listener, '/')))
  for (const line of lines) await line.until('first')
  await gateway.close()
  for (const line of lines) test.notMatch(await line.all, /0\r\n\r\n$/)
  checkRecords(test, gateway, HTTPS_LISTENERS.length)
})

void t.test('WebSockets: one that waits is told, one that is open is closed', async (test) => {
  const waiting: Socket[] = []
  const { gateway } = await setUp(
    test,
    () => undefined,
    (server) =>
      server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
        socket.on('error', () => undefined)
        waiting.push(socket)
        if (request.url !== '/open') return
        socket.write(switchProtocols(request))
      }),
  )
  const open = await Promise.all(
    HTTPS_LISTENERS.map((listener) => ask(gateway, listener, '/open', ...UPGRADE)),
  )
  for (const line of open) await line.until('101')
  const held = await Promise.all(
    HTTPS_LISTENERS.map((listener) => ask(gateway, listener, '/held', ...UPGRADE)),
  )
  await until(() => waiting.length === 2 * HTTPS_LISTENERS.length)
  await gateway.close()
  for (const line of held) test.match(await line.all, /^HTTP\/1\.1 503 [^]*"reason":"shutting-down"/)
  for (const line of open) await line.all
  checkRecords(test, gateway, 2 * HTTPS_LISTENERS.length)
})

void t.test('a tunnel ends with its record', async (test) => {
  const { gateway } = await setUp(test, (_request, response) => void response.write('first'))
  const { socket } = await connectThrough(gateway, 'tunnel.example:443')
  const inner = connectTls({ socket, servername: 'tunnel.example', rejectUnauthorized: false })
  inner.on('error', () => undefined)
  const line = listenTo(inner)
  inner.write('GET / HTTP/1.1\r\nHost: tunnel.example\r\n\r\n')
  await line.until('first')
  await gateway.close()
  await line.all
  checkRecords(test, gateway, 1)
})

/** A port where connecting takes for ever: nobody takes what waits there, and no more may wait. */
async function startDeafPort(test: Test): Promise<number> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads')
    const server = require('node:net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port)
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
    })`,
    { eval: true },
  )
  const port = await new Promise<number>((resolve) => worker.once('message', resolve))
  const waiting = Array.from({ length: 8 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
  test.teardown(async () => {
    for (const socket of waiting) socket.destroy()
    await worker.terminate()
  })
  await until(() => waiting.some(({ connecting }) => !connecting))
  return port
}

void t.test('a tunnel that is still being opened ends with its record', async (test) => {
  const { gateway } = await setUp(test, () => undefined, undefined, await startDeafPort(test))
  const { socket } = await connectThrough(gateway, 'tunnel.example:443')
  connectTls({ socket, servername: 'tunnel.example' }).on('error', () => undefined)
  await until(() => gateway.decisions.length === 1)
  await gateway.close()
  checkRecords(test, gateway, 1)
})

void t.test('a client that takes nothing more cannot hold the gateway up', async (test) => {
  const flood = (stream: Writable) => {
    const more = () => {
      while (stream.write(Buffer.alloc(65_536)));
    }
    stream.on('error', () => undefined).on('drain', more)
    more()
  }
  const { gateway } = await setUp(
    test,
    (_request, response) => flood(response),
    (server) =>
      server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
        socket.write(switchProtocols(request))
        flood(socket)
      }),
  )
  for (const listener of HTTPS_LISTENERS)
    for (const fields of [[], UPGRADE]) {
      const socket = await listener.open(gateway, 'api.example')
      test.teardown(() => socket.destroy())
      const { target, host } = listener.head('api.example', '/')
      socket.write([`GET ${target} HTTP/1.1`, `Host: ${host}`, ...fields, '', ''].join('\r\n'))
      await new Promise((resolve) => socket.once('readable', resolve))
    }
  await gateway.close()
  test.equal(gateway.closes.length, 2 * HTTPS_LISTENERS.length)
})

void t.test('a client that was refused and does not hang up cannot hold the gateway up', async (test) => {
  const { gateway } = await setUp(test, () => undefined)
  const get = (path: string) => ['GET ' + path + ' HTTP/1.1', 'Host: egress:9199']
  const refused: readonly [port: number, lines: readonly string[]][] = [
    [gateway.ports.http, ['CONNECT api.example:443 HTTP/1.1', 'Host: api.example:443', '', '']],
    [gateway.ports.reverse, ['CONNECT api.example:443 HTTP/1.1', 'Host: api.example:443', '', '']],
    [gateway.ports.forward, ['CONNECT other.example:443 HTTP/1.1', 'Host: other.example:443', '', '']],
    [gateway.ports.reverse, [...get('/api/'), '', ...get('/api/'), ...UPGRADE, '', '']],
    [gateway.ports.reverse, [...get('/api/'), 'Host: twice', '', '']],
    [gateway.ports.https, ['GET / HTTP/1.1', 'Host: api.example', '', '']],
  ]
  for (const [port, lines] of refused) {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined)
    test.teardown(() => socket.destroy())
    socket.resume().write(lines.join('\r\n'))
  }
  await until(() => gateway.decisions.filter(({ verdict }) => verdict === 'deny').length === refused.length)
  await gateway.close()
  checkRecords(test, gateway, 1)
})
