import { createServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import type { Credential } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { createCa, type Identity } from './servers/certificate-authority.js'
import { mtls } from '#proxy/credentials/mtls.js'
import { ask } from './fixtures/ask.js'
import { SANDBOX, startGateway } from './fixtures/gateway.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { listen } from './fixtures/upstream.js'

// Client certificates: the upstream takes none but its own clients', and says whom it saw on which connection.

t.setTimeout(60_000)

interface Seen {
  readonly path: string
  readonly client: string
  readonly connection: number
}

/** A server that speaks to clients of its authority alone, with a gateway before it and services `one`, `two`, … */
async function setUp(t: Test, credentials: Record<string, Credential | null>) {
  const vouching = await createCa('server authority')
  const seen: Seen[] = []
  const connections: TLSSocket[] = []
  const server = createServer({
    ...(await vouching.issue(['api.example'])),
    ca: (await CLIENTS).pem,
    requestCert: true,
    rejectUnauthorized: true,
  })
  const record = (url: string, socket: TLSSocket) => {
    if (!connections.includes(socket)) connections.push(socket)
    const client = String(socket.getPeerCertificate().subject.CN)
    seen.push({ path: url, client, connection: connections.indexOf(socket) })
    return client
  }
  server.on('request', (request, response) =>
    response.end(record(request.url ?? '', request.socket as TLSSocket)),
  )
  server.on('upgrade', (request, socket) => {
    record(request.url ?? '', socket as TLSSocket)
    socket.end('HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n')
  })
  server.on('tlsClientError', () => undefined)
  const port = await listen(server)
  const names = Object.keys(credentials)
  const policy = testPolicy({
    destinations: names.map((name) =>
      destination('https://api.example', ['allow * /**'], {
        id: `services.${name}`,
        service: name,
        ca: vouching.pem,
      }),
    ),
    services: Object.entries(credentials).map(([name, credential]) =>
      service(name, 'https://api.example', credential),
    ),
    hosts: { 'api.example': { address: '127.0.0.1', port } },
  })
  // One agent for each service, as the loader insists where they share an origin.
  const agents = new Map(names.map((name) => [name, { name, services: [name], allow: [] }]))
  const speaker = { agent: names[0] ?? '' }
  const gateway = await startGateway({ ...policy, agents }, () => ({ ...SANDBOX, agent: speaker.agent }))
  t.teardown(async () => {
    await gateway.close()
    server.closeAllConnections()
    server.close()
  })
  return {
    seen,
    gateway,
    connections,
    ask: (name: string, path: string, headers = {}) => {
      speaker.agent = name
      return ask(gateway, path, headers, name)
    },
  }
}

const CLIENTS = createCa('client authority')

function bind({ cert, key }: Identity): { credential: Credential; certificate: Secret; key: Secret } {
  const values = { certificate: new Secret('CERT', cert, []), key: new Secret('KEY', key) }
  return { credential: mtls.bind('api/mtls', values), ...values }
}

const issue = async (name: string) => (await CLIENTS).issue([name])

void t.test(
  'the upstream sees the certificate; without one, or with an unknown client\u2019s, there is no connection',
  async (t) => {
    const stranger = await (await createCa('client authority')).issue(['client-one'])
    const { ask, seen } = await setUp(t, {
      one: bind(await issue('client-one')).credential,
      none: null,
      stranger: bind(stranger).credential,
    })
    const answer = await ask('one', '/x')
    t.match(answer, { status: 200, body: 'client-one' })
    for (const name of ['none', 'stranger']) t.equal((await ask(name, '/x')).status, 502, name)
    t.strictSame(seen, [{ path: '/x', client: 'client-one', connection: 0 }])
  },
)

void t.test('two services at one host never share a connection', async (t) => {
  const { ask, seen, connections } = await setUp(t, {
    one: bind(await issue('client-one')).credential,
    two: bind(await issue('client-two')).credential,
    none: null,
  })
  for (let round = 0; round < 5; round += 1) {
    for (const name of ['one', 'two']) t.equal((await ask(name, `/${name}`)).body, `client-${name}`)
    t.equal((await ask('none', '/none')).status, 502)
  }
  t.equal(seen.length, 10)
  for (const { path, client } of seen) t.equal(`client-${path.slice(1)}`, client)
  t.equal(connections.length, 2, 'each kept its own alive')
})

void t.test('a WebSocket shows it as well', async (t) => {
  const { ask, seen } = await setUp(t, { one: bind(await issue('client-one')).credential, none: null })
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  }
  const [shown, bare] = [await ask('one', '/ws', upgrade), await ask('none', '/ws', upgrade)]
  t.match(shown.body, '426', 'the upstream answered')
  // Not by its absence: the id of a request may have these digits.
  t.match(bare.body, '"reason":"upstream-tls"')
  t.strictSame(seen, [{ path: '/ws', client: 'client-one', connection: 0 }])
})

void t.test(
  'a rotated certificate is shown on new connections; a pair that does not fit is 503',
  async (t) => {
    const { credential, certificate, key } = bind(await issue('client-old'))
    const { ask, seen } = await setUp(t, { one: credential })
    t.equal((await ask('one', '/x')).body, 'client-old')
    const rotated = await issue('client-new')
    key.rotate(rotated.key)
    const between = await ask('one', '/x')
    t.equal(between.status, 503)
    t.match(between.body, 'credential-unavailable')
    certificate.rotate(rotated.cert, [])
    t.equal((await ask('one', '/x')).body, 'client-new')
    t.strictSame(
      seen.map(({ client, connection }) => [client, connection]),
      [
        ['client-old', 0],
        ['client-new', 1],
      ],
    )
  },
)
