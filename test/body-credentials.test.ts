import { createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import { loadPolicy } from '#config/load.js'
import { writeFiles } from '#config/test-fixtures.js'
import type { Credential } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { body, MAX_FIELD_BODY } from '#proxy/credentials/body.js'
import { hmac, MAX_SIGNED_BODY } from '#proxy/credentials/hmac.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { connectThrough, exchangeBytes, tls, type ExchangeOptions } from './fixtures/client.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway } from './fixtures/gateway.js'
import { oneServicePolicy } from './fixtures/policy.js'
import { startUpstream } from './fixtures/upstream.js'

// Credentials that read a body before it is sent, or change it.

const SECRET = 'real-secret-0123456789'
const plain = (text: string) => new Secret('plain text', text, [])

const signing = (what: string) =>
  hmac.bind('api/hmac', {
    secret: new Secret('SECRET', SECRET),
    header: plain('X-Signature'),
    sign: plain(what),
  })

async function setUp(t: Test, credential: Credential) {
  const authority = await CertificateAuthority.create(Date.now())
  const bodies: string[] = []
  const upstream = await startUpstream(authority, (request, response) => {
    let received = ''
    request.on('data', (chunk: Buffer) => (received += chunk.toString()))
    request.on('end', () => {
      bodies.push(received)
      response.end(`you sent ${received.slice(0, 200)}`)
    })
  })
  const gateway = await startGateway(oneServicePolicy({ credential, port: upstream.port, ca: authority.pem }))
  t.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  const post = async (head: string, content: string, options: ExchangeOptions = {}) => {
    const { socket } = await connectThrough(gateway, 'api.example:443')
    return exchangeBytes(
      await tls(gateway, socket, 'api.example'),
      `POST /a HTTP/1.1\r\nHost: api.example\r\n${head}\r\n${content}`,
      options,
    )
  }
  return { gateway, upstream, bodies, post }
}

const TYPE = 'Content-Type: application/json\r\nConnection: close\r\n'
const CHUNKED = `${TYPE}Transfer-Encoding: chunked\r\n`

void t.test('a field that is set changes the length, and what is said back is redacted', async (t) => {
  const { post, bodies, upstream, gateway } = await setUp(
    t,
    body.bind('api/body', { field: plain('auth.token'), value: new Secret('TOKEN', SECRET) }),
  )
  const expected = `{"auth":{"token":"${SECRET}"},"n":12345678901234567890}`
  const sent = '{"auth":{"token":"dummy"},"n":12345678901234567890}'
  const bySize = await post(`${TYPE}Content-Length: ${String(sent.length)}\r\n`, sent)
  const byChunk = await post(CHUNKED, `5\r\n${sent.slice(0, 5)}\r\n2e\r\n${sent.slice(5)}\r\n0\r\n\r\n`)
  for (const answer of [bySize, byChunk]) {
    t.match(answer, /^HTTP\/1\.1 200 [\s\S]*you sent \{"auth"/)
    t.notMatch(answer, SECRET)
  }
  t.strictSame(bodies, [expected, expected])
  for (const { headers } of upstream.requests) t.equal(headers['content-length'], String(expected.length))
  const expecting = await post(
    `${TYPE}Content-Length: ${String(sent.length)}\r\nExpect: 100-continue\r\n`,
    sent,
  )
  t.match(expecting, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
  t.match(await post(`${TYPE}Content-Length: 2\r\n`, '[]'), /^HTTP\/1\.1 403 [\s\S]*credential-unsupported/)
  const size = (MAX_FIELD_BODY + 1).toString(16)
  t.match(
    await post(CHUNKED, `${size}\r\n${' '.repeat(MAX_FIELD_BODY + 1)}\r\n0\r\n\r\n`),
    /^HTTP\/1\.1 413 /,
  )
  await post(`${TYPE}Content-Length: 100\r\n`, '{', { limitMs: 300 })
  t.equal(upstream.requests.length, 3, 'none of the others arrived')
  t.strictSame(gateway.failures, [])
})

void t.test('a body that is signed arrives as it was signed', async (t) => {
  const { post, bodies, upstream } = await setUp(t, signing('{method} {path} {host}{lf}{body}'))
  await post(`${CHUNKED}X-Signature: placeholder\r\n`, '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n')
  const expected = createHmac('sha256', SECRET).update('POST /a api.example\nhello world').digest('hex')
  t.strictSame(bodies, ['hello world'])
  t.equal(upstream.requests[0]?.headers['x-signature'], expected)
})

void t.test('bodies that are held take no more than their share of the memory', async (t) => {
  const { gateway, bodies, post } = await setUp(t, signing('{body}'))
  const length = `${TYPE}Content-Length: ${String(MAX_SIGNED_BODY)}\r\n`
  const held = await Promise.all(
    Array.from({ length: 15 }, async () => {
      const { socket } = await connectThrough(gateway, 'api.example:443')
      const secure = await tls(gateway, socket, 'api.example')
      secure.on('error', () => undefined)
      // All of it but the last byte, for ever.
      secure.write(`POST /a HTTP/1.1\r\nHost: api.example\r\n${length}\r\n`)
      secure.write(Buffer.alloc(MAX_SIGNED_BODY - 1, 'x'))
      return secure
    }),
  )
  // What any connection and any request holds is counted with it.
  const each = MAX_SIGNED_BODY - 1 + (48 + 144) * 1024
  t.ok(await eventually(() => gateway.heldBytes() === 15 * each, 20_000))
  const body = 'x'.repeat(1300 * 1024)
  const answer = () => post(`${TYPE}Content-Length: ${String(body.length)}\r\n`, body)
  t.match(await answer(), /^HTTP\/1\.1 503 [\s\S]*retry-after: 1\r\n[\s\S]*"busy"/i)
  held.pop()?.destroy()
  t.ok(await eventually(() => gateway.heldBytes() === 14 * each))
  t.match(await answer(), /^HTTP\/1\.1 200 /)
  held.pop()?.write('x')
  t.ok(await eventually(() => bodies.some(({ length }) => length === MAX_SIGNED_BODY)))
  for (const socket of held) socket.destroy()
  t.ok(await eventually(() => gateway.heldBytes() === 0))
})

void t.test('so does what is held of a body while it streams', async (t) => {
  const kept: Credential = {
    ...signing('{path}'),
    inject({ body: content, headers }) {
      const whole = headers['x-hold'] !== undefined
      content?.transform(async function* (chunks) {
        const pieces: Buffer[] = []
        for await (const chunk of chunks) {
          if (whole) pieces.push(chunk)
          else yield chunk
        }
        yield* pieces
      }, null)
      return null
    },
  }
  const { post, bodies, gateway } = await setUp(t, kept)
  const mebibytes = (count: number) => `100000\r\n${'x'.repeat(1024 ** 2)}\r\n`.repeat(count) + '0\r\n\r\n'
  t.match(await post(`${CHUNKED}X-Hold: 1\r\n`, mebibytes(65)), /^HTTP\/1\.1 503 [\s\S]*"busy"/)
  t.match(await post(`${CHUNKED}X-Hold: 1\r\n`, mebibytes(8)), /^HTTP\/1\.1 200 /)
  t.match(await post(CHUNKED, mebibytes(80)), /^HTTP\/1\.1 200 /)
  t.strictSame(
    bodies.map(({ length }) => length / 1024 ** 2),
    [8, 80],
  )
  t.match(gateway.closes.at(-3), { outcome: 'failure', reason: 'busy' })
})

void t.test('what is still to come of a body when its upstream has answered is not held', async (t) => {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(authority, (_request, response) => response.end('early'))
  const slow: Credential = {
    ...signing('{path}'),
    inject({ body: content }) {
      content?.transform(async function* (chunks) {
        yield Buffer.from('first')
        const pieces: Buffer[] = []
        for await (const chunk of chunks) {
          await new Promise((resolve) => setTimeout(resolve, 3))
          pieces.push(chunk)
        }
        yield* pieces
      }, null)
      return null
    },
  }
  const gateway = await startGateway(
    oneServicePolicy({ credential: slow, port: upstream.port, ca: authority.pem }),
  )
  t.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  for (let i = 0; i < 4; i += 1) {
    const { socket } = await connectThrough(gateway, 'api.example:443')
    const length = String(2 ** 20)
    await exchangeBytes(
      await tls(gateway, socket, 'api.example'),
      `POST /a HTTP/1.1\r\nHost: api.example\r\n${TYPE}Content-Length: ${length}\r\n\r\n${'x'.repeat(2 ** 20)}`,
    )
  }
  t.ok(await eventually(() => gateway.heldBytes() === 0))
})

void t.test('policies that sign, as docs/policy.md has them', async (t) => {
  const load = async (credential: string) => {
    const cwd = writeFiles(t.testdir({}), {
      'egress.yaml': `services:\n  api:\n    url: https://api.example.com\n    credential:\n      ${credential}\n    rules: [{ allow: GET /** }]\n`,
    })
    const env = { KEY_ID: 'AKIAIOSFODNN7EXAMPLE', KEY: SECRET, TOKEN: 'session-0123456789' }
    const { policy } = await loadPolicy('egress.yaml', { kinds: CREDENTIAL_KINDS, env, cwd })
    return policy.services.get('api')
  }
  const keys = 'access_key: "${KEY_ID}", secret_key: "${KEY}"'
  const s3 = await load(`sigv4: { ${keys}, session_token: "\${TOKEN}", region: eu-central-1, service: s3 }`)
  t.equal(s3?.credential?.id, 'api/sigv4')
  t.match(s3?.placeholders, { KEY_ID: { prefix: 'AKIA', length: 20 }, KEY: {}, TOKEN: {} })
  t.match((await load(`sigv4: { ${keys}, region: auto, service: s3 }`))?.credential, { kind: 'sigv4' })
  const signed = 'sign: "v0:{timestamp}:{body}", format: "v0={hex}", timestamp_header: X-T'
  t.match((await load(`hmac: { secret: "\${KEY}", header: X-S, ${signed} }`))?.credential, { kind: 'hmac' })
  t.match((await load('body: { field: auth.token, value: "${KEY}" }'))?.credential, { kind: 'body' })
  for (const bad of [
    `sigv4: { ${keys}, region: eu/central, service: s3 }`,
    'sigv4: { access_key: AKIAIOSFODNN7EXAMPLE, secret_key: "${KEY}", region: r, service: s3 }',
    'hmac: { secret: "${KEY}", header: X-S, sign: "{nothing}" }',
    'body: { field: "a..b", value: "${KEY}" }',
  ])
    await t.rejects(load(bad), { name: 'PolicyError' }, bad)
})
