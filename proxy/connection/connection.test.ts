import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import t, { type Test } from 'tap'
import type { HttpDecision } from '#proxy/contracts/events.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import {
  connectThrough,
  exchangeBytes,
  HTTPS_LISTENERS,
  statuses,
  type ListenerClient,
} from '#test/fixtures/client.js'
import { SANDBOX, startGateway, type TestGateway } from '#test/fixtures/gateway.js'
import { destination, testPolicy } from '#test/fixtures/policy.js'
import { startUpstream } from '#test/fixtures/upstream.js'

// What a connection leaves in the log however it ends, and what is decided for it once.

async function setUp(test: Test, now: () => number = Date.now) {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(authority, (request, response) => {
    request.resume()
    request.on('end', () => response.end('hello'))
  })
  const at = { address: '127.0.0.1', port: upstream.port }
  const policy = (listed: readonly string[], idleTimeoutMs = 60_000) =>
    testPolicy({
      destinations: listed.map((host, i) =>
        destination(`https://${host}`, ['allow GET /**'], { id: `allow[${String(i)}]`, ca: authority.pem }),
      ),
      hosts: { 'api.example': at, 'a.wild.example': at },
      http: { idleTimeoutMs },
    })
  const gateway = await startGateway(policy(['api.example', '*.wild.example']), () => SANDBOX, now)
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, policy }
}

/** Both ways on which TLS ends at the gateway. */
const OPEN: Readonly<Record<string, (gateway: TestGateway) => Promise<Socket>>> = {
  'transparent 443': (gateway) => Promise.resolve(connect(gateway.ports.https, '127.0.0.1')),
  'CONNECT 3128': async (gateway) => (await connectThrough(gateway, 'api.example:443')).socket,
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

async function failedHandshake(socket: Socket, ca: string, options: ConnectionOptions): Promise<void> {
  const client = connectTls({ socket, servername: 'api.example', ca, ...options })
  await new Promise<void>((resolve, reject) => {
    client.once('secureConnect', () => reject(new Error('it was to fail')))
    client.on('error', () => undefined).once('close', () => resolve())
  })
}

for (const [name, open] of Object.entries(OPEN)) {
  void t.test(`${name}: a handshake that fails is recorded, with what the client offered`, async (test) => {
    const { gateway } = await setUp(test)
    const isFailure = ({ reason }: HttpDecision) => reason === 'tls-handshake'
    const records = () => gateway.decisions.filter(isFailure)

    await failedHandshake(await open(gateway), gateway.ca, { ALPNProtocols: ['spdy/3'] })
    await until(() => records().length === 1)
    test.match(records()[0], {
      kind: 'tls',
      verdict: 'deny',
      host: 'api.example',
      port: 443,
      status: null,
      sandbox: { id: SANDBOX.id },
      detail: 'the client offered TLS 1.3, TLS 1.2 and ALPN spdy/3: ERR_SSL_NO_APPLICATION_PROTOCOL',
    })

    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await failedHandshake(await open(gateway), gateway.ca, old)
    await until(() => records().length === 2)
    test.match(
      records()[1]?.detail,
      /^the client offered TLS 1\.1 and no ALPN: ERR_SSL_UNSUPPORTED_PROTOCOL$/,
    )

    const raw = await open(gateway)
    raw.end(Buffer.from([22, 3, 1, 0, 200, 1, 0]))
    await until(() => records().length === 3)
    test.match(records()[2], { kind: 'tls', detail: 'ended after 7 bytes of its TLS hello', status: null })

    const before = gateway.decisions.length
    ;(await open(gateway)).end()
    const connected = name.startsWith('CONNECT')
    if (connected) {
      await until(() => records().length === 4)
      test.match(records()[3], { host: 'api.example', detail: 'ended after 0 bytes of its TLS hello' })
    }
    const [transparent] = HTTPS_LISTENERS as [ListenerClient]
    const fine = await transparent.open(gateway, 'api.example')
    const answer = await exchangeBytes(fine, 'GET / HTTP/1.1\r\nHost: api.example\r\n\r\n')
    test.strictSame(statuses(answer), ['200'], 'one that is fine goes through')
    test.equal(
      gateway.decisions.length,
      before + (connected ? 2 : 1),
      'and one that sent nothing is nothing to record, unless a CONNECT was answered',
    )
    test.strictSame(gateway.failures, [])
  })
}

void t.test('a name is checked and paid for once for its connection', async (test) => {
  // Certificates are minted by this clock, too, so it is the first day that lies in the past.
  let now = Date.now() - 86_400_001
  const { gateway, policy } = await setUp(test, () => now)
  const [transparent, connectClient] = HTTPS_LISTENERS as [ListenerClient, ListenerClient]
  const request = 'GET / HTTP/1.1\r\nHost: a.wild.example\r\n\r\n'
  const early = [
    await transparent.open(gateway, 'a.wild.example'),
    await connectClient.open(gateway, 'a.wild.example'),
    await connectClient.open(gateway, 'a.wild.example'),
  ]
  // A day later the name would have to be paid for again, and others have used up what there is.
  now = Date.now()
  let denied = 0
  for (let i = 0; i < 40 && denied === 0; i += 1)
    await transparent.open(gateway, `n${String(i)}.wild.example`).then(
      (socket) => socket.destroy(),
      () => (denied += 1),
    )
  test.match(gateway.decisions.at(-1), { kind: 'tls', reason: 'name-budget' })
  test.match((await connectThrough(gateway, 'a.wild.example:443')).status, '403', 'a new connection pays')
  for (const socket of early.slice(0, 2))
    test.strictSame(statuses(await exchangeBytes(socket, request + request)), ['200', '200'])

  await gateway.replace(policy(['api.example']))
  const [, , last] = early
  test.match(
    await exchangeBytes(last as Socket, request),
    '"reason":"host-not-listed"',
    'another policy asks again',
  )
  test.strictSame(gateway.failures, [])
})

void t.test(
  'how long a connection may be silent is said by the policy that it was opened under',
  async (test) => {
    const { gateway, policy } = await setUp(test)
    const isClosed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve))
    const open = async () => {
      const socket = connect(gateway.ports.forward, '127.0.0.1')
      await new Promise((resolve) => socket.once('connect', resolve))
      return socket.resume()
    }
    const patient = await open()
    await exchange(patient, 'GET http://none.example/ HTTP/1.1\r\nHost: none.example\r\n')
    await gateway.replace(policy(['api.example'], 200))
    const hasty = await open()
    await isClosed(hasty)
    test.equal(patient.destroyed, false, 'the one from before goes on')
    patient.destroy()
  },
)

void t.test(
  'who is asked for is the peer with the address that it was sent to, at every listener',
  async (test) => {
    const asked = new Set<string>()
    const gateway = await startGateway(testPolicy({ destinations: [] }), ({ address, localAddress }) => {
      asked.add(`${address} to ${localAddress ?? 'nobody knows'}`)
      return null
    })
    test.teardown(() => gateway.close())
    for (const port of Object.values(gateway.ports)) {
      asked.clear()
      const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.8' })
      await exchange(
        socket.on('error', () => undefined),
        'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n',
      )
      socket.destroy()
      test.strictSame([...asked], ['127.0.0.8 to 127.0.0.1'])
    }
  },
)

/** Begins a request and does not end it, so that the connection is one that waits for its client. */
async function exchange(socket: Socket, head: string): Promise<void> {
  socket.write(head)
  await new Promise((resolve) => setTimeout(resolve, 50))
}

void t.test('a certificate is made for a name that was allowed, and for no other', async (test) => {
  const { gateway } = await setUp(test)
  const denied = ['evil.example', 'other.api.example', 'wild.example']
  for (const servername of denied)
    await failedHandshake(connect(gateway.ports.https, '127.0.0.1'), gateway.ca, { servername })
  const mismatched = (await connectThrough(gateway, 'api.example:443')).socket
  await failedHandshake(mismatched, gateway.ca, { servername: 'a.wild.example' })
  test.strictSame(gateway.minted, [])
  for (const listener of HTTPS_LISTENERS.slice(0, 2)) (await listener.open(gateway, 'api.example')).destroy()
  test.strictSame(gateway.minted, ['api.example', 'api.example'])
})
