import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { Secret } from '#firewall/secrets/secret.js'
import { ask } from './fixtures/ask.js'
import { eventually } from './fixtures/eventually.js'
import { exchangeBytes } from './fixtures/client.js'
import { SANDBOX, startGateway } from './fixtures/gateway.js'
import { oneServicePolicy } from './fixtures/policy.js'
import { startRawUpstream } from './fixtures/upstream.js'

const TOKEN = 'tok-0123456789abcdef-real'
const KIB = 1024

/** @param answer what the upstream says, in pieces that arrive one by one */
async function setUp(test: Test, answer: (received: string) => readonly string[], memory?: number) {
  const ca = await CertificateAuthority.create(Date.now())
  const upstream = await startRawUpstream(ca, (socket, received) => {
    if (!received.endsWith('\r\n\r\n')) return
    const pieces = [...answer(received)]
    const next = () => {
      const piece = pieces.shift()
      if (piece !== undefined) socket.write(piece, 'latin1', () => setImmediate(next))
    }
    next()
  })
  const policy = oneServicePolicy({
    credential: bearer.bind('api/bearer', { token: new Secret('TOKEN', TOKEN) }),
    port: upstream.port,
    ca: ca.pem,
  })
  const limits = { ...policy.limits, memory: { own: memory ?? policy.limits.memory.own, all: 2 ** 30 } }
  const gateway = await startGateway({ ...policy, limits })
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, upstream }
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n'

/** Lines of so many KiB in all. */
const lines = (kib: number, value = (index: number) => `v${String(index)}-`) =>
  Array.from(
    { length: kib / 2 },
    (_, index) => `X-${String(index)}: ${value(index).padEnd(2 * KIB - 10, '.')}\r\n`,
  )

void t.test('a response head of nearly 256 KiB, in pieces, comes whole and is searched', async (test) => {
  const { gateway } = await setUp(test, () => [
    OK,
    ...lines(200, (i) => (i === 77 ? `a ${TOKEN} b` : `v${String(i)}`)),
    '\r\nok',
  ])
  // Node's own client takes 16 KiB.
  const received = await exchangeBytes(
    connect(gateway.ports.reverse, '127.0.0.1'),
    'GET /api/ HTTP/1.1\r\nHost: egress:9199\r\n\r\n',
  )
  test.match(received, /^HTTP\/1\.1 200 /)
  test.match(received, /\r\nx-99: v99\.+\r\n/)
  test.ok(received.includes(`\r\nx-77: a ${'*'.repeat(TOKEN.length)} b.`), 'redacted')
  test.notOk(received.includes(TOKEN))
  test.ok(received.endsWith('\r\n\r\nok'))
  test.equal(gateway.heldBytes() < 300 * KIB, true, 'and is held no more')
})

void t.test('odd bytes in a head do not hide a secret', async (test) => {
  for (const value of [
    `caf\xe9 ${TOKEN} \xe4\xb8\xad`,
    `\xff\xfe${TOKEN}\xff`,
    `a\t${TOKEN}\tb`,
    `a\x01${TOKEN}\x02b`,
    `\r\n ${TOKEN}`,
  ]) {
    const { gateway } = await setUp(test, () => [`${OK}Content-Disposition: ${value}\r\n\r\nok`])
    const { status, headers } = await ask(gateway, '/')
    test.equal(status, 200, JSON.stringify(value))
    test.match(headers['content-disposition'], '*'.repeat(TOKEN.length))
    test.notMatch(JSON.stringify(headers), TOKEN)
  }
})

void t.test('a larger one, more lines, or no memory left: refused, and named', async (test) => {
  const large = await setUp(test, () => [OK, ...lines(260), '\r\nok'])
  test.match((await ask(large.gateway, '/')).body, 'the head is longer than 256 KiB')
  const many = await setUp(test, () => [OK, 'X: y\r\n'.repeat(600), '\r\nok'])
  test.match((await ask(many.gateway, '/')).body, 'more than 512 header lines')
  const full = await setUp(test, () => [OK, ...lines(200), '\r\nok'], 512 * KIB)
  const { status, body } = await ask(full.gateway, '/')
  test.equal(status, 503)
  test.match(body, '"reason":"busy"')
  await eventually(() => full.gateway.heldBytes() < 100 * KIB)
  test.equal((await ask(many.gateway, '/')).status, 502)
})

void t.test('a request head of nearly 256 KiB arrives as it was sent; a larger one is 431', async (test) => {
  const { gateway, upstream } = await setUp(test, () => [`${OK}\r\nok`])
  const send = (kib: number) =>
    exchangeBytes(
      connect(gateway.ports.reverse, '127.0.0.1'),
      ['GET /api/ HTTP/1.1\r\nHost: egress:9199\r\n', ...lines(kib), '\r\n'].join(''),
    )
  test.match(await send(200), /^HTTP\/1\.1 200 /)
  for (const line of lines(200))
    if (upstream.received[0]?.includes(line.replace('X', 'x')) !== true) test.fail(line)
  test.match(await send(300), /^HTTP\/1\.1 431 [\s\S]*head-too-complex/)
  test.equal(upstream.received.length, 1)
})

void t.test('heads that never end are held within the memory of their sandbox', async (test) => {
  const { gateway } = await setUp(test, () => [`${OK}\r\nok`], 2 * 1024 * KIB)
  const sockets = Array.from({ length: 20 }, () => connect(gateway.ports.reverse, '127.0.0.1'))
  let refused = 0
  for (const socket of sockets) {
    socket.on('error', () => undefined)
    socket.on(
      'data',
      (chunk: Buffer) => (refused += /^HTTP\/1\.1 503 [\s\S]*busy/.test(chunk.toString()) ? 1 : 0),
    )
    socket.write(['GET /api/ HTTP/1.1\r\nHost: egress:9199\r\n', ...lines(100)].join(''))
  }
  await eventually(() => refused > 5)
  test.ok(refused > 5, `${String(refused)} were refused`)
  test.ok(gateway.heldBytes() <= 2 * 1024 * KIB)
  for (const socket of sockets) socket.destroy()
  await eventually(() => gateway.heldBytes() === 0)
  test.equal(gateway.heldBytes(), 0)
  test.equal((await ask(gateway, '/')).status, 200, SANDBOX.id)
})
