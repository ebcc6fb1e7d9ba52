import { writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { loadPolicy } from '#config/load.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { ask } from './fixtures/ask.js'
import { connectThrough, exchangeBytes, tls } from './fixtures/client.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway } from './fixtures/gateway.js'
import { startUpstream } from './fixtures/upstream.js'
import { ACCEPT_OF_UPGRADE, switchProtocols, UPGRADE } from './fixtures/websocket.js'
import { hasSquid, startSquid } from './servers/squid.js'

// Squid with basic authentication stands for a company's proxy. It alone knows the names of the upstreams.

t.setTimeout(240_000)

const USER = 'egress-gateway'
const PASSWORD = 'pass/word+0123456789'
const PAIR = Buffer.from(`${USER}:${PASSWORD}`).toString('base64')
const TOKEN = 'real-token-0123456789abcdef'

interface Parts {
  readonly password?: string
  readonly proxy?: (port: number) => string
  readonly env?: (port: number) => Record<string, string>
  readonly more?: string
}

async function setUp(t: Test, parts: Parts = {}) {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(
    authority,
    (request, response) => {
      if (request.url?.startsWith('/token') === true) {
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify({ access_token: 'token-from-issuer-0123', expires_in: 3600 }))
      } else response.end(`${headersOf(request)} ${PASSWORD} ${PAIR}`)
    },
    (server) =>
      server.on('upgrade', (request: IncomingMessage, socket: TLSSocket) => {
        socket.end(switchProtocols(request))
      }),
  )
  const plain = await startUpstream(null, (request, response) => response.end(headersOf(request)))
  const names = ['api', 'plain', 'oauth', 'login', 'tunnel', 'closed'].map((name) => `${name}.corp.test`)
  const squid = await startSquid(
    { user: USER, password: PASSWORD },
    Object.fromEntries(names.map((name) => [name, '127.0.0.1'])),
    [upstream.port, plain.port, 1],
  )
  const directory = t.testdir({})
  writeFileSync(join(directory, 'ca.pem'), authority.pem)
  const file = join(directory, 'egress.yaml')
  const proxy =
    parts.proxy?.(squid.port) ?? `http://${USER}:\${PROXY_PASSWORD}@127.0.0.1:${String(squid.port)}`
  writeFileSync(
    file,
    `services:
  api:
    url: https://api.corp.test:${String(upstream.port)}
    credential: { bearer: "\${API_TOKEN}" }
    rules: [{ allow: GET /** }]
    ca: ca.pem
  plain: { url: "http://plain.corp.test:${String(plain.port)}", rules: [{ allow: GET /** }] }
  token:
    url: https://oauth.corp.test:${String(upstream.port)}
    credential: { oauth2: { token_url: "https://login.corp.test:${String(upstream.port)}/token", client_id: me, client_secret: "\${API_TOKEN}" } }
    rules: [{ allow: GET /** }]
    ca: ca.pem
  refused: { url: "https://refused.corp.test:${String(upstream.port)}", rules: [{ allow: GET /** }], ca: ca.pem }
  closed: { url: "https://closed.corp.test:1", rules: [{ allow: GET /** }] }
allow: [{ host: tunnel.corp.test, tunnel: true, ports: [${String(upstream.port)}] }]
upstream:
  proxy: "${proxy}"
  servers: ["127.0.0.1:1"]
${parts.more ?? ''}`,
  )
  t.teardown(async () => {
    await squid.stop()
    await upstream.close()
    await plain.close()
  })
  const env = {
    API_TOKEN: TOKEN,
    PROXY_PASSWORD: parts.password ?? PASSWORD,
    ...parts.env?.(squid.port),
  }
  const { policy } = await loadPolicy(file, { kinds: CREDENTIAL_KINDS, env })
  const gateway = await startGateway(policy)
  let isOpen = true
  /** What the proxy was asked for, once it was for so many hosts; it writes a line when a connection ends. */
  const asked = async (hosts: number) => {
    if (isOpen) await gateway.close()
    isOpen = false
    const lines = () => squid.log().filter((line) => line.startsWith('CONNECT'))
    await eventually(() => new Set(lines()).size >= hosts)
    return lines().map((line) => line.replace(/:\d+/, ''))
  }
  t.teardown(() => asked(0))
  return { gateway, squid, upstream, plain, authority, asked }
}

function headersOf({ rawHeaders }: IncomingMessage): string {
  return JSON.stringify(rawHeaders)
}

const skip = hasSquid ? false : 'squid is not installed'

void t.test(
  'everything goes through the proxy: HTTP, WebSockets, tunnels, token requests',
  { skip },
  async (t) => {
    const { gateway, upstream, plain, authority, asked } = await setUp(t)
    const api = await ask(gateway, '/x')
    t.equal(api.status, 200)
    t.equal(upstream.requests.at(-1)?.headers.authorization, `Bearer ${TOKEN}`)

    const http = await ask(gateway, '/x', {}, 'plain')
    t.equal(http.status, 200)
    const sent = plain.requests.at(-1)?.headers ?? {}
    t.strictSame([sent.via, sent['x-forwarded-for']], [undefined, undefined], 'the proxy adds nothing to it')

    const token = await ask(gateway, '/x', {}, 'token')
    t.equal(token.status, 200)
    t.equal(upstream.requests.at(-1)?.headers.authorization, 'Bearer token-from-issuer-0123')

    const name = `api.corp.test:${String(upstream.port)}`
    const { socket } = await connectThrough(gateway, name)
    const inside = await tls(gateway, socket, 'api.corp.test')
    const upgraded = await exchangeBytes(
      inside,
      ['GET /socket HTTP/1.1', `Host: ${name}`, ...UPGRADE, '', ''].join('\r\n'),
    )
    t.match(upgraded, /^HTTP\/1\.1 101 /)
    t.match(upgraded, ACCEPT_OF_UPGRADE)

    const tunnel = await connectThrough(gateway, `tunnel.corp.test:${String(upstream.port)}`)
    const end = connectTls({ socket: tunnel.socket, servername: 'tunnel.corp.test', ca: authority.pem })
    await once(end, 'secureConnect')
    t.ok(end.authorized, 'TLS from end to end')
    t.match(await exchangeBytes(end, `GET /x HTTP/1.1\r\nHost: tunnel.corp.test\r\n\r\n`), /^HTTP\/1\.1 200 /)
    t.strictSame(gateway.failures, [])
    t.strictSame(
      new Set(await asked(5)),
      new Set(['api', 'plain', 'oauth', 'login', 'tunnel'].map((host) => `CONNECT ${host}.corp.test 200`)),
    )
  },
)

void t.test('the credential of the proxy never comes back, nor does it go on', { skip }, async (t) => {
  const { gateway, upstream } = await setUp(t)
  const { body, headers } = await ask(gateway, '/x')
  t.match(body, '[', 'the answer is there')
  for (const text of [PASSWORD, PAIR]) t.notOk(`${body}${JSON.stringify(headers)}`.includes(text), text)
  t.notMatch(JSON.stringify(upstream.requests.map(({ rawHeaders }) => rawHeaders)), /proxy-authorization/i)
  t.notOk(JSON.stringify([gateway.decisions, gateway.closes]).includes(PASSWORD))
})

void t.test('a sandbox cannot reach the proxy, nor have it dial what is not listed', { skip }, async (t) => {
  const { gateway, squid, upstream, asked } = await setUp(t)
  t.equal((await ask(gateway, '/control')).status, 200)
  const port = String(squid.port)
  for (const target of [
    `127.0.0.1:${port}`,
    `localhost:${port}`,
    `evil.corp.test:${String(upstream.port)}`,
  ]) {
    const { status } = await connectThrough(gateway, target)
    t.match(status, /^4/, target)
  }
  const { status } = await ask(gateway, '/x', { 'x-sandbox-target': `http://127.0.0.1:${port}` })
  t.equal(status, 403)
  await ask(gateway, '/x', { 'proxy-authorization': `Basic ${PAIR}`, host: `127.0.0.1:${port}` }).catch(
    () => null,
  )
  t.strictSame(await asked(1), ['CONNECT api.corp.test 200'])
})

void t.test('failures of the proxy are named', { skip }, async (t) => {
  const { gateway } = await setUp(t)
  const problem = async (service: string, from = gateway) => {
    const { status, body } = await ask(from, '/x', {}, service)
    const { reason, detail } = JSON.parse(body) as { reason: string; detail: string }
    return `${String(status)} ${reason}: ${detail}`
  }
  t.match(
    await problem('refused'),
    /^502 upstream-proxy: the proxy does not allow this host and port \(403\)/,
  )
  t.match(await problem('closed'), /^502 upstream-proxy: the proxy could not reach the upstream \(503\)/)
  const wrong = await setUp(t, { password: 'another-password' })
  t.match(
    await problem('api', wrong.gateway),
    /^502 upstream-proxy: the proxy asks for other credentials.* \(407\)/,
  )
  const none = await setUp(t, { proxy: (port) => `http://127.0.0.1:${String(port)}` })
  t.match(await problem('api', none.gateway), /asks for credentials \(407\); add a user/)
  const gone = await setUp(t, { proxy: () => 'http://127.0.0.1:1' })
  t.match(await problem('api', gone.gateway), /^502 upstream-proxy: .*could not be reached \(ECONNREFUSED\)/)
})

void t.test('no_proxy, and the variables of the gateway', { skip }, async (t) => {
  const direct = await setUp(t, { more: '  no_proxy: [.corp.test]\n' })
  t.match((await ask(direct.gateway, '/x')).body, 'unresolvable', 'only the proxy knows the name')
  t.strictSame(await direct.asked(0), [])
  const variables = await setUp(t, {
    proxy: () => 'environment',
    env: (port) => ({
      HTTPS_PROXY: `http://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${String(port)}`,
      NO_PROXY: 'localhost,plain.corp.test',
    }),
  })
  t.equal((await ask(variables.gateway, '/x')).status, 200)
  t.notOk((await ask(variables.gateway, '/x')).body.includes(PASSWORD))
  t.match((await ask(variables.gateway, '/x', {}, 'plain')).body, 'unresolvable')
  t.strictSame(await variables.asked(1), ['CONNECT api.corp.test 200'])
})
