import type { IncomingMessage, RequestListener } from 'node:http'
import { createHash } from 'node:crypto'
import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { HTTPS_LISTENERS, type ListenerClient } from './fixtures/client.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { oneServicePolicy } from './fixtures/policy.js'
import { startRawUpstream, startUpstream } from './fixtures/upstream.js'

// What the heads and trailers of responses give away of a body that is redacted, and what parts of it do.

const TOKEN = 'real-token-0123456789abcdef'
const CREDENTIAL = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
const LISTENER = HTTPS_LISTENERS[0] as ListenerClient

interface Teardown {
  teardown(close: () => Promise<void>): void
}

async function gatewayTo(test: Teardown, upstream: { port: number; close(): Promise<void> }, ca: string) {
  const gateway = await startGateway(oneServicePolicy({ credential: CREDENTIAL, port: upstream.port, ca }))
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return gateway
}

async function serve(test: Teardown, listener: RequestListener): Promise<TestGateway> {
  const authority = await CertificateAuthority.create(Date.now())
  return gatewayTo(test, await startUpstream(authority, listener), authority.pem)
}

/** Everything that came, up to the end of the connection. */
async function ask(gateway: TestGateway, method: string, fields: readonly string[] = []): Promise<string> {
  const { target, host } = LISTENER.head('api.example', '/object')
  const socket = await LISTENER.open(gateway, 'api.example')
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...fields, '', '']
  socket.write(lines.join('\r\n'))
  let received = ''
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
  await new Promise((resolve) => socket.once('close', resolve))
  return received
}

const bodyOf = (received: string) => received.slice(received.indexOf('\r\n\r\n') + 4)
const fieldOf = (received: string, name: string) =>
  new RegExp(`^${name}: (.*)$`, 'im').exec(received.replaceAll('\r', ''))?.[1] ?? null

void t.test('trailers: whatever of them reaches the sandbox has no secret', async (test) => {
  const authority = await CertificateAuthority.create(Date.now())
  let wire = ''
  const upstream = await startRawUpstream(authority, (socket) => socket.end(wire, 'latin1'))
  const gateway = await gatewayTo(test, upstream, authority.pem)
  for (const [name, value] of [
    ['x-token', TOKEN],
    ['x-encoded', Buffer.from(`me:${TOKEN}`).toString('base64')],
    [`x-${TOKEN}`, '1'],
  ] as const) {
    wire =
      `HTTP/1.1 200 OK\r\nTrailer: ${name}\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `2\r\nok\r\n0\r\n${name}: ${value}\r\nx-other: harmless\r\n\r\n`
    const received = await ask(gateway, 'GET', ['TE: trailers'])
    test.match(received, /^HTTP\/1\.1 200/)
    test.match(bodyOf(received), /^2\r\nok\r\n0\r\n/, 'the control: the body came whole')
    // To the last byte, the trailers included.
    test.notMatch(received.toLowerCase(), TOKEN)
    test.notOk(received.includes(Buffer.from(`x${TOKEN}`).toString('base64').slice(2, 30)), name)
  }
})

void t.test('interim responses bring nothing', async (test) => {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startRawUpstream(authority, (socket) =>
    socket.end(
      `HTTP/1.1 103 Early Hints\r\nLink: <https://x/?${TOKEN}>\r\n\r\n` +
        `HTTP/1.1 200 ${TOKEN}\r\nX-Said: ${TOKEN}\r\nContent-Length: 2\r\n\r\nok`,
    ),
  )
  const received = await ask(await gatewayTo(test, upstream, authority.pem), 'GET')
  test.match(received, /^HTTP\/1\.1 200 [\s\S]*x-said: \*{27}\r\n[\s\S]*ok$/i)
  test.notMatch(received, TOKEN)
})

void t.test('no digest of the body that was redacted, and conditions still work', async (test) => {
  const body = `{"token":"${TOKEN}"}`
  const digest = createHash('sha256').update(body).digest('base64')
  const tag = `"${digest}"`
  const seen: IncomingMessage['headers'][] = []
  const gateway = await serve(test, (request, response) => {
    seen.push(request.headers)
    response.setHeader('etag', tag)
    if (request.headers['if-none-match']?.includes(tag) === true) {
      response.writeHead(304).end()
      return
    }
    if (['PUT', 'PATCH', 'OPTIONS', 'COPY'].includes(request.method ?? '')) {
      response.writeHead(request.headers['if-match'] === tag ? 200 : 412, { 'content-length': '0' })
      response.end()
      return
    }
    for (const name of NAMES) response.setHeader(name, digest)
    response.setHeader('x-amz-meta-md5', 'what a user stored')
    response.end(request.method === 'HEAD' ? undefined : body)
  })
  const NAMES = [
    'content-md5',
    'digest',
    'content-digest',
    'repr-digest',
    'x-amz-checksum-crc32c',
    'x-amz-checksum-sha256',
    'x-goog-hash',
    'x-ms-content-crc64',
    'x-checksum-sha1',
    'x-linked-etag',
    'signature',
  ]
  for (const method of ['GET', 'HEAD', 'POST']) {
    const received = await ask(gateway, method, method === 'POST' ? ['Content-Length: 0'] : [])
    test.notOk(received.includes(digest), method)
    test.match(fieldOf(received, 'etag'), /^"egress-[\w-]+"$/, method)
    test.equal(fieldOf(received, 'x-amz-meta-md5'), 'what a user stored')
  }
  const sealed = fieldOf(await ask(gateway, 'GET'), 'etag') ?? ''
  test.equal(fieldOf(await ask(gateway, 'GET'), 'etag'), sealed, 'the same again, so that caches can compare')
  test.match(await ask(gateway, 'GET', [`If-None-Match: "x", ${sealed}`]), /^HTTP\/1\.1 304/)
  test.equal(seen.at(-1)?.['if-none-match'], `"x", ${tag}`)
  const put = await ask(gateway, 'PUT', [`If-Match: ${sealed}`, 'Content-Length: 0'])
  test.match(put, /^HTTP\/1\.1 200/)
  test.equal(fieldOf(put, 'etag'), tag, 'what confirms an upload stays: multipart uploads name it in a body')
  for (const [method, source] of [
    ['PUT', 'x-ms-copy-source: https://store.example/with-a-token'],
    ['PUT', 'X-Amz-Copy-Source: /bucket/with-a-token'],
    ['PATCH', 'X-A: b'],
    ['OPTIONS', 'X-A: b'],
    ['COPY', 'Destination: /other'],
  ] as const) {
    const copied = await ask(gateway, method, [source, `If-Match: ${sealed}`, 'Content-Length: 0'])
    test.match(copied, /^HTTP\/1\.1 200/, `${method} ${source}`)
    test.notOk(copied.includes(digest), 'what the client did not send has no digest')
  }
  test.match(
    await ask(gateway, 'PUT', [`If-Match: "egress-${'A'.repeat(40)}"`, 'Content-Length: 0']),
    /^HTTP\/1\.1 412/,
  )
})

void t.test('parts of a secret: none is in a range, and ranges are what they are elsewhere', async (test) => {
  const object = Buffer.from(`${'a'.repeat(3_000)} ${TOKEN} ${'b'.repeat(3_000)}`)
  const redacted = object.toString().replace(TOKEN, '*'.repeat(TOKEN.length))
  let mode: 'ranges' | 'whole' | 'other' | 'short' = 'ranges'
  const asked: (string | undefined)[] = []
  const gateway = await serve(test, (request, response) => {
    const range = request.headers.range ?? (request.headers['x-ms-range'] as string | undefined)
    asked.push(range)
    const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? []
    if (range === undefined || mode === 'whole') {
      response.writeHead(200, { 'content-length': object.length }).end(object)
      return
    }
    const first = from === '' ? Math.max(object.length - Number(to), 0) : Number(from)
    if (first >= object.length) {
      response.writeHead(416, { 'content-range': `bytes */${String(object.length)}` }).end()
      return
    }
    let last = Math.min(from === '' || to === '' ? Infinity : Number(to), object.length - 1)
    if (mode === 'short') last = Math.min(last, first + 1_499)
    const shift = mode === 'other' ? 7 : 0
    const part = object.subarray(first, last + 1)
    response.writeHead(206, {
      'content-range': `bytes ${String(first + shift)}-${String(last + shift)}/${String(object.length)}`,
      'content-length': part.length,
    })
    response.end(request.method === 'HEAD' ? undefined : part)
  })
  const wrong: unknown[] = []
  for (let from = 2_990; from < 3_040; from += 1)
    for (const length of [1, 4, 13, 40]) {
      const received = await ask(gateway, 'GET', [
        `Range: bytes=${String(from)}-${String(from + length - 1)}`,
      ])
      const expected = redacted.slice(from, from + length)
      const contentRange = `bytes ${String(from)}-${String(from + length - 1)}/${String(object.length)}`
      const isRight =
        received.startsWith('HTTP/1.1 206') &&
        bodyOf(received) === expected &&
        fieldOf(received, 'content-range') === contentRange &&
        fieldOf(received, 'content-length') === String(length)
      if (!isRight) wrong.push({ from, length, received, expected })
    }
  test.strictSame(wrong, [])

  for (const [field, expected] of [
    ['Range: bytes=6000-', redacted.slice(6_000)],
    ['Range: bytes=-10', redacted.slice(-10)],
    ['Range: bytes=-99999', redacted],
    ['x-ms-range: bytes=3001-3008', '********'],
  ] as const) {
    const received = await ask(gateway, 'GET', [field])
    test.match(received, /^HTTP\/1\.1 206/, field)
    test.equal(bodyOf(received), expected, field)
  }
  const beyond = await ask(gateway, 'GET', [`Range: bytes=${String(object.length)}-`])
  test.match(beyond, /^HTTP\/1\.1 416/)
  test.equal(fieldOf(beyond, 'content-range'), `bytes */${String(object.length)}`)
  const head = await ask(gateway, 'HEAD', ['Range: bytes=10-19'])
  test.match(head, /^HTTP\/1\.1 206/)
  test.equal(fieldOf(head, 'content-length'), '10')

  for (const fields of [
    ['Range: bytes=0-1,3000-3010'],
    ['Range: bytes=0-9', 'x-ms-range: bytes=3000-3010'],
    ['Range: lines=1-2'],
  ]) {
    const received = await ask(gateway, 'GET', fields)
    test.match(received, /^HTTP\/1\.1 200/, fields.join())
    test.equal(asked.at(-1), undefined, 'other ranges are not asked for')
    test.equal(bodyOf(received), redacted)
  }
  mode = 'whole'
  test.equal(bodyOf(await ask(gateway, 'GET', ['Range: bytes=0-9'])), redacted, 'a server may send the whole')
  mode = 'other'
  test.match(await ask(gateway, 'GET', ['Range: bytes=2000-2009']), /^HTTP\/1\.1 502/, 'another part')
  mode = 'short'
  const short = await ask(gateway, 'GET', ['Range: bytes=100-5999'])
  test.match(short, /^HTTP\/1\.1 206/, 'a server may send less than was asked for')
  const [, last = '0'] = /-(\d+)\//.exec(fieldOf(short, 'content-range') ?? '') ?? []
  test.ok(Number(last) < 1_499, 'then its end was not searched to the end')
  test.equal(bodyOf(short), redacted.slice(100, Number(last) + 1))
})

void t.test('a part that was not asked for, as a part, does not pass', async (test) => {
  const object = `${'a'.repeat(100)}${TOKEN}${'b'.repeat(100)}`
  let status = 206
  const gateway = await serve(test, ({ headers }, response) => {
    // Apache httpd listens to the first, and programs to names of their own.
    const range = [headers['request-range'], headers['x-part'], headers['prefer']].flat().join('')
    const [, first, last] = /(\d+)-(\d+)/.exec(range) ?? []
    if (first === undefined || last === undefined) {
      response.end(object)
      return
    }
    const part = object.slice(Number(first), Number(last) + 1)
    const contentRange = `bytes ${first}-${last}/${String(object.length)}`
    response.writeHead(status, { 'content-range': contentRange, 'content-length': part.length }).end(part)
  })
  for (status of [206, 200])
    for (const name of ['Request-Range', 'X-Part', 'Prefer'])
      for (const range of ['bytes=100-112', '0-112', `110-${String(object.length - 1)}`]) {
        const body = bodyOf(await ask(gateway, 'GET', [`${name}: ${range}`]))
        for (const part of [TOKEN.slice(0, 13), TOKEN.slice(10)])
          test.notOk(body.includes(part), `${String(status)} ${name}: ${range}`)
      }
  const whole = await ask(gateway, 'GET', [`X-Part: 0-${String(object.length - 1)}`])
  test.equal(bodyOf(whole), object.replace(TOKEN, '*'.repeat(TOKEN.length)), 'all of it is no part')
})
