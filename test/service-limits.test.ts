import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import type { Service } from '#firewall/contracts/service.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { exchangeBytes, HTTPS_LISTENERS } from './fixtures/client.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { startUpstream, type Upstream } from './fixtures/upstream.js'
import { switchProtocols } from './fixtures/websocket.js'

const HANDED_OUT = [
  'Set-Cookie: JSESSIONID=a-session',
  'Authentication-Info: nextnonce=a-nonce',
  'X-Subject-Token: a-token',
  'x-auth-token: a-token',
]

interface Teardown {
  teardown(close: () => Promise<void>): void
}

async function setUp(
  test: Teardown,
  extra: Partial<Service> = {},
  injects = true,
): Promise<{ gateway: TestGateway; upstream: Upstream }> {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(
    authority,
    (request, response) => {
      for (const line of HANDED_OUT)
        response.appendHeader(line.split(': ')[0] ?? '', line.split(': ')[1] ?? '')
      response.setHeader('X-Own', 'kept')
      request.resume()
      request.on('end', () => response.end('0123456789'))
    },
    (server) => {
      server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
        socket.end(switchProtocols(request, `${HANDED_OUT.join('\r\n')}\r\nX-Own: kept\r\n`))
      })
    },
  )
  const credential = bearer.bind('api/bearer', {
    token: new Secret('API_TOKEN', 'real-token-0123456789abcdef'),
  })
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('https://api.example', ['allow * /**'], {
          id: 'services.api',
          service: 'api',
          ca: authority.pem,
        }),
      ],
      services: [service('api', 'https://api.example', injects ? credential : null, extra)],
      hosts: { 'api.example': { address: '127.0.0.1', port: upstream.port } },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, upstream }
}

async function ask(gateway: TestGateway, head = '', body = ''): Promise<string> {
  const [listener] = HTTPS_LISTENERS
  if (listener === undefined) throw new Error('there is a listener')
  const socket = await listener.open(gateway, 'api.example')
  const method = body === '' ? 'GET' : 'POST'
  const length = body === '' ? '' : `Content-Length: ${String(body.length)}\r\n`
  const connection = head.includes('Connection:') ? '' : 'Connection: close\r\n'
  return exchangeBytes(
    socket,
    `${method} / HTTP/1.1\r\nHost: api.example\r\n${head}${length}${connection}\r\n${body}`,
  )
}

const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

for (const [name, head] of [
  ['a response', ''],
  ['an upgrade', UPGRADE],
] as const) {
  void t.test(`sessions that are handed out for the credential stay here: ${name}`, async (test) => {
    const status = head === '' ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 101 /
    const handedOut = /set-cookie|authentication-info|x-subject-token|x-auth-token/i
    const dropping = await setUp(test)
    const kept = await ask(dropping.gateway, head)
    test.match(kept, status)
    test.match(kept, /x-own: kept/i)
    test.notMatch(kept, handedOut)
    const passing = await setUp(test, { sessionHeaders: 'pass' })
    test.match(await ask(passing.gateway, head), handedOut, '`session_headers: pass`')
    const open = await setUp(test, {}, false)
    test.match(await ask(open.gateway, head), handedOut, 'where there is no credential')
  })
}

void t.test('a quota of requests', async (test) => {
  const { gateway, upstream } = await setUp(test, { quota: { requests: 2, bytes: null, windowMs: 60_000 } })
  test.match(await ask(gateway), /^HTTP\/1\.1 200 /)
  test.match(await ask(gateway), /^HTTP\/1\.1 200 /)
  const refused = await ask(gateway)
  test.match(refused, /^HTTP\/1\.1 429 /)
  test.match(refused, /retry-after: ([1-9]|[1-5]\d|60)\r\n/i)
  test.match(refused, /"reason":"quota-exceeded"/)
  test.equal(upstream.requests.length, 2)
  test.match(gateway.decisions.at(-1), { verdict: 'deny', reason: 'quota-exceeded', rule: 'services.api' })
})

void t.test('a quota of bytes: what crosses it passes whole, and the next is refused', async (test) => {
  // The head of a request counts like its body.
  const head = 'POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 5\r\nConnection: close\r\n\r\n'.length
  const quota = { requests: null, bytes: 2 * head + 25, windowMs: 60_000 }
  const { gateway, upstream } = await setUp(test, { quota })
  test.match(await ask(gateway, '', 'x'.repeat(head + 26)), /^HTTP\/1\.1 429 /, 'announced to be too much')
  test.match(await ask(gateway, '', 'x'.repeat(5)), /^HTTP\/1\.1 200 /, '15 bytes and a head')
  test.match(await ask(gateway, '', 'x'.repeat(11)), /^HTTP\/1\.1 429 /, 'more than is left')
  test.match(await ask(gateway, '', 'x'.repeat(9)), /0123456789$/, '34 bytes, and the answer is whole')
  test.match(await ask(gateway), /^HTTP\/1\.1 429 /)
  test.equal(upstream.requests.length, 2)
})

void t.test('a quota of bytes: URLs and headers count', async (test) => {
  const quota = { requests: null, bytes: 3_000, windowMs: 60_000 }
  const { gateway, upstream } = await setUp(test, { quota })
  test.match(await ask(gateway, `X-Data: ${'x'.repeat(4_000)}\r\n`), /^HTTP\/1\.1 429 /)
  test.match(await ask(gateway, `X-Data: ${'x'.repeat(2_000)}\r\n`), /^HTTP\/1\.1 200 /)
  test.match(await ask(gateway, `X-Data: ${'x'.repeat(2_000)}\r\n`), /^HTTP\/1\.1 429 /)
  test.equal(upstream.requests.length, 1)
})
