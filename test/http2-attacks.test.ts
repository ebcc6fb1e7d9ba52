import { constants, createSecureServer, type ServerHttp2Stream } from 'node:http2'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import t from 'tap'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { block, END, frame, PREFACE, readFrames, TYPES } from './fixtures/http2-frames.js'
import { ask, openPlainSession, openSession } from './fixtures/http2-client.js'
import { destination, testPolicy } from './fixtures/policy.js'
import { forAnyName, listen, startUpstream } from './fixtures/upstream.js'

// Named after the advisories. Each attack is judged by what reached the upstream, and by another client that is served meanwhile.

interface Teardown {
  teardown(close: () => Promise<void> | void): void
}

interface SetUp {
  readonly gateway: TestGateway
  readonly asked: string[]
  /** Names, by request. */
  readonly headers: string[][]
}

async function setUp(test: Teardown, http: Partial<HttpLimits> = {}): Promise<SetUp> {
  const asked: string[] = []
  const headers: string[][] = []
  const upstream = await startUpstream(null, (request, response) => {
    headers.push(Object.keys(request.headers))
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`)
    if (request.url === '/hang') return
    response.end(request.url === '/large' ? Buffer.alloc(8_000_000) : 'fine')
  })
  const gateway = await startGateway(
    testPolicy({
      destinations: [destination('http://plain.example', ['allow GET,POST /**'], { id: 'allow[0]' })],
      hosts: { 'plain.example': { address: '127.0.0.1', port: upstream.port } },
      http,
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, asked, headers }
}

const HEAD = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'plain.example'],
  [':path', '/raw'],
] as const

async function openRaw(
  gateway: TestGateway,
): Promise<{ socket: Socket; received: () => Buffer; closed: () => boolean }> {
  const socket = connect(gateway.ports.http, '127.0.0.1')
  const chunks: Buffer[] = []
  let isClosed = false
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('close', () => (isClosed = true))
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(Buffer.concat([PREFACE, frame('settings', 0, 0)]))
  return { socket, received: () => Buffer.concat(chunks), closed: () => isClosed }
}

async function isServed(test: Teardown, gateway: TestGateway): Promise<boolean> {
  const session = await openPlainSession(test, gateway, 'plain.example')
  const { status, body } = await ask(session, { ':path': '/fine' })
  return status === 200 && body === 'fine'
}

/** Frames that are sent again and again: the connection ends, and what reached the upstream is bounded. */
const FLOODS: Readonly<Record<string, (n: number) => Buffer>> = {
  'CVE-2023-44487: rapid reset': (n) =>
    Buffer.concat([
      frame('headers', END, 2 * n + 1, block(...HEAD)),
      frame('rst', 0, 2 * n + 1, Buffer.of(0, 0, 0, 8)),
    ]),
  'CVE-2025-8671: streams that the server has to reset': (n) =>
    Buffer.concat([
      frame('headers', END, 2 * n + 1, block(...HEAD)),
      frame('window', 0, 2 * n + 1, Buffer.of(0, 0, 0, 0)),
    ]),
  'CVE-2019-9512: pings': () => frame('ping', 0, 0, Buffer.alloc(8)),
  'CVE-2019-9515: settings': () => frame('settings', 0, 0),
  'CVE-2019-9518: empty frames': (n) =>
    n === 0
      ? frame('headers', 0x4, 1, block([':method', 'POST'], ...HEAD.slice(1, 3), [':path', '/hang']))
      : frame('data', 0, 1),
  'CVE-2024-27316: CONTINUATION without end': (n) =>
    n === 0
      ? frame('headers', 0x1, 1, block(...HEAD))
      : frame('continuation', 0, 1, block(['x-more', 'y'.repeat(4_000)])),
}

for (const [name, next] of Object.entries(FLOODS)) {
  void t.test(name, async (test) => {
    const { gateway, asked } = await setUp(test)
    const { socket, closed } = await openRaw(gateway)
    let sent = 0
    const flood = setInterval(() => {
      for (let i = 0; i < 200 && !closed(); i += 1) socket.write(next(sent++))
    }, 5)
    test.ok(await isServed(test, gateway), 'another client is served')
    test.ok(await eventually(closed), `closed after ${String(sent)} frames`)
    clearInterval(flood)
    test.ok(await isServed(test, gateway), 'and again')
    test.ok(asked.filter((one) => one !== 'GET /fine').length <= 1_500, String(asked.length))
    test.same(gateway.failures, [])
    test.ok(
      await eventually(() => gateway.decisions.some(({ verdict }) => verdict === 'deny')),
      'it is recorded',
    )
  })
}

void t.test('heads that could be read in two ways reach nobody', async (test) => {
  const { gateway, asked } = await setUp(test)
  const rest = HEAD.slice(1)
  const heads: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
    'a pseudo-header twice': [...HEAD, [':path', '/other']],
    'a pseudo-header behind a header': [...HEAD.slice(0, 3), ['x', 'y'], [':path', '/raw']],
    'an unknown pseudo-header': [...HEAD, [':evil', 'x']],
    'no path': HEAD.slice(0, 3),
    'no method': rest,
    'an empty path': [...HEAD.slice(0, 3), [':path', '']],
    'a path with a space': [...HEAD.slice(0, 3), [':path', '/raw HTTP/1.1']],
    'a path with a line break': [...HEAD.slice(0, 3), [':path', '/raw\r\nx: y']],
    'a method with a line break': [[':method', 'GET / HTTP/1.1\r\nHost: x'], ...rest],
    'CVE-2021-33193: a method with a space': [[':method', 'GET /other'], ...rest],
    'an upper-case name': [...HEAD, ['X-Y', 'z']],
    'Transfer-Encoding': [...HEAD, ['transfer-encoding', 'chunked']],
    Connection: [...HEAD, ['connection', 'authorization']],
    'Content-Length without a body': [...HEAD, ['content-length', '5']],
    'two Content-Length': [...HEAD, ['content-length', '0'], ['content-length', '5']],
    'Host beside :authority': [...HEAD, ['host', 'other.example']],
    'an authority with user information': [
      ...HEAD.slice(0, 2),
      [':authority', 'a@plain.example'],
      [':path', '/raw'],
    ],
    'an absolute path': [...HEAD.slice(0, 3), [':path', 'http://other.example/']],
    CONNECT: [
      [':method', 'CONNECT'],
      [':authority', 'other.example:443'],
    ],
    'a protocol that nobody speaks': [[':method', 'CONNECT'], [':protocol', 'connect-udp'], ...rest],
  }
  for (const [name, fields] of Object.entries(heads)) {
    const { socket, received, closed } = await openRaw(gateway)
    socket.write(frame('headers', END, 1, block(...fields)))
    socket.write(frame('ping', 0, 0, Buffer.from('finished')))
    await eventually(() => closed() || received().includes('finished'))
    await eventually(() => closed() || hasEnd(received()), 5_000)
    socket.destroy()
    test.same(asked, [], name)
    asked.length = 0
  }
  test.ok(await isServed(test, gateway), 'the control passes')
})

void t.test('a field that no line of a head could hold does not travel on', async (test) => {
  const { gateway, headers } = await setUp(test)
  const { socket, received } = await openRaw(gateway)
  const fields = [
    ['x:y', 'z'],
    ['x-break', 'y\r\ntransfer-encoding: chunked'],
    ['x-nul', 'y\0z'],
    ['x-fine', 'y'],
  ] as const
  socket.write(frame('headers', END, 1, block(...HEAD, ...fields)))
  test.ok(await eventually(() => hasEnd(received())))
  socket.destroy()
  const [names = []] = headers
  test.strictSame(
    names.filter((name) => /^x|transfer/.test(name)),
    ['x-fine'],
  )
})

/** Whether stream 1 was answered or reset. */
function hasEnd(bytes: Buffer): boolean {
  return readFrames(bytes).frames.some(
    ({ stream, type }) => stream === 1 && [TYPES.headers, TYPES.rst].includes(type),
  )
}

void t.test('a client that reads nothing holds its own streams and nobody else’s', async (test) => {
  const { gateway } = await setUp(test)
  const { socket } = await openRaw(gateway)
  socket.pause()
  for (let n = 0; n < 60; n += 1) {
    const head = [...HEAD.slice(0, 3), [':path', '/large']] as const
    socket.write(frame('headers', END, 2 * n + 1, block(...head)))
  }
  const session = await openPlainSession(test, gateway, 'plain.example')
  const slow = session.request({ ':path': '/large' })
  slow.pause()
  await new Promise((resolve) => slow.once('response', resolve))
  test.match(
    await ask(session, { ':path': '/fine' }),
    { status: 200, body: 'fine' },
    'beside a stream that waits',
  )
  test.ok(gateway.heldBytes() < 64 * 2 ** 20)
  socket.destroy()
  slow.close(constants.NGHTTP2_CANCEL)
  session.close()
  test.ok(await eventually(() => gateway.heldBytes() === 0), 'nothing is held of it afterwards')
})

void t.test('a hostile upstream ends its own connection', async (test) => {
  const authority = await CertificateAuthority.create(Date.now())
  const server = createSecureServer(forAnyName(authority))
  const sockets = new Set<Socket>()
  server.on('secureConnection', (socket: Socket) => sockets.add(socket))
  server.on('sessionError', () => undefined)
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => undefined)
    const { session } = stream
    if (headers[':path'] === '/fine') stream.respond({ ':status': 200 }, { endStream: true })
    if (headers[':path'] === '/pings')
      setInterval(() => session?.destroyed === false && session.ping(() => undefined), 1).unref()
    if (headers[':path'] === '/interim')
      setInterval(() => !stream.destroyed && stream.additionalHeaders({ ':status': 103 }), 5).unref()
    if (headers[':path'] === '/fields')
      stream.respond({
        ':status': 200,
        ...Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`x-${String(i)}`, 'y'])),
      })
  })
  const port = await listen(server)
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('https://api.example', ['allow GET /**'], { id: 'allow[0]', ca: authority.pem }),
      ],
      hosts: { 'api.example': { address: '127.0.0.1', port } },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const session = await openSession(test, gateway, 'api.example')
  for (const path of ['/pings', '/interim', '/fields']) {
    const answer = await ask(session, { ':path': path })
    test.match(answer, { status: 502 }, path)
    test.match(await ask(session, { ':path': '/fine' }), { status: 200 }, 'the next request passes')
  }
  test.same(gateway.failures, [])
})

void t.test('a client that reads nothing at all loses its connection', async (test) => {
  const { gateway } = await setUp(test, { idleTimeoutMs: 1_000 })
  const { socket } = await openRaw(gateway)
  socket.pause()
  socket.write(frame('headers', END, 1, block(...HEAD.slice(0, 3), [':path', '/large'])))
  test.ok(await eventually(() => gateway.decisions.length === 1), 'it was let in')
  test.ok(await eventually(() => gateway.closes.length === 1))
  test.match(gateway.closes, [{ outcome: 'failure' }])
  test.ok(
    await eventually(() => gateway.decisions.some(({ detail }) => detail === 'the client does not read')),
  )
  socket.destroy()
  test.ok(await eventually(() => gateway.heldBytes() === 0), 'nothing is held of it afterwards')
})

void t.test('an upstream says how many streams it takes', async (test) => {
  const authority = await CertificateAuthority.create(Date.now())
  for (const [streams, expected] of [
    [1, 200],
    [0, 502],
  ] as const) {
    const connections = new Set<Socket>()
    const server = createSecureServer({
      ...forAnyName(authority),
      settings: { maxConcurrentStreams: streams },
    })
    server.on('secureConnection', (socket: Socket) => connections.add(socket))
    server.on('sessionError', () => undefined)
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined)
      setTimeout(() => !stream.destroyed && stream.respond({ ':status': 200 }, { endStream: true }), 10)
    })
    const port = await listen(server)
    const gateway = await startGateway(
      testPolicy({
        destinations: [
          destination('https://api.example', ['allow GET /**'], { id: 'allow[0]', ca: authority.pem }),
        ],
        hosts: { 'api.example': { address: '127.0.0.1', port } },
        http: { responseTimeoutMs: 2_000 },
      }),
    )
    test.teardown(async () => {
      await gateway.close()
      for (const socket of connections) socket.destroy()
      server.close()
    })
    const session = await openSession(test, gateway, 'api.example')
    const first = await ask(session, { ':path': '/first' })
    test.equal(first.status < 500, expected === 200, `${String(streams)} streams: ${String(first.status)}`)
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(session, { ':path': '/x' })))
    const statuses = new Set(answers.map(({ status }) => (status === 200 ? 200 : 502)))
    test.strictSame([...statuses], [expected], `${String(streams)} streams`)
    test.ok(connections.size <= 16 + 2, `${String(connections.size)} connections`)
    test.same(gateway.failures, [])
  }
})

/** What nghttp2 ends a connection for without telling anybody but the peer. */
const ERRORS: Readonly<Record<string, Buffer>> = {
  'fields that cannot be decompressed': frame('headers', END, 3, Buffer.of(0, 0x7f)),
  'a PING that is too short': frame('ping', 0, 0, Buffer.of(0)),
  'DATA on a stream that nobody opened': frame('data', 0, 5, Buffer.from('x')),
  'a frame that is larger than agreed': Buffer.from('ffffff000000000001', 'hex'),
}

void t.test('a client that breaks the rules takes its open requests with it', async (test) => {
  const { gateway, asked } = await setUp(test, { responseTimeoutMs: 600_000, idleTimeoutMs: 600_000 })
  const head = [...HEAD.slice(0, 3), [':path', '/hang']] as const
  // This one waits, and says nothing wrong: it is not cut off.
  const { socket: patient, closed } = await openRaw(gateway)
  patient.write(frame('headers', END, 1, block(...head)))
  test.ok(await eventually(() => asked.length === 1))
  const held = gateway.heldBytes()
  const sockets: Socket[] = []
  for (const bytes of Object.values(ERRORS)) {
    const { socket } = await openRaw(gateway)
    sockets.push(socket)
    socket.write(Buffer.concat([frame('headers', END, 1, block(...head)), bytes]))
  }
  test.ok(await eventually(() => asked.length === sockets.length + 1), String(asked.length))
  test.ok(await eventually(() => gateway.closes.length >= sockets.length, 60_000))
  test.same(
    gateway.closes.map(({ outcome, reason }) => [outcome, reason]),
    sockets.map(() => ['failure', 'client-abort']),
  )
  test.ok(await eventually(() => gateway.heldBytes() === held), 'nothing is held of those that are over')
  test.notOk(closed(), 'the patient one is still there')
  patient.end()
  test.ok(await eventually(() => gateway.heldBytes() === 0), 'nor of a client that is gone')
  for (const socket of [...sockets, patient]) socket.destroy()
  test.same(gateway.failures, [])
})

void t.test('an upstream that breaks the rules gets no other request on its connection', async (test) => {
  const connections: Socket[] = []
  const broken = Object.values(ERRORS)
  // With prior knowledge. Each connection is broken behind its first request, but the last one, which answers.
  const server = createTcpServer((socket) => {
    const bytes = broken[connections.push(socket) - 1]
    const received: Buffer[] = []
    socket.on('error', () => undefined)
    socket.write(frame('settings', 0, 0))
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk)
      const { frames } = readFrames(Buffer.concat(received), PREFACE.length)
      if (!frames.some(({ type }) => type === TYPES.headers)) return
      received.length = 0
      socket.write(bytes ?? frame('headers', END, 1, Buffer.of(0x88)))
    })
  })
  const port = await listen(server)
  const gateway = await startGateway(
    testPolicy({
      destinations: [destination('http://plain.example', ['allow POST /**'], { id: 'allow[0]' })],
      hosts: { 'plain.example': { address: '127.0.0.1', port } },
      http: { responseTimeoutMs: 600_000 },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    for (const socket of connections) socket.destroy()
    server.close()
  })
  const session = await openPlainSession(test, gateway, 'plain.example')
  const post = () => ask(session, { ':path': '/x', ':method': 'POST' }, 'x')
  for (const name of Object.keys(ERRORS)) test.match(await post(), { status: 502 }, name)
  test.match(await post(), { status: 200 }, 'a connection that keeps to the rules')
  test.equal(connections.length, broken.length + 1)
})

void t.test(
  'a client that waits to be told to go on, and leaves, is no fault of the gateway',
  async (test) => {
    const { gateway } = await setUp(test)
    const session = await openPlainSession(test, gateway, 'plain.example')
    const head = { ':method': 'POST', ':scheme': 'http', ':authority': 'plain.example', ':path': '/x' }
    for (let count = 0; count < 50; count += 1) {
      const stream = session.request({ ...head, expect: '100-continue' })
      stream.on('error', () => undefined)
      setImmediate(() => stream.close(constants.NGHTTP2_CANCEL))
    }
    const other = await openPlainSession(test, gateway, 'plain.example')
    test.equal((await ask(other, { ...head, expect: '100-continue' }, 'body')).status, 200)
    await eventually(
      () =>
        gateway.closes.length + gateway.decisions.filter(({ verdict }) => verdict === 'deny').length >= 51,
    )
    test.strictSame(gateway.failures, [])
  },
)
