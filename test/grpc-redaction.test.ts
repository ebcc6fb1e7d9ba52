import { request, type IncomingHttpHeaders } from 'node:http'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway } from './fixtures/gateway.js'
import { oneServicePolicy } from './fixtures/policy.js'
import { startUpstream } from './fixtures/upstream.js'

// Messages of gRPC on their way back, whatever carries them: gRPC-Web comes by HTTP/1.1.

const TOKEN = 'real-token-0123456789abcdef'
/** What no rule of gRPC is about. */
const CONNECT: readonly string[] = ['allow POST /a.B/C']
const STARS = '*'.repeat(TOKEN.length)
const CREDENTIAL = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })

function frame(text: string | Buffer, flags = 0): Buffer {
  const head = Buffer.alloc(5)
  head[0] = flags
  head.writeUInt32BE(text.length, 1)
  return Buffer.concat([head, Buffer.from(text)])
}

async function setUp(
  t: Test,
  headers: Record<string, string>,
  body: Buffer,
  rules: readonly string[] = ['allow GRPC a.B/*'],
) {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(authority, (asked, response) => {
    asked.resume().on('end', () => {
      response.writeHead(200, { ...headers, 'content-length': String(body.length) })
      response.end(body)
    })
  })
  const gateway = await startGateway(
    oneServicePolicy({ credential: CREDENTIAL, port: upstream.port, ca: authority.pem, rules }),
  )
  t.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  const call = (type: string) =>
    new Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }>((resolve, reject) => {
      const sent = request({
        host: '127.0.0.1',
        port: gateway.ports.reverse,
        method: 'POST',
        path: '/api/a.B/C',
        headers: {
          host: 'egress:9199',
          'content-type': type,
          'grpc-accept-encoding': 'identity,gzip',
          'connect-accept-encoding': 'gzip',
          'grpc-timeout': '30S',
        },
        agent: false,
      })
      sent.on('error', reject)
      sent.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        )
      })
      sent.end(frame('hello'))
    })
  return { gateway, upstream, call }
}

void t.test('secrets in messages are replaced, and lengths stay true', async (t) => {
  const type = 'application/grpc-web+proto'
  const body = [frame(`x${TOKEN}`), frame('y'), frame(`grpc-message: ${TOKEN}\r\n`, 0x80)]
  const { call, gateway, upstream } = await setUp(t, { 'content-type': type }, Buffer.concat(body))
  const answer = await call(type)
  const expected = [frame(`x${STARS}`), frame('y'), frame(`grpc-message: ${STARS}\r\n`, 0x80)]
  t.same(answer.body, Buffer.concat(expected))
  t.match(upstream.requests, [
    {
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'grpc-timeout': '30S',
        'grpc-accept-encoding': 'identity',
        'connect-accept-encoding': 'identity',
      },
    },
  ])
  t.ok(await eventually(() => gateway.closes.length === 1))
  t.match(gateway.closes, [{ outcome: 'success', redactions: [{ credential: 'api/bearer', count: 2 }] }])
})

void t.test('compressed messages are opened', async (t) => {
  const type = 'application/grpc'
  const body = Buffer.concat([frame(gzipSync(`x${TOKEN}`), 1), frame('y')])
  const { call } = await setUp(t, { 'content-type': type, 'grpc-encoding': 'gzip' }, body)
  const answer = await call(type)
  t.same(answer.body, Buffer.concat([frame(`x${STARS}`), frame('y')]))
  t.equal(answer.headers['content-length'], undefined, 'the length is another one')
})

void t.test('streams of Connect are opened, up to their last message', async (t) => {
  const type = 'application/connect+proto'
  const last = JSON.stringify({ error: { code: 'internal', message: TOKEN } })
  const body = Buffer.concat([frame(gzipSync(`x${TOKEN}`), 1), frame('y'), frame(gzipSync(last), 3)])
  const { call } = await setUp(t, { 'content-type': type, 'connect-content-encoding': 'gzip' }, body, CONNECT)
  const answer = await call(type)
  const expected = [frame(`x${STARS}`), frame('y'), frame(last.replace(TOKEN, STARS), 2)]
  t.same(answer.body, Buffer.concat(expected))
})

void t.test('messages that are compressed in a way that cannot be undone do not pass', async (t) => {
  for (const [type, encodings, passes] of [
    ['application/connect+proto', { 'connect-content-encoding': 'br' }, false],
    ['application/connect+proto', { 'connect-content-encoding': 'deflate', 'grpc-encoding': 'gzip' }, false],
    ['application/grpc, application/grpc', { 'grpc-encoding': 'snappy' }, false],
    ['application/connect+proto', { 'connect-content-encoding': 'identity' }, true],
  ] as const) {
    const body = frame('some words', passes ? 0 : 1)
    const { call, gateway } = await setUp(t, { 'content-type': type, ...encodings }, body, CONNECT)
    const answer = await call('application/connect+proto')
    t.equal(answer.body.equals(body), passes, `${type} in ${JSON.stringify(encodings)}`)
    t.ok(await eventually(() => gateway.closes.length === 1))
    t.equal(gateway.closes[0]?.reason ?? null, passes ? null : 'upstream-encoding')
  }
})

void t.test('gRPC-Web in base64', async (t) => {
  const type = 'application/grpc-web-text'
  const body = Buffer.from(frame(`x${TOKEN}`).toString('base64'))
  const { call } = await setUp(t, { 'content-type': type }, body)
  t.same(Buffer.from(String((await call(type)).body), 'base64'), frame(`x${STARS}`))
})

void t.test('what cannot be opened is a status of gRPC, with the reason', async (t) => {
  const type = 'application/grpc'
  const body = frame(TOKEN, 1)
  const { call, gateway } = await setUp(t, { 'content-type': type, 'grpc-encoding': 'snappy' }, body)
  const answer = await call(type)
  t.match(answer, { status: 200, headers: { 'content-type': type, 'grpc-status': '14' } })
  t.match(answer.headers['grpc-message'], 'egress: upstream-encoding: ')
  t.equal(answer.body.length, 0)
  t.match(gateway.closes, [{ outcome: 'failure', reason: 'upstream-encoding' }])
})

void t.test('no rule allows another service', async (t) => {
  const { call, upstream } = await setUp(t, {}, Buffer.alloc(0))
  t.match(await call('application/json'), {
    status: 403,
    headers: { 'content-type': 'application/problem+json' },
  })
  t.same(upstream.requests, [])
  t.match(await call('application/grpc'), { status: 200 })
  t.equal(upstream.requests.length, 1)
})
