import { connect, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import t from 'tap'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import {
  connectThrough,
  exchangeBytes,
  HTTPS_LISTENERS,
  statuses,
  tls,
  turnsOfTheLoop,
} from './fixtures/client.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway } from './fixtures/gateway.js'
import { destination, testPolicy } from './fixtures/policy.js'
import { startRawUpstream } from './fixtures/upstream.js'

// Every way in which a connection that has sent something can end leaves a record; and nothing happens without one.

t.setTimeout(120_000)

interface Teardown {
  teardown(close: () => Promise<void>): void
}

async function setUp(test: Teardown, idleTimeoutMs = 20_000) {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startRawUpstream(authority, (socket, _received, chunk) => {
    if (chunk.includes('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const at = { address: '127.0.0.1', port: upstream.port }
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('https://api.example', ['allow * /**'], { id: 'allow[0]', ca: authority.pem }),
        destination('https://tunnel.example', [], { id: 'allow[1]', mode: 'tunnel' }),
        destination('https://trace.example', ['allow TRACE /**'], { id: 'allow[2]', ca: authority.pem }),
      ],
      hosts: { 'api.example': at, 'tunnel.example': at, 'trace.example': at },
      http: { idleTimeoutMs },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, upstream }
}

const ENDS: readonly (readonly [name: string, end: (socket: Socket) => void])[] = [
  ['a reset', (socket) => (socket instanceof TLSSocket ? socket.destroy() : socket.resetAndDestroy())],
  ['an end', (socket) => socket.end()],
  ['a close', (socket) => socket.destroy()],
]

void t.test('a connection that ends within a head leaves a record', async (test) => {
  const { gateway } = await setUp(test)
  const plain = (port: number) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    return Promise.resolve(socket)
  }
  const [transparent] = HTTPS_LISTENERS
  for (const [listener, open] of [
    ['http', () => plain(gateway.ports.http)],
    ['forward', () => plain(gateway.ports.forward)],
    ['reverse', () => plain(gateway.ports.reverse)],
    ['https', async () => (await transparent?.open(gateway, 'api.example')) as Socket],
  ] as const) {
    for (const [name, end] of ENDS) {
      for (const text of ['G', 'GET /x HTTP/1.1\r\nHost: api.exa', 'GET / HTTP/1.1\r\n\r']) {
        const before = gateway.decisions.length
        const socket = await open()
        await new Promise((resolve) => socket.write(text, resolve))
        await new Promise((resolve) => setTimeout(resolve, 20))
        end(socket)
        const recorded = await eventually(() => gateway.decisions.length === before + 1)
        test.ok(recorded, `${listener}: ${name} after ${JSON.stringify(text)}`)
        test.match(gateway.decisions.at(-1), { verdict: 'deny', reason: 'bad-framing' })
        socket.destroy()
      }
    }
  }
})

void t.test(
  'a connection that sends nothing, or whole requests, leaves no more than they do',
  async (test) => {
    const { gateway } = await setUp(test)
    for (const [, end] of ENDS) {
      const idle = connect(gateway.ports.http, '127.0.0.1').on('error', () => undefined)
      await new Promise((resolve) => idle.once('connect', resolve))
      end(idle)
      for (const listener of HTTPS_LISTENERS.filter(({ name }) => !name.startsWith('routes'))) {
        const { target, host } = listener.head('api.example', '/x')
        const socket = await listener.open(gateway, 'api.example')
        const answered = new Promise((resolve) => socket.once('data', resolve))
        socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
        await answered
        await eventually(() => gateway.closes.length === gateway.decisions.length)
        end(socket)
      }
    }
    await turnsOfTheLoop(20)
    test.equal(gateway.decisions.length, 9)
    test.ok(gateway.decisions.every(({ verdict }) => verdict === 'allow'))
  },
)

void t.test('one that is cut off for its silence leaves a record', async (test) => {
  const { gateway } = await setUp(test, 300)
  const socket = connect(gateway.ports.http, '127.0.0.1').on('error', () => undefined)
  socket.write('GET /x HTTP/1.1\r\nHost: api.exa')
  test.ok(await eventually(() => gateway.decisions.length === 1))
  socket.destroy()
})

void t.test('a CONNECT behind which nothing comes leaves a record', async (test) => {
  const { gateway } = await setUp(test)
  for (const [name, end] of ENDS) {
    const before = gateway.decisions.length
    const { socket, status } = await connectThrough(gateway, 'api.example:443')
    test.equal(status, '200')
    end(socket)
    test.ok(await eventually(() => gateway.decisions.length === before + 1), name)
    test.match(gateway.decisions.at(-1), { kind: 'tls', reason: 'tls-handshake', host: 'api.example' })
    socket.destroy()
  }
})

void t.test('a handshake behind which no request comes leaves a record', async (test) => {
  const { gateway } = await setUp(test)
  for (const listener of HTTPS_LISTENERS.filter(({ name }) => !name.startsWith('routes'))) {
    for (const [name, end] of ENDS) {
      const before = gateway.decisions.length
      const socket = await listener.open(gateway, 'api.example')
      if (!(socket instanceof TLSSocket)) continue
      end(socket)
      test.ok(await eventually(() => gateway.decisions.length === before + 1), `${listener.name}: ${name}`)
      test.match(gateway.decisions.at(-1), { kind: 'tls', reason: 'tls-handshake', host: 'api.example' })
      socket.destroy()
    }
  }
  test.ok(gateway.decisions.length >= ENDS.length)
})

void t.test('a tunnel whose decision cannot be recorded does not begin', async (test) => {
  const { gateway, upstream } = await setUp(test)
  const tunnelled = async () => {
    const { socket } = await connectThrough(gateway, 'tunnel.example:443')
    const inner = new TLSSocket(socket).on('error', () => undefined)
    inner.destroy()
    const client = await connectThrough(gateway, 'tunnel.example:443')
    return tls({ ...gateway, ca: '' }, client.socket, 'tunnel.example').then(
      () => 'a handshake',
      (error: unknown) => String(error),
    )
  }
  gateway.auditFails = 'tunnel'
  await tunnelled()
  test.same(upstream.received, [], 'the upstream was never dialled')
  gateway.auditFails = false
  await tunnelled()
  test.ok(await eventually(() => upstream.received.length === 1), 'the control reaches it')
})

void t.test('TRACE needs a rule that names it, however it is asked for', async (test) => {
  const { gateway, upstream } = await setUp(test)
  const [transparent] = HTTPS_LISTENERS
  const ask = async (host: string, line: string, header = '') => {
    const socket = (await transparent?.open(gateway, host)) as Socket
    return statuses(await exchangeBytes(socket, `${line} HTTP/1.1\r\nHost: ${host}\r\n${header}\r\n`))[0]
  }
  test.equal(await ask('api.example', 'TRACE /x'), '403')
  test.equal(await ask('api.example', 'GET /x', 'X-HTTP-Method-Override: trace\r\n'), '403')
  test.equal(await ask('api.example', 'GET /x?_method=TRACE'), '403')
  test.same(upstream.received, [])
  test.equal(await ask('trace.example', 'TRACE /x'), '200', 'the control passes')
  test.match(upstream.received.join(''), /^TRACE \/x /)
})
