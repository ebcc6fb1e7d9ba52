import { createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { PROTOCOLS } from '#proxy/connection/protocols.js'
import { connectThrough, exchangeBytes } from './fixtures/client.js'
import { echoProtocol } from './fixtures/echo-protocol.js'
import { SANDBOX, startGateway } from './fixtures/gateway.js'
import { destination, testPolicy } from './fixtures/policy.js'
import { listen } from './fixtures/upstream.js'

// A protocol is one file behind `Protocol`: the one of fixtures/echo-protocol.ts is put into the table, and nothing else.

async function setUp(test: Test) {
  const received: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => void received.push(chunk.toString()))
    socket.pipe(socket)
  })
  const at = { address: '127.0.0.1', port: await listen(server) }
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('http://echo.example:7', [], { id: 'allow[0]' }),
        destination('https://other.example', [], { id: 'allow[1]' }),
      ],
      hosts: { 'echo.example': at, 'other.example': at },
    }),
    () => SANDBOX,
    Date.now,
    [echoProtocol([{ id: 'lines[0]', start: 'hello' }]), ...PROTOCOLS],
  )
  test.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { gateway, received }
}

void t.test('a protocol of lines goes through the steps of every connection', async (test) => {
  const { gateway, received } = await setUp(test)
  test.teardown(() => gateway.close())

  const { socket, status } = await connectThrough(gateway, 'echo.example:7')
  test.equal(status, '200')
  let echoed = ''
  socket.on('data', (chunk: Buffer) => (echoed += chunk.toString()))
  socket.write('ECHO\nhello one\nhello two\n')
  await until(() => echoed === 'hello one\nhello two\n')
  socket.destroy()
  await until(() => gateway.closes.length === 1)
  test.match(gateway.decisions, [
    {
      kind: 'tunnel',
      verdict: 'allow',
      host: 'echo.example',
      port: 7,
      rule: 'allow[0]',
      address: '127.0.0.1',
    },
  ])
  test.match(gateway.closes, [{ outcome: 'success', id: gateway.decisions[0]?.id }])

  const other = await connectThrough(gateway, 'echo.example:7')
  test.equal(await exchangeBytes(other.socket, 'ECHO\nsecret\n'), 'DENIED denied-by-rule\n')
  test.match(gateway.closes[1], { outcome: 'failure', reason: 'denied-by-rule' })
  test.equal(received.join(''), 'hello one\nhello two\n', 'what no rule allows reached nobody')

  for (const [target, reason] of [
    ['elsewhere.example:7', 'host-not-listed'],
    ['echo.example:8', 'port-not-listed'],
  ] as const) {
    test.equal((await connectThrough(gateway, target)).status, '403', target)
    test.match(gateway.decisions.at(-1), { kind: 'connect', verdict: 'deny', reason })
  }
  test.strictSame(gateway.failures, [])
})

void t.test('it leaves alone what is another protocol', async (test) => {
  const { gateway, received } = await setUp(test)
  test.teardown(() => gateway.close())
  const { socket } = await connectThrough(gateway, 'echo.example:7')
  const answer = await exchangeBytes(socket, 'GET / HTTP/1.1\r\nHost: echo.example:7\r\n\r\n')
  test.match(answer, /^HTTP\/1\.1 403 [\s\S]*"reason":"no-rule"/)
  // No destination says `http` of this host, so the protocol of lines is not asked for.
  const tlsOnly = await connectThrough(gateway, 'other.example:443')
  test.match(await exchangeBytes(tlsOnly.socket, 'ECHO\nhello\n'), /^egress: not-http: /)
  test.match(gateway.decisions.at(-1), { verdict: 'deny', reason: 'not-http' })
  test.strictSame(received, [])
})

void t.test('a gateway that ends closes it, with its record', async (test) => {
  const { gateway } = await setUp(test)
  const { socket } = await connectThrough(gateway, 'echo.example:7')
  socket.write('ECHO\nhello\n')
  await new Promise((resolve) => socket.once('data', resolve))
  await gateway.close()
  test.match(gateway.closes, [{ outcome: 'failure', reason: 'shutting-down' }])
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
