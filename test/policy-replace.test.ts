import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { connect as connectTls } from 'node:tls'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { Audit } from '#src/audit/audit.js'
import { Gateway } from '#src/gateway/gateway.js'
import { SANDBOX } from './fixtures/gateway.js'
import { eventually } from './fixtures/eventually.js'
import { serveOnLoopback } from './fixtures/loopback-gateway.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { listen } from './fixtures/upstream.js'

// What is open when the policy changes: it goes on, is searched for the new secrets, or ends and says why.

t.setTimeout(60_000)

const OLD = 'old-secret-0123456789'
const NEW = 'new-secret-abcdefghij'
const credential = (name: string, value: string) =>
  bearer.bind(`${name}/bearer`, { token: new Secret(name.toUpperCase(), value) })

/** `api.example` with a credential, and a TLS tunnel to `tunnel.example`; `other` has a secret of its own. */
function policyOf(
  port: number,
  hosts: readonly ('api' | 'tunnel' | 'other')[],
  idleTimeoutMs = 60_000,
  tunnelPort = port,
): Policy {
  const url = (name: string) => `http://${name}.example`
  const services = hosts.filter((name) => name !== 'tunnel')
  return testPolicy({
    destinations: [
      ...services.map((name) =>
        destination(url(name), ['allow * /**'], { id: `services.${name}`, service: name }),
      ),
      ...(hosts.includes('tunnel')
        ? [destination('https://tunnel.example', [], { id: 'allow[0]', mode: 'tunnel' })]
        : []),
    ],
    services: services.map((name) =>
      service(name, url(name), credential(name, name === 'other' ? NEW : OLD)),
    ),
    hosts: Object.fromEntries(
      hosts.map(
        (name) =>
          [`${name}.example`, { address: '127.0.0.1', port: name === 'tunnel' ? tunnelPort : port }] as const,
      ),
    ),
    http: { idleTimeoutMs, responseTimeoutMs: 60_000 },
  })
}

interface Close {
  readonly event: { readonly action: string; readonly reason: string | null }
  readonly egress: { readonly redacted?: readonly { readonly credential: string }[] }
}

async function setUp(t: Test, port: number, hosts: Parameters<typeof policyOf>[1], tunnelPort = port) {
  const directory = mkdtempSync(join(tmpdir(), 'egress-replace-'))
  const failures: unknown[] = []
  const audit = new Audit({ directory, gateway: 'g', now: Date.now, onChange: (text) => failures.push(text) })
  const seen = new Set<string | undefined>()
  const gateway = await Gateway.create({
    policy: policyOf(port, hosts, 60_000, tunnelPort),
    audit,
    identify({ localAddress }) {
      seen.add(localAddress)
      return SANDBOX
    },
    address: { ipv4: '127.0.0.1', ipv6: null },
    fail: (error) => failures.push(error),
  })
  const ports = await serveOnLoopback(gateway)
  t.teardown(async () => {
    await gateway.close()
    audit.end()
    rmSync(directory, { recursive: true })
  })
  const closes = () =>
    readFileSync(join(directory, 'http.ndjson'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('"http-close"'))
      .map((line) => JSON.parse(line) as Close)
  const check = () => {
    t.strictSame(failures, [])
    t.strictSame([...seen], ['127.0.0.1'], 'who asks is known by the address that was asked, too')
  }
  return { gateway, ports, closes, check }
}

/** A connection, and all that came on it. */
async function dial(port: number, text: string) {
  const socket = connect(port, '127.0.0.1')
  const line = { socket, received: '', closed: false }
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => (line.received += chunk))
  socket.on('error', () => undefined)
  socket.on('close', () => (line.closed = true))
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(text)
  return line
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: api.example\r\n\r\n`

async function startApi(t: Test) {
  const open = new Map<string, ServerResponse>()
  const sockets: Socket[] = []
  const server = createServer((request: IncomingMessage, response) => {
    open.set(request.url ?? '', response)
    if (request.url === '/stream') response.writeHead(200).write('begin ')
  })
  server.on('upgrade', (_request, socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
  })
  const port = await listen(server)
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
    for (const socket of sockets) socket.destroy()
  })
  return { port, open, sockets }
}

void t.test('a secret of the new policy is taken out of a response that was open before', async (t) => {
  const api = await startApi(t)
  const { gateway, ports, closes, check } = await setUp(t, api.port, ['api'])
  const line = await dial(ports.http, get('/stream'))
  t.ok(await eventually(() => line.received.includes('begin ')))
  const upstream = api.open.get('/stream')
  upstream?.write(`${NEW} ${NEW.slice(0, 9)}`)
  t.ok(await eventually(() => line.received.includes(`${NEW} ${NEW.slice(0, 9)}`)), 'it is no secret yet')

  // Timeouts of its own, so that the connections to the upstream are another pool's.
  gateway.replace({ policy: policyOf(api.port, ['api', 'other'], 50_000) })
  upstream?.end(`${NEW.slice(9)}, ${NEW}, ${OLD}.`)
  t.ok(await eventually(() => line.received.endsWith('0\r\n\r\n')), line.received)
  const stars = (text: string) => '*'.repeat(text.length)
  const rest = `${stars(NEW.slice(9))}, ${stars(NEW)}, ${stars(OLD)}.`
  t.match(line.received, rest, 'the rest of one that had begun, a whole one, and the old one')
  t.ok(await eventually(() => closes().length === 1))
  t.strictSame(closes()[0]?.egress.redacted, [
    { credential: 'other/bearer', count: 2 },
    { credential: 'api/bearer', count: 1 },
  ])
  line.socket.destroy()
  check()
})

void t.test('a secret of the new policy is taken out of the messages of an open WebSocket', async (t) => {
  const api = await startApi(t)
  const { gateway, ports } = await setUp(t, api.port, ['api'])
  const line = await dial(ports.http, UPGRADE)
  t.ok(await eventually(() => line.received.includes('101')))
  gateway.replace({ policy: policyOf(api.port, ['api', 'other']) })
  api.sockets[0]?.write(Buffer.concat([Buffer.from([0x81, NEW.length]), Buffer.from(NEW)]))
  t.ok(await eventually(() => line.received.includes('*'.repeat(NEW.length))), line.received)
  t.notMatch(line.received, NEW)
  line.socket.destroy()
})

const UPGRADE =
  'GET /socket HTTP/1.1\r\nHost: api.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

void t.test('what the new policy forbids ends, and the log says why; the rest goes on', async (t) => {
  const api = await startApi(t)
  const tls = createTcpServer((socket) => {
    api.sockets.push(socket)
    socket.on('error', () => undefined)
  })
  const tunnelPort = await listen(tls)
  t.teardown(() => tls.close())
  const { gateway, ports, closes, check } = await setUp(t, api.port, ['api', 'tunnel'], tunnelPort)
  const streaming = await dial(ports.http, get('/stream'))
  const waiting = await dial(ports.http, get('/wait'))
  const socket = await dial(ports.http, UPGRADE)
  const tunnelled = connectTls({ port: ports.https, servername: 'tunnel.example' })
  let ended = false
  tunnelled.on('error', () => undefined).on('close', () => (ended = true))
  t.ok(await eventually(() => api.sockets.length === 2), 'a WebSocket and a tunnel')
  const idle = await dial(ports.http, '')
  t.ok(await eventually(() => streaming.received.includes('begin ')))
  t.ok(await eventually(() => api.open.has('/wait')))
  t.ok(await eventually(() => socket.received.includes('101')))

  gateway.replace({ policy: policyOf(api.port, ['api', 'tunnel'], 60_000, tunnelPort) })
  api.open.get('/stream')?.write('still here')
  t.ok(await eventually(() => streaming.received.includes('still here')), 'under the decision that let it in')
  t.strictSame(closes(), [])
  t.notOk(ended)

  gateway.replace({ policy: policyOf(api.port, ['other']) })
  t.ok(await eventually(() => streaming.closed && socket.closed && ended))
  t.ok(await eventually(() => waiting.received.includes('"reason":"policy-changed"')), waiting.received)
  t.match(waiting.received, /^HTTP\/1\.1 403 /)
  t.ok(await eventually(() => closes().length === 4))
  t.strictSame(
    closes().map(({ event }) => event.reason),
    ['policy-changed', 'policy-changed', 'policy-changed', 'policy-changed'],
  )
  idle.socket.write(get('/again'))
  t.ok(
    await eventually(() => idle.received.includes('host-not-listed')),
    'on a connection that was open before',
  )
  t.notOk(api.open.has('/again'))
  waiting.socket.destroy()
  idle.socket.destroy()
  check()
})
