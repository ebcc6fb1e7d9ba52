import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { startGateway } from './fixtures/gateway.js'
import { eventually } from './fixtures/eventually.js'
import { destination, testPolicy } from './fixtures/policy.js'
import { startRawUpstream } from './fixtures/upstream.js'

const SIZE = 8 * 2 ** 20
const ANSWER = 'HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 9\r\n\r\ntoo large'

type Answer = (socket: Socket) => void

/** Ways to answer before the body is there. */
const WAYS: Readonly<Record<string, Answer>> = {
  // Bytes that came and were not read have the system reset the connection.
  'answers, and closes with bytes unread': (socket) => {
    socket.pause()
    socket.write(ANSWER, () => setTimeout(() => socket.destroy(), 20))
  },
  'answers, and ends': (socket) => {
    socket.pause()
    socket.end(ANSWER)
    setTimeout(() => socket.destroy(), 200)
  },
  'answers, and reads on': (socket) => socket.write(ANSWER),
  'answers without an end to the connection': (socket) => {
    socket.pause()
    socket.write(ANSWER.replace('Connection: close\r\n', ''))
  },
}

async function setUp(test: Test, scheme: 'http' | 'https', answer: Answer) {
  const ca = await CertificateAuthority.create(Date.now())
  const upstream = await startRawUpstream(scheme === 'http' ? null : ca, (socket, received, chunk) => {
    if (received.length === chunk.length) answer(socket)
  })
  const rules = ['deny * /no/**', 'allow * /**']
  const gateway = await startGateway(
    testPolicy({
      destinations: [destination(`${scheme}://api.example`, rules, { id: 'allow[0]', ca: ca.pem })],
      hosts: { 'api.example': { address: '127.0.0.1', port: upstream.port } },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  /** @param reads whether the client reads before it has sent everything; many do not */
  const upload = (path: string, reads: boolean, close = true): Promise<string> => {
    const socket = connect(gateway.ports.forward, '127.0.0.1')
    let received = ''
    return new Promise((resolve) => {
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(received))
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString('latin1')
        if (/\r\n\r\n[\s\S]*(too large|})/.test(received)) socket.destroy()
      })
      if (!reads) socket.pause()
      socket.write(
        `PUT ${scheme}://api.example${path} HTTP/1.1\r\nHost: api.example\r\n${close ? 'Connection: close\r\n' : ''}` +
          `Content-Length: ${String(SIZE)}\r\n\r\n`,
      )
      let left = SIZE
      const send = () => {
        while (left > 0 && !socket.destroyed) {
          left -= 65_536
          if (!socket.write(Buffer.alloc(65_536))) {
            socket.once('drain', send)
            return
          }
        }
        socket.resume()
      }
      send()
    })
  }
  return { gateway, upload }
}

for (const scheme of ['http', 'https'] as const) {
  for (const [way, answer] of Object.entries(WAYS)) {
    void t.test(`${scheme}: an upstream that ${way} while the body comes is heard`, async (test) => {
      const { gateway, upload } = await setUp(test, scheme, answer)
      for (const reads of [true, false]) {
        for (const close of [true, false]) {
          const received = await upload('/', reads, close)
          const client = `${reads ? 'reads meanwhile' : 'sends all first'}, ${close ? 'close' : 'keep-alive'}`
          test.match(received, /^HTTP\/1\.1 413 [\s\S]*too large$/, client)
        }
      }
      await eventually(() => gateway.closes.length === 4)
      for (const close of gateway.closes) test.match(close, { status: 413, outcome: 'success' })
      test.same(gateway.failures, [])
    })
  }
}

void t.test('a denial is heard by a client that sends its body first', async (test) => {
  const { gateway, upload } = await setUp(test, 'http', () => undefined)
  for (const reads of [true, false])
    test.match(await upload('/no/x', reads), /^HTTP\/1\.1 403 [\s\S]*denied-by-rule[\s\S]*}/, String(reads))
  await new Promise((resolve) => setTimeout(resolve, 100))
  test.strictSame(
    gateway.decisions.map(({ reason }) => reason),
    ['denied-by-rule', 'denied-by-rule'],
    'and what came behind the denial is no request',
  )
  test.same(gateway.failures, [])
})
