import type { IncomingMessage, RequestListener } from 'node:http'
import { constants } from 'node:http2'
import type { Socket } from 'node:net'
import t from 'tap'
import type { Credential } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { ask, openPlainSession, openSession } from './fixtures/http2-client.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { startUpstream, type Upstream } from './fixtures/upstream.js'
import { frame, switchProtocols } from './fixtures/websocket.js'

const TOKEN = 'real-token-0123456789abcdef'
const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })

interface SetUp {
  readonly gateway: TestGateway
  readonly upstream: Upstream
}

interface Teardown {
  teardown(close: () => Promise<void> | void): void
}

async function setUp(test: Teardown, used: Credential = credential): Promise<SetUp> {
  const authority = await CertificateAuthority.create(Date.now())
  const answer: RequestListener = (request, response) => {
    const received: Buffer[] = []
    request.on('data', (chunk: Buffer) => received.push(chunk))
    request.on('end', () => {
      response.setHeader('x-received', String(Buffer.concat(received).length))
      response.end(`hello ${request.headers.authorization ?? ''}`)
    })
  }
  const upstream = await startUpstream(authority, answer)
  const plain = await startUpstream(null, answer)
  const at = { address: '127.0.0.1', port: upstream.port }
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('https://api.example', ['allow GET,POST /rest/**'], {
          id: 'services.api',
          service: 'api',
          ca: authority.pem,
        }),
        destination('https://other.example', ['allow GET /**'], { id: 'allow[0]', ca: authority.pem }),
        destination('http://plain.example', ['allow GET /**'], { id: 'allow[2]' }),
      ],
      services: [service('api', 'https://api.example', used)],
      hosts: { 'api.example': at, 'other.example': at, 'plain.example': { ...at, port: plain.port } },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
    await plain.close()
  })
  return { gateway, upstream }
}

void t.test('requests of HTTP/2 take the same steps, with the credential', async (test) => {
  const { gateway, upstream } = await setUp(test)
  for (const way of ['transparent', 'connect'] as const) {
    const session = await openSession(test, gateway, 'api.example', way)
    const answer = await ask(session, { ':path': '/rest/me', authorization: 'Bearer placeholder' })
    test.equal(answer.status, 200, way)
    test.equal(answer.body, `hello Bearer ${'*'.repeat(TOKEN.length)}`, 'the credential comes back redacted')
    test.equal(upstream.requests.at(-1)?.headers.authorization, `Bearer ${TOKEN}`)
    const sent = Buffer.alloc(300_000, 'x')
    const posted = await ask(session, { ':path': '/rest/up', ':method': 'POST' }, sent)
    test.equal(posted.headers['x-received'], '300000')
    const denied = await ask(session, { ':path': '/admin' })
    test.equal(denied.status, 403)
    test.match(denied.body, '"reason":"no-rule"')
    await eventually(() => gateway.closes.length >= 2)
    test.match(gateway.closes, [{ outcome: 'success' }, { outcome: 'success', requestBytes: 300_000 }])
    gateway.closes.length = 0
  }
  test.same(gateway.failures, [])
})

void t.test('a denial in the middle of an upload is an answer, and the connection goes on', async (test) => {
  const { gateway } = await setUp(test)
  const session = await openSession(test, gateway, 'api.example', 'transparent')
  const denied = await ask(session, { ':path': '/admin', ':method': 'POST' }, Buffer.alloc(1_000_000))
  test.match(denied, { status: 403, rstCode: constants.NGHTTP2_NO_ERROR })
  test.match(await ask(session, { ':path': '/rest/after' }), { status: 200 })
})

void t.test('a connection is for the name that it was opened for', async (test) => {
  const { gateway, upstream } = await setUp(test)
  const session = await openSession(test, gateway, 'other.example', 'transparent')
  for (const headers of [
    { ':authority': 'api.example' },
    { ':authority': 'other.example', host: 'api.example' },
    { ':authority': 'other.example:8443' },
    { ':scheme': 'http' },
  ]) {
    const answer = await ask(session, { ':path': '/rest/me', ...headers })
    test.ok([421, 400].includes(answer.status), JSON.stringify([headers, answer]))
  }
  test.same(upstream.requests, [])
  test.match(await ask(session, { ':path': '/rest/me' }), { status: 200 }, 'the control passes')
})

void t.test('prior knowledge: HTTP/2 without TLS where plain HTTP is allowed', async (test) => {
  const { gateway } = await setUp(test)
  const session = await openPlainSession(test, gateway, 'plain.example')
  test.match(await ask(session, { ':path': '/x' }), { status: 200, body: 'hello ' })
  test.match(await ask(session, { ':path': '/x', ':method': 'POST' }), { status: 403 })
  test.match(gateway.decisions, [
    { listener: 'transparent', scheme: 'http', verdict: 'allow' },
    { verdict: 'deny' },
  ])
  const inside = await openPlainSession(test, gateway, 'plain.example', 'connect')
  test.match(await ask(inside, { ':path': '/y' }), { status: 200, body: 'hello ' })
})

void t.test(
  'a WebSocket in a stream (RFC 8441), with the credential, searched in both directions',
  async (test) => {
    const authority = await CertificateAuthority.create(Date.now())
    const upstream = await startUpstream(
      authority,
      (_request, response) => response.end(),
      (server) =>
        server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
          socket.write(switchProtocols(request))
          socket.write(frame(`you are ${request.headers.authorization ?? 'nobody'}`), 'latin1')
          socket.on('data', (chunk: Buffer) =>
            socket.write(frame(`got ${chunk.toString('latin1').slice(6)}`), 'latin1'),
          )
          socket.on('error', () => undefined)
        }),
    )
    const gateway = await startGateway(
      testPolicy({
        destinations: [
          destination('https://api.example', ['allow GET /ws'], {
            id: 'services.api',
            service: 'api',
            ca: authority.pem,
          }),
        ],
        services: [service('api', 'https://api.example', credential)],
        hosts: { 'api.example': { address: '127.0.0.1', port: upstream.port } },
      }),
    )
    test.teardown(async () => {
      await gateway.close()
      await upstream.close()
    })
    const session = await openSession(test, gateway, 'api.example')
    await new Promise((resolve) => session.once('remoteSettings', resolve))
    const open = (path: string, headers = {}) =>
      session.request({
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        ':path': path,
        ':scheme': 'https',
        'sec-websocket-version': '13',
        ...headers,
      })
    const stream = open('/ws')
    let received = ''
    let status = 0
    stream.on('response', (headers) => (status = Number(headers[':status'])))
    stream.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
    test.ok(await eventually(() => received.includes('you are')))
    test.equal(status, 200)
    test.ok(received.includes(`you are Bearer ${'*'.repeat(TOKEN.length)}`), received)
    stream.write(frame('hello', { masked: true }), 'latin1')
    test.ok(await eventually(() => received.includes('got hello')))
    test.match(gateway.decisions, [{ kind: 'upgrade', method: 'GET', path: '/ws', credential: 'api/bearer' }])
    stream.close(constants.NGHTTP2_CANCEL)
    test.ok(await eventually(() => gateway.closes.length === 1))
    for (const [path, headers] of [
      ['/other', {}],
      ['/ws', { 'sec-websocket-version': '8' }],
      ['/ws', { ':protocol': 'connect-udp' }],
    ] as const) {
      const denied = open(path, headers)
      const answer = await new Promise<number>((resolve) =>
        denied.once('response', (got) => resolve(Number(got[':status']))),
      )
      test.ok([400, 403].includes(answer), `${path} ${JSON.stringify(headers)}`)
    }
    test.same(gateway.failures, [])
  },
)

void t.test(
  'a stream that is reset while its credential comes ends with its record, and nothing else',
  async (t) => {
    for (const isReset of [true, false]) {
      let release: () => void = () => undefined
      const held = new Promise<void>((resolve) => (release = resolve))
      const { gateway, upstream } = await setUp(t, {
        ...credential,
        inject: (...given) => held.then(() => credential.inject(...given)),
      })
      const session = await openSession(t, gateway, 'api.example')
      const head = { ':method': 'POST', ':path': '/rest/x', expect: '100-continue', 'content-length': '2' }
      const stream = session.request(head).on('error', () => undefined)
      let answered = 0
      stream.on('continue', () => stream.end('ok'))
      stream.on('response', (headers) => (answered = Number(headers[':status'])))
      stream.resume()
      t.ok(await eventually(() => gateway.decisions.length === 1))
      if (isReset) stream.close(constants.NGHTTP2_CANCEL)
      // The gateway has seen all that was sent before.
      await new Promise((resolve) => session.ping(resolve))
      release()
      t.ok(await eventually(() => gateway.closes.length === 1))
      t.same(gateway.failures, [])
      t.equal(gateway.closes[0]?.reason, isReset ? 'client-abort' : null)
      if (!isReset) await eventually(() => answered !== 0)
      t.equal(answered, isReset ? 0 : 200)
      t.equal(upstream.requests.length, isReset ? 0 : 1)
    }
  },
)
