import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { openBlackHole } from '#test/fixtures/black-hole.js'
import { DIRECT } from '#test/fixtures/direct.js'
import { createCa } from '#test/servers/certificate-authority.js'
import { codeOf } from '../contracts/errors.js'
import { interleave } from './connect-first.js'
import { dial, DialAborted, dialTcp, type TlsSession } from './dial.js'
import { reasonOf } from './failures.js'
import type { ResolvedUpstream } from './upstream.js'

const TIMEOUT = { timeoutMs: 20_000, alpn: ['http/1.1'] }

const upstreamAt = (
  port: number,
  addresses: readonly string[],
  more: Partial<ResolvedUpstream> = {},
): ResolvedUpstream => ({
  owner: { sandbox: null, destination: 'allow[0]' },
  origin: { scheme: 'http', host: 'api.example', port: 80 },
  addresses,
  port,
  ...DIRECT,
  ca: null,
  clientCertificate: null,
  knowsHttp2: false,
  ...more,
})

/** Accepts connections at an address, and keeps them. */
async function listenAt(
  t: Test,
  address: string,
  port = 0,
  onSocket: (socket: Socket) => void = () => undefined,
) {
  const accepted: Socket[] = []
  const server = createServer((socket) => {
    accepted.push(socket.on('error', () => undefined))
    onSocket(socket)
  })
  server.listen(port, address)
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of accepted) socket.destroy()
    server.close()
  })
  return { accepted, port: (server.address() as AddressInfo).port }
}

async function dialled(t: Test, upstream: ResolvedUpstream) {
  const socket = await dial(upstream, TIMEOUT)
  t.teardown(() => socket.destroy())
  return socket
}

void t.test('families take turns, beginning with the first', (t) => {
  t.strictSame(interleave(['a:1', 'a:2', 'a:3', '4.4.4.4']), ['a:1', '4.4.4.4', 'a:2', 'a:3'])
  t.strictSame(interleave(['1.1.1.1', '2.2.2.2', '::3', '::4', '::5']), [
    '1.1.1.1',
    '::3',
    '2.2.2.2',
    '::4',
    '::5',
  ])
  t.strictSame(interleave(['1.1.1.1']), ['1.1.1.1'])
  t.end()
})

void t.test('an address that refuses, and one that has no route, are passed over', async (t) => {
  const { port } = await listenAt(t, '127.0.0.2')
  const socket = await dialled(t, upstreamAt(port, ['127.0.0.1', '2001:db8::1', '127.0.0.2']))
  t.equal(socket.remoteAddress, '127.0.0.2')
})

void t.test('an address that is silent is passed over, and let go of', async (t) => {
  const hole = await openBlackHole('127.0.0.1')
  t.teardown(hole.close)
  await listenAt(t, '127.0.0.2', hole.port)
  const { accepted } = await listenAt(t, '::1', hole.port)
  const socket = await dialled(t, upstreamAt(hole.port, ['127.0.0.1', '127.0.0.2', '::1']))
  t.equal(socket.remoteAddress, '::1', 'the other family comes second')
  t.equal(accepted.length, 1)
})

void t.test('the first address is used when it answers', async (t) => {
  const { port } = await listenAt(t, '127.0.0.1')
  const second = await listenAt(t, '127.0.0.2', port)
  const sockets = await Promise.all(
    Array.from({ length: 8 }, () => dialled(t, upstreamAt(port, ['127.0.0.1', '127.0.0.2']))),
  )
  t.strictSame(new Set(sockets.map(({ remoteAddress }) => remoteAddress)), new Set(['127.0.0.1']))
  t.equal(second.accepted.length, 0)
})

void t.test('one deadline for all of them, and an end at any time', async (t) => {
  const hole = await openBlackHole('127.0.0.1')
  t.teardown(hole.close)
  const upstream = upstreamAt(hole.port, ['127.0.0.1'])
  const late = await dial(upstream, { timeoutMs: 100, alpn: [] }).catch((error: unknown) => error)
  t.equal(codeOf(late), 'EGRESS_CONNECT_TIMEOUT')
  t.equal(reasonOf(late), 'upstream-timeout')
  const ending = new AbortController()
  const ended = dialTcp(upstream, { timeoutMs: 20_000, signal: ending.signal }).catch(
    (error: unknown) => error,
  )
  ending.abort(new DialAborted())
  t.equal(codeOf(await ended), 'ECONNABORTED')
  const never = dialTcp(upstream, { timeoutMs: 20_000, signal: ending.signal })
  t.equal(codeOf(await never.catch((error: unknown) => error)), 'ECONNABORTED', 'nor is it begun')
})

void t.test('of several failures, the one that says most', async (t) => {
  const { port } = await listenAt(t, '127.0.0.9')
  const error = await dial(upstreamAt(port, ['2001:db8::1', '127.0.0.1']), TIMEOUT).catch(
    (error: unknown) => error,
  )
  t.equal(codeOf(error), 'ECONNREFUSED')
})

async function listenTls(
  t: Test,
  address: string,
  names: readonly [string, ...string[]],
  ca: string | null = null,
  port = 0,
) {
  const authority = await createCa('Dial test')
  const identity = await authority.issue(names)
  const server = createTlsServer({
    ...identity,
    ALPNProtocols: ['h2', 'http/1.1'],
    requestCert: ca !== null,
    rejectUnauthorized: false,
  })
  const accepted: TLSSocket[] = []
  server.on('tlsClientError', () => undefined)
  server.on('secureConnection', (socket) => {
    accepted.push(socket.on('error', () => undefined))
    socket.write('x')
  })
  server.listen(port, address)
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of accepted) socket.destroy()
    server.close()
  })
  return { authority, accepted, port: (server.address() as AddressInfo).port }
}

const HTTPS = { origin: { scheme: 'https', host: 'api.example', port: 443 } } as const

void t.test('the certificate is verified for the checked name, by the authority of the policy', async (t) => {
  const { authority, accepted, port } = await listenTls(t, '127.0.0.1', ['api.example'])
  const socket = await dialled(t, upstreamAt(port, ['127.0.0.1'], { ...HTTPS, ca: authority.pem }))
  t.ok(socket instanceof TLSSocket && socket.authorized)
  t.equal(
    (socket as TLSSocket).alpnProtocol,
    'http/1.1',
    'what was asked for, not what the server likes best',
  )
  const reasonFor = (more: Partial<ResolvedUpstream>) =>
    dial(upstreamAt(port, ['127.0.0.1'], { ...HTTPS, ...more }), TIMEOUT).then(
      () => 'connected',
      (error: unknown) => `${reasonOf(error)} ${codeOf(error)}`,
    )
  t.match(await reasonFor({ ca: null }), /^upstream-tls /)
  t.match(
    await reasonFor({ ca: authority.pem, origin: { ...HTTPS.origin, host: 'other.example' } }),
    'upstream-tls ERR_TLS_CERT_ALTNAME_INVALID',
  )
  t.ok(accepted.length > 0)
})

void t.test('a client certificate is shown, and a session used again', async (t) => {
  const { authority, accepted, port } = await listenTls(t, '127.0.0.1', ['api.example'], 'any')
  const client = await authority.issue(['agent.example'])
  const upstream = upstreamAt(port, ['127.0.0.1'], {
    ...HTTPS,
    ca: authority.pem,
    clientCertificate: { certificate: client.cert, key: new Secret('KEY', client.key) },
  })
  const session: TlsSession = { latest: null }
  const connectOnce = async () => {
    const socket = (await dial(upstream, { ...TIMEOUT, session })) as TLSSocket
    t.teardown(() => socket.destroy())
    // Tickets come behind the handshake (RFC 8446 section 4.6.1).
    await once(socket, 'data')
    return socket
  }
  t.equal((await connectOnce()).isSessionReused(), false)
  t.equal(accepted[0]?.getPeerCertificate().subject.CN, 'agent.example')
  const again = await connectOnce()
  t.ok(again.isSessionReused())
  t.ok(again.authorized)
})

void t.test('a server that breaks off TLS is passed over for the next address', async (t) => {
  const { authority, port } = await listenTls(t, '127.0.0.2', ['api.example'])
  const broken = await listenAt(t, '127.0.0.1', port, (socket) => socket.destroy())
  const upstream = upstreamAt(port, ['127.0.0.1', '127.0.0.2'], { ...HTTPS, ca: authority.pem })
  t.equal((await dialled(t, upstream)).remoteAddress, '127.0.0.2')
  t.equal(broken.accepted.length, 1)
})

void t.test('a server that says nothing in TLS is late', async (t) => {
  const closed: Promise<unknown>[] = []
  const { port } = await listenAt(t, '127.0.0.1', 0, (socket) => {
    closed.push(once(socket.resume(), 'close'))
  })
  const late = dial(upstreamAt(port, ['127.0.0.1'], HTTPS), { timeoutMs: 300, alpn: ['http/1.1'] })
  t.equal(codeOf(await late.catch((error: unknown) => error)), 'EGRESS_CONNECT_TIMEOUT')
  t.equal((await Promise.all(closed)).length, 1, 'and its connection closed')
})
