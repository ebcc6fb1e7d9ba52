import type { RequestListener } from 'node:http'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import { exchangeBytes } from './fixtures/client.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway } from './fixtures/gateway.js'
import { destination, testPolicy } from './fixtures/policy.js'
import { startUpstream } from './fixtures/upstream.js'

async function setUp(test: Test, http: Partial<HttpLimits>, listener: RequestListener) {
  const upstream = await startUpstream(null, listener)
  const gateway = await startGateway(
    testPolicy({
      destinations: [destination('http://plain.example', ['allow * /**'], { id: 'allow[0]' })],
      hosts: { 'plain.example': { address: '127.0.0.1', port: upstream.port } },
      http,
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  const send = (bytes: string) => exchangeBytes(connect(gateway.ports.http, '127.0.0.1'), bytes)
  return { gateway, send }
}

const GET = 'GET / HTTP/1.1\r\nHost: plain.example\r\n\r\n'

void t.test('a client that waits for its response is not idle', async (test) => {
  const { gateway, send } = await setUp(
    test,
    { idleTimeoutMs: 300, responseTimeoutMs: 60_000 },
    (request, response) => {
      request.resume()
      setTimeout(() => response.end('answer'), 1_500)
    },
  )
  test.match(await send(GET), /^HTTP\/1\.1 200 [\s\S]*answer/)
  const post = 'POST / HTTP/1.1\r\nHost: plain.example\r\nContent-Length: 4\r\n\r\nbody'
  test.match(await send(post), /^HTTP\/1\.1 200 [\s\S]*answer/)
  for (const close of gateway.closes) test.match(close, { outcome: 'success' })
})

void t.test('one that sends half of its body and no more is', async (test) => {
  const { gateway, send } = await setUp(test, { idleTimeoutMs: 300 }, (request) => request.resume())
  const half = 'POST / HTTP/1.1\r\nHost: plain.example\r\nContent-Length: 8\r\n\r\nhalf'
  test.equal(await send(half), '')
  await eventually(() => gateway.closes.length > 0)
  test.match(gateway.closes, [{ outcome: 'failure', reason: 'client-abort' }])
})

void t.test('an upstream that does not begin is 504, and the key is named', async (test) => {
  const { gateway, send } = await setUp(test, { responseTimeoutMs: 300 }, () => undefined)
  test.match(
    await send(GET),
    /^HTTP\/1\.1 504 [\s\S]*no response began within 0\.3 s \(http\.response_timeout\)/,
  )
  test.match(gateway.closes, [{ reason: 'upstream-timeout', detail: /http\.response_timeout/ }])
})

void t.test('one that begins and does not go on is cut off, and the key is in the record', async (test) => {
  const { gateway, send } = await setUp(test, { idleTimeoutMs: 300 }, (_request, response) => {
    response.writeHead(200, { 'content-length': 10 })
    response.write('half')
  })
  test.match(await send(GET), /^HTTP\/1\.1 200 [\s\S]*half$/)
  await eventually(() => gateway.closes.length > 0)
  test.match(gateway.closes, [{ reason: 'upstream-timeout', detail: /http\.idle_timeout/ }])
})

void t.test('one that goes on now and then may take its time', async (test) => {
  const { gateway, send } = await setUp(
    test,
    { idleTimeoutMs: 1_000, responseTimeoutMs: 1_000 },
    (_request, response) => {
      let left = 8
      response.writeHead(200, { 'content-length': left })
      const timer = setInterval(() => {
        response.write('x')
        left -= 1
        if (left === 0) clearInterval(timer)
      }, 200)
    },
  )
  test.match(await send(GET), /xxxxxxxx$/)
  await eventually(() => gateway.closes.length > 0)
  test.match(gateway.closes, [{ outcome: 'success' }])
})
