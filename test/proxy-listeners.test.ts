import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import type { Peer } from '#firewall/contracts/peer.js'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import {
  connectThrough,
  exchangeBytes,
  HTTPS_LISTENERS,
  statuses,
  tls,
  type ListenerClient,
  turnsOfTheLoop,
} from './fixtures/client.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { startUpstream, type Upstream } from './fixtures/upstream.js'

const TOKEN = 'real-token-0123456789abcdef'
const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })

interface Teardown {
  teardown(close: () => Promise<void>): void
}

async function setUp(test: Teardown): Promise<{ gateway: TestGateway; upstream: Upstream }> {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(authority, (request, response) => {
    request.resume()
    request.on('end', () => response.end(`hello from ${request.url ?? ''}`))
  })
  const at = { address: '127.0.0.1', port: upstream.port }
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('https://api.example', ['allow GET,POST /rest/**', 'deny * /rest/secret/**'], {
          id: 'services.api',
          service: 'api',
          ca: authority.pem,
        }),
        destination('https://other.example', ['allow GET /**'], { id: 'allow[0]', ca: authority.pem }),
        destination('https://tunnel.example', [], { id: 'allow[1]', mode: 'tunnel' }),
        destination('http://plain.example', ['allow GET /**'], { id: 'allow[2]' }),
        destination('https://*.wild.example', ['allow GET /**'], { id: 'allow[3]', ca: authority.pem }),
      ],
      services: [service('api', 'https://api.example', credential)],
      hosts: {
        'api.example': at,
        'other.example': at,
        'tunnel.example': at,
        'a.wild.example': at,
      },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, upstream }
}

async function get(
  gateway: TestGateway,
  listener: ListenerClient,
  path: string,
  extra = '',
  method = 'GET',
): Promise<string> {
  const { target, host } = listener.head('api.example', path)
  const socket = await listener.open(gateway, 'api.example')
  return exchangeBytes(
    socket,
    `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${extra}Connection: close\r\n\r\n`,
  )
}

void t.test('every listener injects the credential, and removes what stood in its location', async (test) => {
  const { gateway, upstream } = await setUp(test)
  for (const listener of HTTPS_LISTENERS) {
    const received = await get(gateway, listener, '/rest/me?x=1', 'Authorization: Bearer placeholder\r\n')
    test.match(received, /^HTTP\/1\.1 200 [\s\S]*hello from \/rest\/me\?x=1/, listener.name)
    const request = upstream.requests.pop()
    test.equal(request?.headers.authorization, `Bearer ${TOKEN}`, listener.name)
    test.equal(request?.headers.host, 'api.example', listener.name)
    test.equal(request?.headers['accept-encoding'], 'identity', listener.name)
    const [decision, close] = [gateway.decisions.pop(), gateway.closes.pop()]
    test.match(decision, { verdict: 'allow', rule: 'services.api.rules[0]', credential: 'api/bearer' })
    test.match(close, { id: decision?.id, outcome: 'success', status: 200, responseBytes: 23 })
    test.notMatch(JSON.stringify([decision, close]), TOKEN)
  }
  test.same(gateway.failures, [])
})

void t.test('what no rule allows is a problem+json that reaches no upstream', async (test) => {
  const { gateway, upstream } = await setUp(test)
  for (const listener of HTTPS_LISTENERS) {
    for (const [path, status, reason, method] of [
      ['/admin', '403', 'no-rule', 'GET'],
      ['/rest/x', '403', 'no-rule', 'DELETE'],
      ['/rest/secret/x', '403', 'denied-by-rule', 'PUT'],
      ['/rest/../admin', '400', 'path-dot-segment', 'GET'],
      ['/rest/%2e%2e/admin', '400', 'path-dot-segment', 'GET'],
      ['/rest/..%2fadmin', '400', 'path-dot-segment', 'GET'],
      ['/rest/..;/admin', '400', 'path-dot-segment', 'GET'],
      ['/rest/%252e%252e/admin', '400', 'path-double-encoding', 'GET'],
      ['/rest/..%5cadmin', '400', 'path-backslash', 'GET'],
    ] as const) {
      const received = await get(gateway, listener, path, '', method)
      test.match(received, `HTTP/1.1 ${status} `, `${listener.name} ${path}`)
      test.match(received, 'content-type: application/problem+json')
      test.match(received, `"reason":"${reason}"`, `${listener.name} ${path}`)
      test.match(gateway.decisions.pop(), { verdict: 'deny', reason, status: Number(status) })
    }
  }
  test.same(upstream.requests, [])
  test.equal(
    statuses(await get(gateway, HTTPS_LISTENERS[0] as ListenerClient, '/rest/ok'))[0],
    '200',
    'the control passes',
  )
})

void t.test('one identity: SNI, CONNECT and Host must agree', async (test) => {
  const { gateway, upstream } = await setUp(test)
  const [transparent, , absolute, reverse] = HTTPS_LISTENERS as [
    ListenerClient,
    ListenerClient,
    ListenerClient,
    ListenerClient,
  ]
  const request = (host: string, target = '/rest/x') => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`

  const sniOther = await transparent.open(gateway, 'other.example')
  test.match(await exchangeBytes(sniOther, request('api.example')), '"reason":"host-mismatch"')

  const port = await transparent.open(gateway, 'api.example')
  test.match(await exchangeBytes(port, request('api.example:8443')), '"reason":"host-mismatch"')

  const { socket } = await connectThrough(gateway, 'other.example:443')
  await test.rejects(tls(gateway, socket, 'api.example'), 'CONNECT one, SNI another')
  test.match(gateway.decisions.at(-1), { kind: 'tls', verdict: 'deny', reason: 'host-mismatch' })

  const inside = await (HTTPS_LISTENERS[1] as ListenerClient).open(gateway, 'other.example')
  test.match(await exchangeBytes(inside, request('api.example')), '"reason":"host-mismatch"')

  const absolutely = await absolute.open(gateway, 'api.example')
  const forged = await exchangeBytes(absolutely, request('other.example', 'https://api.example/rest/x'))
  test.match(forged, '"reason":"host-mismatch"')

  for (const [host, status] of [
    ['attacker.example', '421'],
    ['api.example:80', '421'],
    ['api.example', '200'],
    ['api.example:443', '200'],
    ['egress:3128', '200'],
  ] as const) {
    test.equal(
      (await connectThrough(gateway, 'api.example:443', host)).status,
      status,
      `CONNECT with Host ${host}`,
    )
  }

  const target = 'X-Sandbox-Target: https://api.example.attacker.example\r\n'
  test.match(await get(gateway, reverse, '/rest/x', target), '"reason":"bad-target"')

  test.same(upstream.requests, [])
  test.equal(
    statuses(await get(gateway, reverse, '/rest/x', 'X-Sandbox-Target: https://api.example\r\n'))[0],
    '200',
  )
})

void t.test('hosts and ports that are not listed are denied at every listener', async (test) => {
  const { gateway, upstream } = await setUp(test)
  const [transparent, , absolute] = HTTPS_LISTENERS as [ListenerClient, ListenerClient, ListenerClient]
  await test.rejects(transparent.open(gateway, 'attacker.example'), 'TLS ends with an alert')
  test.match(gateway.decisions.at(-1), { kind: 'tls', host: 'attacker.example', reason: 'host-not-listed' })
  for (const [authority, status, reason] of [
    ['attacker.example:443', '403', 'host-not-listed'],
    ['api.example:22', '403', 'port-not-listed'],
    ['127.0.0.1:443', '400', 'bad-authority'],
    ['[::1]:443', '400', 'bad-authority'],
    ['api.example', '400', 'bad-authority'],
    ['user@api.example:443', '400', 'bad-authority'],
  ] as const) {
    const answer = await connectThrough(gateway, authority)
    test.equal(answer.status, status, authority)
    test.match(gateway.decisions.at(-1), { verdict: 'deny', reason }, authority)
    answer.socket.destroy()
  }
  const socket = await absolute.open(gateway, '')
  const denied = 'GET http://attacker.example/ HTTP/1.1\r\nHost: attacker.example\r\n\r\n'
  test.match(await exchangeBytes(socket, denied), '"reason":"host-not-listed"')
  test.same(upstream.requests, [])
})

void t.test('a wildcard name is shaped and budgeted in the proxy too', async (test) => {
  const { gateway } = await setUp(test)
  const [transparent] = HTTPS_LISTENERS as [ListenerClient]
  const socket = await transparent.open(gateway, 'a.wild.example')
  test.equal(
    statuses(await exchangeBytes(socket, 'GET / HTTP/1.1\r\nHost: a.wild.example\r\n\r\n'))[0],
    '200',
  )
  await test.rejects(transparent.open(gateway, `${'k7q2x9w4m1z8'.repeat(4)}.wild.example`))
  test.match(gateway.decisions.at(-1), { reason: 'name-looks-encoded' })
  let denied = 0
  for (let i = 0; i < 20; i += 1)
    await transparent.open(gateway, `n${String(i)}.wild.example`).catch(() => (denied += 1))
  test.ok(denied >= 4, 'the budget of new names ran out')
  test.match(gateway.decisions.at(-1), { reason: 'name-budget' })
})

void t.test('a tunnel passes TLS through unread, and takes no plain request', async (test) => {
  const { gateway, upstream } = await setUp(test)
  const { socket, status } = await connectThrough(gateway, 'tunnel.example:443')
  test.equal(status, '200')
  const { connect } = await import('node:tls')
  const inner = connect({ socket, servername: 'tunnel.example', rejectUnauthorized: false })
  const received = await exchangeBytes(
    inner,
    'GET /t HTTP/1.1\r\nHost: tunnel.example\r\nConnection: close\r\n\r\n',
  )
  test.match(received, 'hello from /t')
  test.match(gateway.decisions.at(-1), {
    kind: 'tunnel',
    verdict: 'allow',
    rule: 'allow[1]',
    credential: null,
  })
  await eventually(() => gateway.closes.length > 0)
  test.match(gateway.closes.at(-1), { outcome: 'success' })
  test.equal(upstream.requests.length, 1)
  const [, , absolute] = HTTPS_LISTENERS as [ListenerClient, ListenerClient, ListenerClient]
  const direct = await absolute.open(gateway, '')
  const plain = 'GET https://tunnel.example/ HTTP/1.1\r\nHost: tunnel.example\r\n\r\n'
  test.match(await exchangeBytes(direct, plain), '"reason":"tunnel-only"')
})

void t.test('plain HTTP behind CONNECT, sent at once or when it is answered', async (test) => {
  const seen: string[] = []
  const upstream = createServer((request, response) => {
    seen.push(`${request.headers.host ?? ''} ${request.headers.authorization ?? ''}`)
    response.end('hello from plain')
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as AddressInfo
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('http://api.example', ['allow GET /**'], { id: 'services.api', service: 'api' }),
      ],
      services: [service('api', 'http://api.example', credential)],
      hosts: { 'api.example': { address: '127.0.0.1', port } },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    upstream.closeAllConnections()
    upstream.close()
  })
  const ask = (path: string, head = '') => `GET ${path} HTTP/1.1\r\nHost: api.example\r\n${head}\r\n`
  const { socket } = await connectThrough(gateway, 'api.example:80')
  test.strictSame(statuses(await exchangeBytes(socket, ask('/a') + ask('/b'), { responses: 2 })), [
    '200',
    '200',
  ])
  const eager = connect(gateway.ports.forward, '127.0.0.1')
  const head = 'CONNECT api.example:80 HTTP/1.1\r\nHost: api.example:80\r\n\r\n'
  test.strictSame(statuses(await exchangeBytes(eager, head + ask('/c', 'Connection: close\r\n'))), [
    '200',
    '200',
  ])
  test.strictSame(seen, Array(3).fill(`api.example Bearer ${TOKEN}`))
  const other = await connectThrough(gateway, 'api.example:80')
  const elsewhere = 'GET /d HTTP/1.1\r\nHost: other.example\r\n\r\n'
  test.match(await exchangeBytes(other.socket, elsewhere), '"reason":"host-mismatch"')
  test.equal(seen.length, 3)
})

void t.test('a sandbox is identified by both ends of its connection', async (test) => {
  const peers: Peer[] = []
  const gateway = await startGateway(testPolicy({ destinations: [], services: [], hosts: {} }), (peer) => {
    peers.push(peer)
    return null
  })
  test.teardown(() => gateway.close())
  const { forward, reverse, http } = gateway.ports
  for (const port of [forward, reverse, http]) {
    const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.2' })
    await exchangeBytes(socket, 'GET /none HTTP/1.1\r\nHost: egress\r\n\r\n')
    test.match(peers.at(-1), { address: '127.0.0.2', port: Number, localAddress: '127.0.0.1' })
  }
})

void t.test('one sandbox cannot take all connections', async (test) => {
  const gateway = await startGateway(
    testPolicy({ destinations: [], services: [], hosts: {} }),
    ({ address }) => ({
      id: `sb-${address}`,
      agent: DEFAULT_AGENT,
      placeholders: new Map(),
    }),
  )
  test.teardown(() => gateway.close())
  const open = (localAddress: string, port: number) =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, localAddress })
      socket.once('connect', () => resolve(socket)).once('error', reject)
    })
  const ask = async (from: string, port: number) =>
    statuses(await exchangeBytes(await open(from, port), 'GET /none HTTP/1.1\r\nHost: egress\r\n\r\n'))
  const { forward, reverse, https } = gateway.ports
  const held: Socket[] = []
  for (let i = 0; i < 1024; i += 1) {
    const socket = await open('127.0.0.2', [forward, reverse, https][i % 3] ?? 0)
    held.push(socket.on('error', () => undefined))
  }
  for (const port of [forward, reverse]) test.strictSame(await ask('127.0.0.2', port), ['503'])
  test.strictSame(await ask('127.0.0.2', https), [], 'where TLS is expected there is nothing to say')
  test.match(
    gateway.decisions,
    Array(3).fill({ reason: 'busy', verdict: 'deny', sandbox: { id: 'sb-127.0.0.2' } }),
  )
  test.strictSame(await ask('127.0.0.3', reverse), ['404'], 'another one is answered')
  held.pop()?.destroy()
  await turnsOfTheLoop(20)
  test.strictSame(await ask('127.0.0.2', reverse), ['404'], 'and so is the same with one less')
  for (const socket of held) socket.destroy()
  test.strictSame(gateway.failures, [])
})

void t.test('nothing passes while the audit log cannot be written', async (test) => {
  const { gateway, upstream } = await setUp(test)
  for (const listener of HTTPS_LISTENERS) {
    gateway.auditFails = true
    const refused = await get(gateway, listener, '/rest/x').catch(() => 'closed')
    test.match(refused, /503[\s\S]*audit-unavailable|closed/, listener.name)
    test.equal(upstream.requests.length, 0, listener.name)
    gateway.auditFails = false
    test.equal(
      statuses(await get(gateway, listener, '/rest/x'))[0],
      '200',
      `${listener.name}: service resumes`,
    )
    upstream.requests.length = 0
  }
})

void t.test('a connection from nobody is refused', async (test) => {
  const gateway = await startGateway(testPolicy({ destinations: [] }), () => null)
  test.teardown(() => gateway.close())
  const [, , absolute] = HTTPS_LISTENERS as [ListenerClient, ListenerClient, ListenerClient]
  const socket = await absolute.open(gateway, '')
  const received = await exchangeBytes(socket, 'GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n')
  test.match(received, '"reason":"unknown-sandbox"')
})
