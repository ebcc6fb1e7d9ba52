import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { connect as connectTls } from 'node:tls'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { NO_HOLDS } from '#firewall/contracts/holds.js'
import { Secret } from '#firewall/secrets/secret.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { Audit } from '#src/audit/audit.js'
import { Gateway } from '#src/gateway/gateway.js'
import { SANDBOX } from './fixtures/gateway.js'
import { query } from './fixtures/dns-query.js'
import { eventually } from './fixtures/eventually.js'
import { serveOnLoopback } from './fixtures/loopback-gateway.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { listen } from './fixtures/upstream.js'
import { switchProtocols } from './fixtures/websocket.js'

// What is open when the policy changes: it goes on, is searched for the new secrets, or ends and says why.

t.setTimeout(60_000)

const OLD = 'old-secret-0123456789'
const NEW = 'new-secret-abcdefghij'
const credential = (name: string, value: string) =>
  bearer.bind(`${name}/bearer`, { token: new Secret(name.toUpperCase(), value) })

/**
 * `api.example` with a credential, and a TLS tunnel to `tunnel.example`; `other` has a secret of its own. `plain.example` has
 * none, and `read` is the host of the tunnel without a tunnel.
 */
function policyOf(
  port: number,
  hosts: readonly ('api' | 'tunnel' | 'other' | 'plain' | 'read')[],
  idleTimeoutMs = 60_000,
  tunnelPort = port,
): Policy {
  const url = (name: string) => `http://${name}.example`
  const services = hosts.filter((name) => name === 'api' || name === 'other')
  return testPolicy({
    destinations: [
      ...services.map((name) =>
        destination(url(name), ['allow * /**'], { id: `services.${name}`, service: name }),
      ),
      ...(hosts.includes('tunnel')
        ? [destination('https://tunnel.example', [], { id: 'allow[0]', mode: 'tunnel' })]
        : []),
      ...(hosts.includes('read')
        ? [destination('https://tunnel.example', ['allow GET /public'], { id: 'allow[0]' })]
        : []),
      ...(hosts.includes('plain') ? [destination(url('plain'), ['allow * /**'], { id: 'allow[1]' })] : []),
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
  /** What happens right after a decision was recorded. */
  const decided = { onRecord: (): void => undefined }
  const audit = new Audit({
    directory,
    gateway: 'g',
    now: Date.now,
    onChange: (text) => failures.push(text),
    sinks: [{ take: (_time, { type }) => type === 'decision' && decided.onRecord(), end: () => undefined }],
  })
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
  return { gateway, ports, closes, check, decided, failures }
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

const get = (path: string, host = 'api') => `GET ${path} HTTP/1.1\r\nHost: ${host}.example\r\n\r\n`

/** Without the sizes of chunks. */
const unchunked = (received: string) => received.replace(/\r\n[0-9a-f]+\r\n/g, '')

async function startApi(t: Test) {
  const open = new Map<string, ServerResponse>()
  const sockets: Socket[] = []
  const server = createServer((request: IncomingMessage, response) => {
    open.set(request.url ?? '', response)
    if (request.url === '/stream') response.writeHead(200).write('begin ')
    if (request.url === '/packed') {
      response.writeHead(200, { 'content-encoding': 'gzip' }).write(gzipSync('begin '))
    }
  })
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.write(switchProtocols(request))
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
  t.ok(await eventually(() => line.received.includes(`${NEW} `)), 'it is no secret yet')

  // Timeouts of its own, so that the connections to the upstream are another pool's.
  gateway.replace({ policy: policyOf(api.port, ['api', 'other'], 50_000) })
  upstream?.end(`${NEW.slice(9)}, ${NEW}, ${OLD}.`)
  t.ok(await eventually(() => line.received.endsWith('0\r\n\r\n')), line.received)
  const stars = (text: string) => '*'.repeat(text.length)
  const rest = `${stars(NEW)}, ${stars(NEW)}, ${stars(OLD)}.`
  t.ok(unchunked(line.received).includes(rest), 'one that had begun, a whole one, and the old one')
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

void t.test('a secret that the new policy has dropped is taken out of later responses, too', async (t) => {
  const api = await startApi(t)
  const { gateway, ports } = await setUp(t, api.port, ['api', 'other'])
  for (const [index, timeoutMs] of [50_000, 60_000, 50_000].entries()) {
    gateway.replace({ policy: policyOf(api.port, ['api'], timeoutMs) })
    const path = `/later-${String(index)}`
    const line = await dial(ports.http, get(path))
    t.ok(await eventually(() => api.open.has(path)))
    api.open.get(path)?.end(`it was ${NEW}, it is ${OLD}`)
    t.ok(await eventually(() => line.received.includes('it is ')), line.received)
    t.notMatch(line.received, NEW, 'its service may accept it for long')
    t.notMatch(line.received, OLD)
    line.socket.destroy()
  }
})

void t.test(
  'what cannot be searched ends when the first secret of all appears; what can goes on',
  async (t) => {
    const api = await startApi(t)
    const { gateway, ports, closes } = await setUp(t, api.port, ['plain'])
    const packed = await dial(ports.http, get('/packed', 'plain'))
    const socket = await dial(ports.http, UPGRADE.replace('api', 'plain'))
    const streaming = await dial(ports.http, get('/stream', 'plain'))
    t.ok(await eventually(() => packed.received.includes('gzip') && socket.received.includes('101')))
    t.ok(await eventually(() => streaming.received.includes('begin ')))

    gateway.replace({ policy: policyOf(api.port, ['plain'], 50_000) })
    api.open.get('/stream')?.write('still here')
    t.ok(await eventually(() => streaming.received.includes('still here')))
    t.notOk(packed.closed || socket.closed, 'there still is no secret')

    gateway.replace({ policy: policyOf(api.port, ['plain', 'other']) })
    api.open.get('/packed')?.write(gzipSync(NEW))
    api.sockets[0]?.write(Buffer.concat([Buffer.from([0x81, NEW.length]), Buffer.from(NEW)]))
    api.open.get('/stream')?.end(`, ${NEW}.`)
    t.ok(await eventually(() => packed.closed && socket.closed))
    t.notMatch(socket.received, NEW)
    t.notOk(packed.received.includes(gzipSync(NEW).toString('latin1')))
    t.ok(
      await eventually(() => unchunked(streaming.received).includes(`, ${'*'.repeat(NEW.length)}.`)),
      streaming.received,
    )
    t.ok(await eventually(() => closes().length === 3))
    t.strictSame(
      closes()
        .map(({ event }) => String(event.reason))
        .sort(),
      ['null', 'policy-changed', 'policy-changed'],
    )
    streaming.socket.destroy()
  },
)

void t.test('a tunnel ends where the new policy reads the requests of its host', async (t) => {
  let received = ''
  const upstreams: Socket[] = []
  const tls = createTcpServer((socket) => {
    upstreams.push(socket)
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
  })
  const port = await listen(tls)
  t.teardown(() => {
    tls.close()
    for (const socket of upstreams) socket.destroy()
  })
  const { gateway, ports, closes } = await setUp(t, port, ['tunnel'])
  const client = connectTls({ port: ports.https, servername: 'tunnel.example' })
  let ended = false
  client.on('error', () => undefined).on('close', () => (ended = true))
  t.ok(await eventually(() => received.includes('tunnel.example')), 'its hello')
  gateway.replace({ policy: policyOf(port, ['tunnel', 'other']) })
  upstreams[0]?.write('x')
  t.strictSame(closes(), [], 'it is a tunnel still')

  gateway.replace({ policy: policyOf(port, ['read']) })
  t.ok(await eventually(() => ended))
  t.ok(await eventually(() => closes().length === 1))
  t.equal(closes()[0]?.event.reason, 'policy-changed')
})

void t.test('what was decided but not yet sent is not sent when its host is forbidden', async (t) => {
  const api = await startApi(t)
  const { gateway, ports, closes, check, decided } = await setUp(t, api.port, ['api'])
  const line = await dial(ports.http, get('/first'))
  t.ok(await eventually(() => api.open.has('/first')))
  api.open.get('/first')?.end('first')
  t.ok(await eventually(() => line.received.includes('first')), 'the connection to the upstream is there')

  decided.onRecord = () => gateway.replace({ policy: policyOf(api.port, ['api', 'other']) })
  line.socket.write(get('/second'))
  t.ok(await eventually(() => api.open.has('/second')), 'a policy that lists its host changes nothing')
  api.open.get('/second')?.end('second')
  t.ok(await eventually(() => line.received.includes('second')))

  decided.onRecord = () => gateway.replace({ policy: policyOf(api.port, ['other']) })
  line.socket.write(get('/third'))
  t.ok(await eventually(() => line.received.includes('"reason":"policy-changed"')), line.received)
  t.ok(await eventually(() => closes().length === 3))
  t.equal(closes()[2]?.event.reason, 'policy-changed')
  t.notOk(api.open.has('/third'), 'its service never had it')
  line.socket.destroy()
  check()
})

/** A gateway with one of everything open: a stream, a request that waits, a WebSocket, a tunnel, a connection without a request. */
async function openEverything(t: Test) {
  const api = await startApi(t)
  const tls = createTcpServer((socket) => {
    api.sockets.push(socket)
    socket.on('error', () => undefined)
  })
  const tunnelPort = await listen(tls)
  t.teardown(() => tls.close())
  const setting = await setUp(t, api.port, ['api', 'tunnel'], tunnelPort)
  const { ports } = setting
  const streaming = await dial(ports.http, get('/stream'))
  const waiting = await dial(ports.http, get('/wait'))
  const socket = await dial(ports.http, UPGRADE)
  const tunnelled = connectTls({ port: ports.https, servername: 'tunnel.example' })
  tunnelled.on('error', () => undefined)
  t.ok(await eventually(() => api.sockets.length === 2), 'a WebSocket and a tunnel')
  const idle = await dial(ports.http, '')
  t.ok(await eventually(() => streaming.received.includes('begin ')))
  t.ok(await eventually(() => api.open.has('/wait')))
  t.ok(await eventually(() => socket.received.includes('101')))
  return { ...setting, api, tunnelPort, streaming, waiting, socket, tunnelled, idle }
}

void t.test('what the new policy forbids ends, and the log says why; the rest goes on', async (t) => {
  const opened = await openEverything(t)
  const { api, tunnelPort, gateway, closes, check, streaming, waiting, socket, tunnelled, idle } = opened

  gateway.replace({ policy: policyOf(api.port, ['api', 'tunnel'], 60_000, tunnelPort) })
  api.open.get('/stream')?.write('still here ')
  t.ok(
    await eventually(() => streaming.received.includes('still here ')),
    'under the decision that let it in',
  )
  t.strictSame(closes(), [])
  t.notOk(tunnelled.closed)

  gateway.replace({ policy: policyOf(api.port, ['other']) })
  t.ok(await eventually(() => streaming.closed && socket.closed && tunnelled.closed))
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

for (const [what, holds, reason] of [
  ['an agent is paused', { ...NO_HOLDS, agents: new Set([SANDBOX.agent]) }, 'agent-paused'],
  ['a sandbox is stopped', { ...NO_HOLDS, sandboxes: new Set([SANDBOX.id]) }, 'sandbox-stopped'],
  ['all are stopped', { ...NO_HOLDS, all: true }, 'sandbox-stopped'],
] as const) {
  void t.test(`${what}: what is open ends, nothing new passes, and after it all works again`, async (t) => {
    const opened = await openEverything(t)
    const { api, gateway, ports, closes, decided, failures } = opened
    const { streaming, waiting, socket, tunnelled, idle } = opened
    t.equal(await query(ports.dns, 'api.example', '127.0.0.1'), 0)

    gateway.hold({ ...NO_HOLDS, agents: new Set(['another']), sandboxes: new Set(['sb-another']) })
    api.open.get('/stream')?.write('still here ')
    t.ok(await eventually(() => streaming.received.includes('still here ')), 'others are no concern of it')

    gateway.hold(holds)
    t.ok(await eventually(() => streaming.closed && socket.closed && tunnelled.closed))
    t.ok(await eventually(() => waiting.received.includes(`"reason":"${reason}"`)), waiting.received)
    t.ok(await eventually(() => closes().length === 4))
    t.strictSame([...new Set(closes().map(({ event }) => event.reason))], [reason])
    idle.socket.write(get('/again'))
    t.ok(await eventually(() => idle.received.includes(reason)), 'on a connection that was open before')
    const connected = await dial(
      ports.forward,
      'CONNECT tunnel.example:443 HTTP/1.1\r\nHost: tunnel.example:443\r\n\r\n',
    )
    t.ok(await eventually(() => connected.received.includes(reason)), connected.received)
    const late = connectTls({ port: ports.https, servername: 'tunnel.example' })
    late.on('error', () => undefined)
    t.ok(await eventually(() => late.closed))
    t.equal(api.sockets.length, 2, 'no other tunnel')
    t.equal(await query(ports.dns, 'api.example', '127.0.0.1'), 5, 'REFUSED')
    t.notOk(api.open.has('/again'))

    gateway.replace({ policy: policyOf(api.port, ['api', 'other']) })
    idle.socket.write(get('/reloaded'))
    t.ok(await eventually(() => idle.received.split(reason).length > 2), 'also under another policy')

    gateway.hold(NO_HOLDS)
    const again = await dial(ports.http, get('/after'))
    t.ok(await eventually(() => api.open.has('/after')))
    api.open.get('/after')?.end('welcome back')
    t.ok(await eventually(() => again.received.includes('welcome back')))
    t.equal(await query(ports.dns, 'api.example', '127.0.0.1'), 0)

    decided.onRecord = () => gateway.hold(holds)
    again.socket.write(get('/decided'))
    t.ok(await eventually(() => again.received.includes(reason)), again.received)
    t.notOk(api.open.has('/decided'), 'what was decided but not sent is not sent')
    for (const line of [waiting, idle, connected, again]) line.socket.destroy()
    t.strictSame(failures, [])
  })
}
