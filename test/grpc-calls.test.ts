import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import t, { type Test } from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { callWithGrpcurl, runPython, WITHOUT_GRPCIO, WITHOUT_GRPCURL } from './fixtures/grpc-clients.js'
import { startGateway } from './fixtures/gateway.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { ECHO, startGrpc } from './servers/grpc.js'

// Calls of every shape, by unmodified clients of three languages, with a credential that they do not have.

const HOST = 'calls.example'
const TOKEN = 'real-token-0123456789abcdef'
const STARS = '*'.repeat(TOKEN.length)
const CREDENTIAL = bearer.bind('calls/bearer', { token: new Secret('CALLS_TOKEN', TOKEN) })

async function setUp(t: Test) {
  const directory = t.testdir({})
  const of = (name: string) => `${directory}/${name}`
  const subject = ['-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`, '-days', '2']
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...key, '-keyout', of('key'), '-out', of('cert'), ...subject], {
    stdio: 'ignore',
  })
  const cert = readFileSync(of('cert'), 'utf8')
  const upstream = await startGrpc({ key: readFileSync(of('key')), cert }, TOKEN)
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination(`https://${HOST}`, ['deny GRPC test.v1.Echo/Delete', 'allow GRPC test.v1.Echo/*'], {
          id: 'services.calls',
          service: 'calls',
          ca: cert,
        }),
      ],
      services: [service('calls', `https://${HOST}`, CREDENTIAL)],
      hosts: { [HOST]: { address: '127.0.0.1', port: upstream.port } },
    }),
  )
  const bundle = of('ca.pem')
  writeFileSync(bundle, gateway.ca)
  t.teardown(async () => {
    await gateway.close()
    upstream.close()
  })
  const where = { proxy: `http://127.0.0.1:${String(gateway.ports.forward)}`, bundle, directory }
  const injected = () => {
    t.ok(upstream.calls.length > 0)
    for (const [method, authorization] of upstream.calls) t.equal(authorization, `Bearer ${TOKEN}`, method)
  }
  return { gateway, upstream, where, injected }
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

void t.test('grpc-js', async (t) => {
  const { gateway, upstream, where, injected } = await setUp(t)
  process.env['grpc_proxy'] = where.proxy
  const client = new Client(`${HOST}:443`, credentials.createSsl(Buffer.from(gateway.ca)))
  Reflect.deleteProperty(process.env, 'grpc_proxy')
  t.teardown(() => client.close())
  const of = ({ path, requestSerialize: write, responseDeserialize: read }: (typeof ECHO)['Unary']) =>
    [path, write, read] as const
  const settled = (resolve: (result: unknown) => void) => (error: ServiceError | null, text?: string) =>
    resolve(error ?? text)

  t.equal(
    await new Promise((resolve) => client.makeUnaryRequest(...of(ECHO.Unary), 'a', settled(resolve))),
    'hello a',
  )
  const collected = await new Promise((resolve) => {
    const call = client.makeClientStreamRequest(...of(ECHO.Collect), settled(resolve))
    call.write('a')
    call.write('b')
    call.end()
  })
  t.equal(collected, 'hello a+b')
  const repeated: string[] = []
  for await (const text of client.makeServerStreamRequest(...of(ECHO.Repeat), 'a'))
    repeated.push(String(text))
  t.same(repeated, ['hello a 0', 'hello a 1', 'hello a 2'])

  // Each message is answered before the next one is written.
  const chat = client.makeBidiStreamRequest(...of(ECHO.Chat))
  const next = () => new Promise((resolve) => chat.once('data', resolve))
  for (const text of ['a', 'b', 'c']) {
    const answer = next()
    chat.write(text)
    t.equal(await answer, `hello ${text}`)
  }
  const ended = new Promise((resolve) => chat.once('status', resolve))
  chat.end()
  t.match(await ended, { code: 0 })

  const said = await new Promise((resolve) =>
    client.makeUnaryRequest(...of(ECHO.Unary), 'secret', settled(resolve)),
  )
  t.equal(said, `it is ${STARS}`, 'a secret in a message')
  const failed = await new Promise<ServiceError>((resolve, reject) =>
    client.makeUnaryRequest(...of(ECHO.Unary), 'fail', (error) =>
      error === null ? reject(new Error('it did not fail')) : resolve(error),
    ),
  )
  t.match(failed, { code: 5, details: `no ${STARS} here` }, 'in the status')
  t.same(failed.metadata.get('x-secret'), [`a ${STARS}`], 'in trailers')
  t.equal(String(failed.metadata.get('x-secret-bin')[0]?.toString('latin1')), `\0${STARS}\xff`)

  const deadline = { deadline: Date.now() + 500 }
  const late = await new Promise((resolve) =>
    client.makeUnaryRequest(...of(ECHO.Sleep), 'x', deadline, settled(resolve)),
  )
  t.match(late, { code: 4 }, 'a deadline')
  const cancelledBefore = upstream.cancelled.length
  const cancelled = new Promise((resolve) => {
    const call = client.makeUnaryRequest(...of(ECHO.Sleep), 'x', settled(resolve))
    void until(() => upstream.calls.filter(([method]) => method === 'Sleep').length === 2).then(() =>
      call.cancel(),
    )
  })
  t.match(await cancelled, { code: 1 }, 'a cancelled call')
  await until(() => upstream.cancelled.length > cancelledBefore)
  injected()
  t.same(gateway.failures, [])
})

void t.test('grpcio', { skip: WITHOUT_GRPCIO }, async (t) => {
  const { where, injected } = await setUp(t)
  const printed = await runPython(where, HOST, 'calls')
  for (const line of [
    'unary hello a',
    'collect hello a+b',
    'repeat hello a 0|hello a 1|hello a 2',
    'chat hello a|hello b',
    `secret it is ${STARS}`,
    `gzip hello ${'a'.repeat(100)}`,
    `fail NOT_FOUND no ${STARS} here`,
    'deadline DEADLINE_EXCEEDED',
    'cancelled True',
    `'x-secret': 'a ${STARS}'`,
  ])
    t.match(printed, line)
  t.notMatch(printed, TOKEN)
  injected()
})

void t.test('grpcurl', { skip: WITHOUT_GRPCURL, timeout: 300_000 }, async (t) => {
  const { where, injected } = await setUp(t)
  const call = (method: string, texts: readonly string[], ...options: string[]) =>
    callWithGrpcurl(where, HOST, method, texts, options)
  t.match(await call('Unary', ['a']), '"text": "hello a"')
  t.match(await call('Collect', ['a', 'b']), '"text": "hello a+b"')
  t.match(await call('Repeat', ['a']), /hello a 0[^]*hello a 1[^]*hello a 2/)
  t.match(await call('Chat', ['a', 'b']), /hello a[^]*hello b/)
  t.match(await call('Unary', ['secret'], '-v'), `it is ${STARS}`)
  t.match(await call('Sleep', ['x'], '-max-time', '1'), 'DeadlineExceeded')
  injected()
})
