import { once } from 'node:events'
import { mock } from 'node:test'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { clientHello } from '#test/fixtures/client-hello.js'
import { connectThrough, turnsOfTheLoop } from '#test/fixtures/client.js'
import { eventually } from '#test/fixtures/eventually.js'
import { startGateway, type TestGateway } from '#test/fixtures/gateway.js'
import { destination, testPolicy } from '#test/fixtures/policy.js'
import type { Protocol } from './protocol.js'
import { PROTOCOLS } from './protocols.js'

// What a connection may do to the others: nothing, whether it breaks, is reset, or says nothing.

/** Stands for a bug of ours, at one of the places where it may be. */
function broken(where: 'recognises' | 'serve' | 'later'): Protocol {
  const fail = () => {
    throw new Error(where)
  }
  const isTarget: Protocol['recognises'] = ({ opening }) =>
    opening?.kind === 'plain' && opening.first.toString().startsWith('BREAK')
  return {
    name: 'broken',
    recognises: (connection) => isTarget(connection) && (where === 'recognises' ? fail() : true),
    serve: where === 'serve' ? fail : () => Promise.reject(new Error(where)),
  }
}

async function setUp(test: Test, protocols = PROTOCOLS, now = Date.now): Promise<TestGateway> {
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('https://api.example', ['allow GET /**'], { id: 'allow[0]' }),
        destination('http://plain.example', ['allow GET /**'], { id: 'allow[1]' }),
      ],
    }),
    undefined,
    now,
    protocols,
  )
  test.teardown(() => gateway.close())
  return gateway
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  await once(socket, 'connect')
  return socket.resume()
}

for (const where of ['recognises', 'serve', 'later'] as const) {
  void t.test(`a bug of ours (${where}) closes its connection and no other`, async (test) => {
    const gateway = await setUp(test, [broken(where), ...PROTOCOLS])
    const other = await connectThrough(gateway, 'plain.example:80')
    const { socket } = await connectThrough(gateway, 'plain.example:80')
    socket.resume().write('BREAK\n')
    await once(socket, 'close')
    test.match(gateway.failures, [{ message: where }])
    test.notOk(other.socket.destroyed)
    other.socket.write('GET /x HTTP/1.1\r\nHost: other.example\r\n\r\n')
    const [answer] = (await once(other.socket, 'data')) as [Buffer]
    test.match(answer.toString(), /"reason":"host-mismatch"/)
  })
}

void t.test('a bug while CONNECT or a head is refused closes its connection and no other', async (test) => {
  let isBroken = false
  const gateway = await setUp(test, PROTOCOLS, () => {
    if (isBroken) throw new Error('no clock')
    return Date.now()
  })
  for (const bytes of ['CONNECT api.example:443 HTTP/1.1\r\n\r\n', 'no HTTP\r\n\r\n']) {
    const [socket, other] = [await open(gateway.ports.reverse), await open(gateway.ports.reverse)]
    isBroken = true
    socket.write(bytes)
    await once(socket, 'close')
    isBroken = false
    other.write(bytes)
    const [answer] = (await once(other, 'data')) as [Buffer]
    test.match(answer.toString(), /^HTTP\/1\.1 400 /)
  }
  test.match(gateway.failures, Array(2).fill({ message: 'no clock' }))
})

void t.test('a reset at any moment is no error of the gateway', async (test) => {
  const gateway = await setUp(test)
  for (const port of Object.values(gateway.ports)) {
    for (const bytes of ['', 'G', 'CONNECT api.example:443 HTTP/1.1\r\n\r\n', '\x16\x03\x01\x00']) {
      const socket = await open(port)
      if (bytes !== '') await new Promise((resolve) => socket.write(bytes, 'latin1', resolve))
      socket.resetAndDestroy()
    }
  }
  const { socket } = await connectThrough(gateway, 'plain.example:80')
  socket.resetAndDestroy()
  test.equal((await connectThrough(gateway, 'plain.example:80')).status, '200')
  test.strictSame(gateway.failures, [])
})

void t.test('a gateway that ends closes what is open, whatever it waits for', async (test) => {
  const gateway = await setUp(test)
  const waiting = [
    await open(gateway.ports.http),
    await open(gateway.ports.https),
    await open(gateway.ports.forward),
    (await connectThrough(gateway, 'plain.example:80')).socket.resume(),
    (await connectThrough(gateway, 'api.example:443')).socket.resume(),
  ]
  const begun = await open(gateway.ports.https)
  begun.write((await clientHello('api.example')).subarray(0, 40))
  waiting.push(begun)
  const closed = waiting.map((socket) => once(socket, 'close'))
  await new Promise((resolve) => setTimeout(resolve, 50))
  await gateway.close()
  await Promise.all(closed)
  test.ok(await eventually(() => gateway.decisions.length > 0))
  for (const { reason } of gateway.decisions) test.equal(reason, 'shutting-down')
  test.strictSame(gateway.failures, [])
})

void t.test('a client that does not finish its handshake is cut off', async (test) => {
  const hello = await clientHello('api.example')
  const gateway = await setUp(test)
  mock.timers.enable({ apis: ['setTimeout'] })
  test.teardown(() => mock.timers.reset())
  const socket = await open(gateway.ports.https)
  socket.write(hello)
  await once(socket, 'data')
  const closed = once(socket, 'close')
  mock.timers.tick(14_999)
  await turnsOfTheLoop(20)
  test.notOk(socket.destroyed, 'not before its time')
  test.strictSame(gateway.decisions, [])
  mock.timers.tick(1)
  mock.timers.reset()
  await closed
  test.ok(await eventually(() => gateway.decisions.length === 1))
  test.match(gateway.decisions, [{ kind: 'tls', reason: 'tls-handshake', detail: /: it took too long$/ }])
})
