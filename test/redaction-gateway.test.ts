import type { RequestListener } from 'node:http'
import * as zlib from 'node:zlib'
import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { HTTPS_LISTENERS, type ListenerClient } from './fixtures/client.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { oneServicePolicy } from './fixtures/policy.js'
import { startRawUpstream, startUpstream, type RawUpstream, type Upstream } from './fixtures/upstream.js'
import { switchProtocols, UPGRADE } from './fixtures/websocket.js'

// What the sandbox gets of responses that hold the credential, through the whole gateway.

const TOKEN = 'real-token-0123456789abcdef'
const STARS = '*'.repeat(TOKEN.length)
const CREDENTIAL = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
const LISTENER = HTTPS_LISTENERS[0] as ListenerClient

interface Setting<U> {
  readonly gateway: TestGateway
  readonly upstream: U
}

interface Teardown {
  teardown(close: () => Promise<void>): void
}

async function setUp<U extends Upstream | RawUpstream>(
  test: Teardown,
  start: (authority: CertificateAuthority) => Promise<U>,
  credential: typeof CREDENTIAL | null = CREDENTIAL,
): Promise<Setting<U>> {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await start(authority)
  const gateway = await startGateway(
    oneServicePolicy({
      credential,
      port: upstream.port,
      ca: authority.pem,
      http: { responseTimeoutMs: 60_000, idleTimeoutMs: 60_000 },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, upstream }
}

const serve = (listener: RequestListener) => (authority: CertificateAuthority) =>
  startUpstream(authority, listener)

interface Answer {
  readonly status: number
  readonly head: string
  /** The body without its chunk framing; null when the connection was cut before its end. */
  readonly body: Buffer | null
}

/** One request, and all that comes back until the connection ends. */
async function ask(
  gateway: TestGateway,
  listener: ListenerClient,
  method: string,
  fields: readonly string[] = [],
) {
  const { target, host } = listener.head('api.example', '/')
  const socket = await listener.open(gateway, 'api.example')
  socket.write(
    [`${method} ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...fields, '', ''].join('\r\n'),
  )
  const parts: Buffer[] = []
  socket.on('data', (chunk: Buffer) => parts.push(chunk))
  await new Promise((resolve) => socket.once('close', resolve))
  return readResponse(Buffer.concat(parts))
}

function readResponse(bytes: Buffer): Answer {
  const end = bytes.indexOf('\r\n\r\n') + 4
  const head = bytes.toString('latin1', 0, end)
  const rest = bytes.subarray(end)
  const status = Number(head.slice(9, 12))
  if (!/transfer-encoding: chunked/i.test(head)) return { status, head, body: rest }
  const parts: Buffer[] = []
  for (let at = 0; ;) {
    const line = rest.indexOf('\r\n', at)
    if (line < 0) return { status, head, body: null }
    const size = parseInt(rest.toString('latin1', at, line), 16)
    if (size === 0) return { status, head, body: Buffer.concat(parts) }
    parts.push(rest.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
}

const closed = async (gateway: TestGateway) => {
  // Every decision that let something through has its close in the end.
  await eventually(
    () => gateway.closes.length >= gateway.decisions.filter(({ verdict }) => verdict === 'allow').length,
  )
  return gateway.closes.at(-1)
}

const TEXT = Buffer.from(
  `{"token":"${TOKEN}","again":"${Buffer.from(`me:${TOKEN}`).toString('base64')}"}\n`.repeat(50),
)

const CODED: Readonly<Record<string, readonly [coding: string, body: Buffer]>> = {
  gzip: ['gzip', zlib.gzipSync(TEXT)],
  'gzip in two members': ['x-gzip', Buffer.concat([zlib.gzipSync(TEXT), zlib.gzipSync(TEXT)])],
  deflate: ['deflate', zlib.deflateSync(TEXT)],
  'deflate without a header': ['Deflate', zlib.deflateRawSync(TEXT)],
  brotli: ['br', zlib.brotliCompressSync(TEXT)],
  'brotli on gzip': ['gzip, br', zlib.brotliCompressSync(zlib.gzipSync(TEXT))],
  ...('zstdCompressSync' in zlib
    ? { zstd: ['zstd', (zlib.zstdCompressSync as (bytes: Buffer) => Buffer)(TEXT)] as const }
    : {}),
}

for (const listener of HTTPS_LISTENERS) {
  void t.test(`${listener.name}: compressed responses come plain and redacted`, async (test) => {
    let coded = CODED['gzip'] ?? ['', Buffer.alloc(0)]
    const { gateway } = await setUp(
      test,
      serve((_request, response) => {
        const [coding, body] = coded
        response.writeHead(200, {
          'content-encoding': coding,
          'content-length': String(body.length),
          etag: '"v1"',
          digest: 'sha-256=AAAA',
          vary: 'Accept-Encoding',
        })
        response.end(body)
      }),
    )
    for (const [name, one] of Object.entries(CODED)) {
      coded = one
      const { status, head, body } = await ask(gateway, listener, 'GET')
      const text = String(body)
      test.equal(status, 200, name)
      test.notMatch(head, /content-encoding|content-length|digest/i, name)
      test.match(head, /etag: W\/"egress-[\w-]+"[\s\S]*vary: Accept-Encoding/i, name)
      test.match(text, `{"token":"${STARS}","again":"`, name)
      test.notMatch(text, TOKEN)
      test.notMatch(text, Buffer.from(`x${TOKEN}`).toString('base64').slice(2, 30))
      const count = name === 'gzip in two members' ? 200 : 100
      test.match(
        await closed(gateway),
        { outcome: 'success', redactions: [{ credential: 'api/bearer', count }] },
        name,
      )
    }
  })

  void t.test(`${listener.name}: a coded stream that is cut or damaged has no clean end`, async (test) => {
    let wire = Buffer.alloc(0)
    let coding = ''
    const { gateway } = await setUp(
      test,
      serve((_request, response) => {
        response.writeHead(200, { 'content-encoding': coding })
        response.end(wire)
      }),
    )
    // Random, so that the half that is left stands for much of the text.
    const long = Buffer.from(Array.from({ length: 40_000 }, () => Math.random().toString(36)).join())
    for (const [name, whole] of [
      ['gzip', zlib.gzipSync(long)],
      ['deflate', zlib.deflateSync(long)],
      ['br', zlib.brotliCompressSync(long, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })],
    ] as const) {
      coding = name
      const damaged = Buffer.from(whole)
      damaged.fill(0xff, whole.length - 2_000, whole.length - 1_000)
      for (const bad of [whole.subarray(0, whole.length / 2), whole.subarray(0, -1), damaged]) {
        wire = bad
        const { body } = await ask(gateway, listener, 'GET')
        test.equal(body, null, `${name}: the end is missing`)
        test.match(await closed(gateway), { outcome: 'failure', reason: 'upstream-encoding' }, name)
      }
    }
    coding = 'gzip'
    wire = Buffer.from('no gzip at all')
    test.equal((await ask(gateway, listener, 'GET')).status, 502, 'and what does not even begin is 502')
  })

  void t.test(
    `${listener.name}: an event reaches the client before the next is sent, compressed`,
    async (test) => {
      for (const coding of ['gzip', 'br'] as const) {
        let next: () => void = () => undefined
        const given = new Promise<void>((resolve) => (next = resolve))
        const { gateway } = await setUp(
          test,
          serve((_request, response) => {
            response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': coding })
            const coder = coding === 'gzip' ? zlib.createGzip() : zlib.createBrotliCompress()
            coder.pipe(response)
            coder.write('data: one\n\n')
            coder.flush()
            void given.then(() => coder.end('data: two\n\n'))
          }),
        )
        const { target, host } = listener.head('api.example', '/events')
        const socket = await listener.open(gateway, 'api.example')
        let received = ''
        const has = (text: string) =>
          new Promise<void>((resolve) => {
            const check = () => {
              if (received.includes(text)) resolve()
            }
            socket.on('data', check)
            check()
          })
        socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
        socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
        await has('data: one\n\n')
        next()
        await has('data: two\n\n')
        await has('0\r\n\r\n')
        socket.destroy()
        test.pass(coding)
      }
    },
  )
}

void t.test('what cannot be decoded is refused, and only then', async (test) => {
  let fields: Record<string, string> = {}
  let status = 200
  const { gateway } = await setUp(
    test,
    serve((request, response) => {
      response.writeHead(status, fields)
      response.end(request.method === 'HEAD' || status === 304 ? undefined : zlib.gzipSync(TEXT))
    }),
  )
  for (const [coding, code] of [
    ['compress', 200],
    ['gzip, gzip, gzip', 200],
    ['aes128gcm', 200],
    ['gzip', 206],
  ] as const) {
    fields = { 'content-encoding': coding }
    status = code
    test.equal((await ask(gateway, LISTENER, 'GET')).status, 502, `${coding} ${String(code)}`)
    test.match(await closed(gateway), { outcome: 'failure', reason: 'upstream-encoding' })
  }
  fields = { 'content-encoding': 'gzip', 'content-length': '999', etag: '"v1"' }
  status = 200
  const { head } = await ask(gateway, LISTENER, 'HEAD')
  test.match(head, /^HTTP\/1.1 200[\s\S]*etag: W\/"egress-[\w-]+"/i, 'HEAD says what GET would')
  test.notMatch(head, /content-encoding|content-length/i)
  fields = { 'content-encoding': 'compress' }
  test.equal((await ask(gateway, LISTENER, 'HEAD')).status, 200, 'there is no body to decode')
  status = 304
  test.equal((await ask(gateway, LISTENER, 'GET')).status, 304)
})

void t.test('a compressed file that is no content coding passes as it is', async (test) => {
  const file = zlib.gzipSync(TEXT)
  const { gateway } = await setUp(
    test,
    serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/gzip', 'content-length': String(file.length) })
      response.end(file)
    }),
  )
  test.ok((await ask(gateway, LISTENER, 'GET')).body?.equals(file))
})

void t.test('without a credential nothing is decoded', async (test) => {
  const body = zlib.gzipSync(TEXT)
  const { gateway } = await setUp(
    test,
    serve((_request, response) => {
      response.writeHead(200, {
        'content-encoding': 'gzip',
        'content-length': String(body.length),
        etag: '"v1"',
      })
      response.end(body)
    }),
    null,
  )
  const answer = await ask(gateway, LISTENER, 'GET')
  test.match(answer.head, /content-encoding: gzip[\s\S]*etag: "v1"/i)
  test.ok(answer.body?.equals(body))
})

void t.test('trailers and transfer codings hide nothing', async (test) => {
  let wire = ''
  const { gateway } = await setUp(test, (authority) =>
    startRawUpstream(authority, (socket) => socket.end(wire, 'latin1')),
  )
  wire = `HTTP/1.1 200 OK\r\nTrailer: x-token\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-token: ${TOKEN}\r\n\r\n`
  const answer = await ask(gateway, LISTENER, 'GET', ['TE: trailers'])
  test.equal(String(answer.body), 'ok')
  test.notMatch(answer.head, /trailer|x-token/i)
  const gzip = zlib.gzipSync(TEXT).toString('latin1')
  wire = `HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n${gzip.length.toString(16)}\r\n${gzip}\r\n0\r\n\r\n`
  test.equal((await ask(gateway, LISTENER, 'GET')).status, 502)
})

void t.test('a small body that stands for a large one takes no memory', async (test) => {
  const bomb = zlib.gzipSync(Buffer.alloc(512 * 2 ** 20), { level: 1 })
  const { gateway } = await setUp(
    test,
    serve((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)),
  )
  const { target, host } = LISTENER.head('api.example', '/')
  const socket = await LISTENER.open(gateway, 'api.example')
  socket.pause()
  const before = process.memoryUsage.rss()
  socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  const grown = (process.memoryUsage.rss() - before) / 2 ** 20
  test.ok(grown < 128, `${grown.toFixed(0)} MiB for 512 MiB that nobody reads`)
  socket.destroy()
  test.match(await closed(gateway), { reason: 'client-abort' })
})

for (const listener of HTTPS_LISTENERS) {
  void t.test(`${listener.name}: WebSocket messages are redacted, and frames are checked`, async (test) => {
    let [answer, extension] = ['', '']
    const { gateway } = await setUp(test, (authority) =>
      startRawUpstream(authority, (socket, received) =>
        socket.end(switchProtocols(received, extension) + answer, 'latin1'),
      ),
    )
    const upgrade = async (): Promise<string> => {
      const { target, host } = listener.head('api.example', '/')
      const socket = await listener.open(gateway, 'api.example')
      socket.write([`GET ${target} HTTP/1.1`, `Host: ${host}`, ...UPGRADE, '', ''].join('\r\n'))
      let received = ''
      socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
      await new Promise((resolve) => socket.once('close', resolve))
      return received
    }
    const frame = (first: number, text: string) => String.fromCharCode(first, text.length) + text
    answer = `${frame(1, TOKEN.slice(0, 12))}${frame(0x89, 'ping')}${frame(0x80, `${TOKEN.slice(12)}!`)}`
    const expected = `${frame(1, '*'.repeat(12))}${frame(0x89, 'ping')}${frame(0x80, `${'*'.repeat(15)}!`)}`
    test.ok((await upgrade()).endsWith(`\r\n\r\n${expected}`))
    test.match(await closed(gateway), {
      outcome: 'success',
      redactions: [{ credential: 'api/bearer', count: 1 }],
    })

    answer = `${frame(0x81, 'fine')}${frame(0xc1, 'compressed')}`
    test.notMatch(await upgrade(), 'compressed', 'a frame of an extension')
    test.match(await closed(gateway), { outcome: 'failure', reason: 'upstream-protocol', status: 101 })

    extension = 'Sec-WebSocket-Extensions: permessage-deflate\r\n'
    answer = frame(0xc1, 'compressed')
    const refused = await upgrade()
    test.match(refused, /^HTTP\/1\.1 502/, 'an extension that nobody offered')
    test.notMatch(refused, 'compressed')
  })
}
