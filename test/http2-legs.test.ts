import { createSecureServer, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import { request as requestHttps } from 'node:https'
import { request as requestHttp } from 'node:http'
import type { Socket } from 'node:net'
import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { ask, openPlainSession, openSession } from './fixtures/http2-client.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { forAnyName, listen, startUpstream } from './fixtures/upstream.js'

const TOKEN = 'real-token-0123456789abcdef'
const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
const STARRED = '*'.repeat(TOKEN.length)

interface Teardown {
  teardown(close: () => Promise<void> | void): void
}

type Answer = (stream: ServerHttp2Stream, headers: Record<string, unknown>, raw: readonly string[]) => void

/** An upstream that speaks HTTP/2 alone. */
async function startHttp2(
  test: Teardown,
  authority: CertificateAuthority | null,
  answer: Answer,
): Promise<{ port: number; connections: Socket[] }> {
  const server: Http2Server = authority === null ? createServer() : createSecureServer(forAnyName(authority))
  const connections: Socket[] = []
  server.on(authority === null ? 'connection' : 'secureConnection', (socket: Socket) =>
    connections.push(socket),
  )
  server.on('sessionError', () => undefined)
  server.on(
    'stream',
    (stream: ServerHttp2Stream, headers: Record<string, unknown>, _flags: number, raw: unknown) => {
      stream.on('error', () => undefined)
      answer(stream, headers, raw as readonly string[])
    },
  )
  const port = await listen(server)
  test.teardown(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of connections) socket.destroy()
      }),
  )
  return { port, connections }
}

async function setUp(
  test: Teardown,
  answer: Answer,
): Promise<{ gateway: TestGateway; connections: Socket[] }> {
  const authority = await CertificateAuthority.create(Date.now())
  const api = await startHttp2(test, authority, answer)
  const plain = await startHttp2(test, null, answer)
  const old = await startUpstream(authority, (request, response) => {
    response.setHeader('x-version', request.httpVersion)
    request.pipe(response)
  })
  const oldPlain = await startUpstream(null, (request, response) => {
    response.setHeader('x-version', request.httpVersion)
    request.pipe(response)
  })
  const address = '127.0.0.1'
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('https://api.example', ['allow * /**'], {
          id: 'services.api',
          service: 'api',
          ca: authority.pem,
        }),
        destination('https://old.example', ['allow * /**'], { id: 'allow[0]', ca: authority.pem }),
        destination('http://plain.example', ['allow * /**'], { id: 'allow[1]' }),
        destination('http://plain-old.example', ['allow * /**'], { id: 'allow[2]' }),
      ],
      services: [service('api', 'https://api.example', credential)],
      hosts: {
        'api.example': { address, port: api.port },
        'old.example': { address, port: old.port },
        'plain.example': { address, port: plain.port },
        'plain-old.example': { address, port: oldPlain.port },
      },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await old.close()
    await oldPlain.close()
  })
  return { gateway, connections: api.connections }
}

/** Sends back what it got, says how it was asked, and ends with a trailer. */
const echo: Answer = (stream, headers) => {
  stream.respond(
    {
      ':status': 200,
      'x-version': '2',
      'x-authorization': (headers['authorization'] as string | undefined) ?? '',
    },
    { waitForTrailers: true },
  )
  stream.on('wantTrailers', () =>
    stream.sendTrailers({ 'x-check': 'done', 'x-leak': TOKEN, 'set-cookie': 'a=b' }),
  )
  stream.pipe(stream)
}

interface Http1Answer {
  readonly version: string | undefined
  readonly body: string
  readonly trailers: NodeJS.Dict<string>
}

function askHttp1(gateway: TestGateway, url: string, body: string): Promise<Http1Answer> {
  const { host, protocol } = new URL(url)
  const port = protocol === 'https:' ? gateway.ports.https : gateway.ports.http
  const options = {
    host: '127.0.0.1',
    port,
    servername: host,
    ca: gateway.ca,
    method: 'POST',
    path: '/x',
    headers: { host, te: 'trailers', connection: 'te, close' },
    agent: false as const,
  }
  return new Promise((resolve, reject) => {
    const request = (protocol === 'https:' ? requestHttps : requestHttp)(options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () =>
        resolve({
          version: response.headers['x-version'] as string,
          body: text,
          trailers: response.trailers,
        }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

void t.test('four combinations of versions, with TLS and without', async (test) => {
  const { gateway } = await setUp(test, echo)
  const sent = 'x'.repeat(200_000)
  for (const [host, version] of [
    ['api.example', '2'],
    ['old.example', '1.1'],
  ] as const) {
    const session = await openSession(test, gateway, host)
    const answer = await ask(session, { ':path': '/x', ':method': 'POST' }, sent)
    test.match(answer, { status: 200, headers: { 'x-version': version }, rstCode: 0 }, `2 to ${version}`)
    test.equal(answer.body.length, sent.length)
    const old = await askHttp1(gateway, `https://${host}`, sent)
    test.equal(old.version, version, `1.1 to ${version}`)
    test.equal(old.body.length, sent.length)
  }
  for (const [host, version] of [
    ['plain.example', '2'],
    ['plain-old.example', '1.1'],
  ] as const) {
    const session = await openPlainSession(test, gateway, host)
    const answer = await ask(session, { ':path': '/x', ':method': 'POST' }, sent)
    test.match(answer, { status: 200, headers: { 'x-version': version } }, `prior knowledge, to ${version}`)
    test.equal(answer.body.length, sent.length)
  }
  const old = await askHttp1(gateway, 'http://plain-old.example', sent)
  test.equal(old.version, '1.1')
  test.same(gateway.failures, [])
})

void t.test('trailers travel back, searched and filtered', async (test) => {
  const { gateway } = await setUp(test, echo)
  const session = await openSession(test, gateway, 'api.example')
  const answer = await ask(session, { ':path': '/x', ':method': 'POST' }, 'hello')
  test.match(answer.trailers, { 'x-check': 'done', 'x-leak': STARRED })
  test.equal(answer.trailers?.['set-cookie'], undefined)
  test.equal(answer.headers['x-authorization'], `Bearer ${STARRED}`)
  const old = await askHttp1(gateway, 'https://api.example', 'hello')
  test.match(old.trailers, { 'x-check': 'done', 'x-leak': STARRED })
  test.match(gateway.closes[0]?.redactions, [{ credential: 'api/bearer', count: 2 }])
})

void t.test('the credential is a literal that no table remembers', async (test) => {
  const raws: (readonly string[])[] = []
  const sensitive: unknown[] = []
  const { gateway } = await setUp(test, (stream, headers, raw) => {
    raws.push(raw)
    sensitive.push(headers[Object.getOwnPropertySymbols(headers)[0] as unknown as string])
    stream.respond({ ':status': 204 }, { endStream: true })
  })
  const session = await openSession(test, gateway, 'api.example')
  test.equal((await ask(session, { ':path': '/x' })).status, 204)
  test.ok(raws[0]?.includes(`Bearer ${TOKEN}`))
  test.same(sensitive[0], ['authorization'])
})

void t.test(
  'what a server has not looked at is sent again, whatever the method; what it may have, is not',
  async (test) => {
    let asked = 0
    const paths: string[] = []
    const { gateway } = await setUp(test, (stream, headers) => {
      asked += 1
      paths.push(String(headers[':path']))
      if (headers[':path'] === '/refused' && asked % 2 === 1) stream.close(7)
      else if (headers[':path'] === '/lost') stream.session?.destroy()
      else stream.respond({ ':status': 200 }, { endStream: true })
    })
    const session = await openSession(test, gateway, 'api.example')
    test.match(await ask(session, { ':path': '/refused', ':method': 'POST' }, 'one'), { status: 200 })
    test.same(paths, ['/refused', '/refused'])
    await eventually(() => gateway.closes.length === 1)
    test.match(gateway.closes[0]?.detail, /sent again/)
    test.match(await ask(session, { ':path': '/lost', ':method': 'POST' }, 'one'), { status: 502 })
    test.same(paths.slice(2), ['/lost'])
  },
)

void t.test('a response that is cut off does not look whole', async (test) => {
  const { gateway } = await setUp(test, (stream, headers) => {
    stream.respond({ ':status': 200, ...(headers[':path'] === '/short' ? { 'content-length': 10 } : {}) })
    stream.write('hello')
    setTimeout(() => {
      if (headers[':path'] === '/short') stream.end()
      else if (headers[':path'] === '/reset') stream.destroy(new Error('of the server'))
      else stream.session?.destroy()
    }, 50)
  })
  const session = await openSession(test, gateway, 'api.example')
  for (const path of ['/reset', '/destroyed', '/short']) {
    const answer = await ask(session, { ':path': path })
    test.not(answer.rstCode, 0, path)
  }
  test.equal(gateway.closes.filter(({ outcome }) => outcome === 'failure').length, 3)
})
