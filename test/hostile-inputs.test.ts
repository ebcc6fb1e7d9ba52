import { createServer, type Server, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { askAs, connectAs, identifyNeighbour, type NeighbourConnection } from './fixtures/neighbours.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { listen } from './fixtures/upstream.js'
import { frame, switchProtocols, UPGRADE } from './fixtures/websocket.js'

// Inputs that cost whoever reads them more than whoever sends them. Each is tried many times at once by one sandbox; judged by
// another one, which is served meanwhile, and by the gateway, which holds no more memory than it may and ends nothing.

t.setTimeout(280_000)

const HOST = 'Host: api.example\r\n'
const TOKEN = 'real-token-0123456789abcdef'
const OK = 'HTTP/1.1 200 OK\r\n'
const bomb = Buffer.alloc(8 * 2 ** 20, 'x')
const BOMBS = { gzip: gzipSync(bomb), nested: gzipSync(gzipSync(bomb)), br: brotliCompressSync(bomb) }

/** Bytes of a response whose body is coded so. */
function coded(coding: string, body: Buffer): Buffer {
  const head = `${OK}Content-Encoding: ${coding}\r\nContent-Length: ${String(body.length)}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

const member = gzipSync('x')

/** Writes without end, as fast as it is read. */
function endless(socket: Socket, head: string, unit: string): void {
  const chunk = Buffer.from(unit.repeat(Math.ceil(16_384 / unit.length)), 'latin1')
  socket.write(head)
  const fill = () => {
    while (!socket.destroyed && socket.write(chunk));
  }
  socket.on('drain', fill)
  fill()
}

/** What an upstream says to the request for each path. */
const ANSWERS: Readonly<Record<string, (socket: Socket, request: string) => void>> = {
  '/fine': (socket) => socket.write(`${OK}Content-Length: 4\r\n\r\nfine`),
  '/gzip-bomb': (socket) => socket.write(coded('gzip', BOMBS.gzip)),
  '/nested-bomb': (socket) => socket.write(coded('gzip, gzip', BOMBS.nested)),
  '/br-bomb': (socket) => socket.write(coded('br', BOMBS.br)),
  '/members': (socket) => socket.write(coded('gzip', Buffer.concat(Array<Buffer>(2_000).fill(member)))),
  '/many-codings': (socket) => socket.write(coded(Array(200).fill('gzip').join(', '), member)),
  '/endless-body': (socket) => endless(socket, `${OK}Transfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n'),
  '/endless-interim': (socket) => endless(socket, '', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'),
  '/endless-head': (socket) => endless(socket, OK, 'X-Header: value\r\n'),
  '/endless-line': (socket) => endless(socket, `${OK}X-Header: `, 'x'),
  '/endless-trailers': (socket) =>
    endless(socket, `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n`, 'X-Trailer: value\r\n'),
  '/extensions': (socket) =>
    endless(socket, `${OK}Transfer-Encoding: chunked\r\n\r\n`, `1;${'a=b;'.repeat(100)}\r\nx\r\n`),
  '/escapes': (socket) =>
    endless(socket, `${OK}Transfer-Encoding: chunked\r\n\r\n`, 'c\r\n&#x67;\\u0067\r\n'),
  '/frames': (socket, request) => endless(socket, switchProtocols(request), frame('', { first: 0x89 })),
  '/fragments': (socket, request) => {
    socket.write(Buffer.from(switchProtocols(request) + frame('a', { first: 0x01 }), 'latin1'))
    endless(socket, '', frame('a', { first: 0x00 }))
  },
  '/hang': () => undefined,
}

function upstream(): Server {
  return createServer((socket) => {
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      if (text.length < 65_536) text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const request = text.slice(0, end + 4)
        text = text.slice(end + 4)
        ANSWERS[request.split(' ')[1] ?? '']?.(socket, request)
      }
    })
  })
}

async function setUp(t: Test): Promise<TestGateway> {
  const server = upstream()
  const port = await listen(server)
  const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('http://api.example', ['allow * /**'], { id: 'services.api', service: 'api' }),
        destination('https://api.example', ['allow * /**'], { id: 'allow[0]' }),
      ],
      services: [service('api', 'http://api.example', credential)],
      hosts: { 'api.example': { address: '127.0.0.1', port } },
    }),
    identifyNeighbour,
  )
  t.teardown(async () => {
    await gateway.close()
    server.close()
  })
  return gateway
}

type Attack = (gateway: TestGateway) => Promise<NeighbourConnection>

/** Sends it on a connection of its own to a listener. */
const sends =
  (bytes: string, listener: keyof TestGateway['ports'] = 'http'): Attack =>
  async ({ ports }) => {
    const connection = await connectAs('a', ports[listener])
    connection.socket.write(Buffer.from(bytes, 'latin1'))
    return connection
  }

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\n${HOST}${more}\r\n`

/** Asks for a response, and reads it or does not. */
const asks = (path: string, reads = true): Attack => {
  const more = path === '/frames' || path === '/fragments' ? `${UPGRADE.join('\r\n')}\r\n` : ''
  return async (gateway) => {
    const connection = await sends(get(path, more))(gateway)
    if (!reads) connection.socket.pause()
    return connection
  }
}

/** Sends it again and again. */
const repeats =
  (head: string, unit: string, listener: keyof TestGateway['ports'] = 'http'): Attack =>
  async ({ ports }) => {
    const connection = await connectAs('a', ports[listener])
    endless(connection.socket, head, unit)
    return connection
  }

const chunkedPost = `POST /hang HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`

/** A completed handshake, or what a client does instead. */
const handshake =
  (finishes: boolean): Attack =>
  async ({ ports }) => {
    const connection = await connectAs('a', ports.https)
    const tls = connectTls({
      socket: connection.socket,
      servername: 'api.example',
      rejectUnauthorized: false,
    })
    tls.on('error', () => undefined)
    if (!finishes) setImmediate(() => connection.socket.pause())
    return connection
  }

const ATTACKS: Readonly<Record<string, Attack>> = {
  ...Object.fromEntries(
    Object.keys(ANSWERS)
      .filter((path) => path !== '/fine')
      .flatMap((path) => [
        [`an upstream's ${path.slice(1)}`, asks(path)],
        [`an upstream's ${path.slice(1)}, not read`, asks(path, false)],
      ]),
  ),
  'a head of many lines': sends(`GET / HTTP/1.1\r\n${HOST}${'a: b\r\n'.repeat(10_000)}\r\n`),
  'a long target': sends(get(`/${'a/'.repeat(30_000)}`)),
  'many parameters': sends(get(`/?${'a=b&'.repeat(15_000)}`)),
  'a head that does not end': repeats(`GET / HTTP/1.1\r\n${HOST}`, 'a: b\r\n'),
  'a target that does not end': repeats('GET /', 'a'),
  'a body in chunks of a byte': repeats(chunkedPost, '1\r\nx\r\n'),
  'chunks with long extensions': repeats(chunkedPost, `1;${'a'.repeat(1_000)}\r\nx\r\n`),
  'trailers without end': repeats(`${chunkedPost}0\r\n`, 'a: b\r\n'),
  'empty lines': repeats('', '\r\n'),
  'requests ahead': repeats('', get('/fine')),
  'half a head, on each listener': sends('GET / HT'),
  'half a CONNECT': sends('CONNECT api.exa', 'forward'),
  'half a request to a base URL': sends('GET /api', 'reverse'),
  'half a hello': sends('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'https'),
  'a handshake and nothing more': handshake(true),
  'half a handshake': handshake(false),
  'a CONNECT and nothing more': sends(
    'CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n',
    'forward',
  ),
  'frames of a client': async (gateway) => {
    const connection = await asks('/hang')(gateway)
    endless(connection.socket, '', frame('', { first: 0x89, masked: true }))
    return connection
  },
}

/** How many are open at once. */
const AT_ONCE = 10

for (const [name, attack] of Object.entries(ATTACKS)) {
  void t.test(name, async (t) => {
    const gateway = await setUp(t)
    const open = new Set<NeighbourConnection>()
    let isOn = true
    let begun = 0
    const keep = async (): Promise<void> => {
      while (isOn) {
        const connection = await attack(gateway)
        begun += 1
        open.add(connection)
        await connection.closed
        open.delete(connection)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    const attacking = Array.from({ length: AT_ONCE }, keep)
    t.ok(await eventually(() => begun >= AT_ONCE), 'the attack is on')
    for (let i = 0; i < 2; i += 1) {
      const answer = await askAs('b', gateway.ports.http, `GET /fine HTTP/1.1\r\n${HOST}`)
      t.match(answer, /^HTTP\/1\.1 200 [^]*fine$/, 'its neighbour is served')
    }
    t.ok(gateway.heldBytes() <= 64 * 2 ** 20)
    t.strictSame(gateway.failures, [])
    isOn = false
    // By a reset: what a client has sent before it closes is read to its end, and the kernel has megabytes of it.
    for (const { socket } of open) socket.resetAndDestroy()
    await Promise.all(attacking)
    t.ok(await eventually(() => gateway.heldBytes() === 0, 120_000), 'nothing is held of it afterwards')
  })
}
