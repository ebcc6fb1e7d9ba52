import type { RequestListener } from 'node:http'
import t from 'tap'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { oauth2 } from '#proxy/credentials/oauth2.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { CLIENT_SECRET, isUnavailable, startTokenGateway } from './fixtures/token-gateway.js'

// Token endpoints that are down, slow or hostile: 503 with a reason, nothing to the API, no secret anywhere.

t.setTimeout(120_000)

void t.test('an endpoint that is not there: each request has its 503 at once', async (t) => {
  const { ask, endpoint, gateway, api, checkSecrecy } = await startTokenGateway(t)
  await endpoint.close()
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask()))
  for (const answer of [...answers, await ask()])
    isUnavailable(t, answer, /^login\.example: upstream-unreachable \(ECONNREFUSED\)$/)
  t.strictSame(api.requests, [])
  const attempt = gateway.decisions.find(({ kind }) => kind === 'token')
  t.match(gateway.closes[0], {
    id: attempt?.id ?? 'none',
    outcome: 'failure',
    reason: 'upstream-unreachable',
    detail: 'ECONNREFUSED',
    status: null,
  })
  t.equal(gateway.closes.length, 22, 'of one request for a token, and of those that needed it')
  t.match(gateway.closes[1], {
    outcome: 'failure',
    reason: 'credential-unavailable',
    detail: 'login.example: upstream-unreachable (ECONNREFUSED)',
    status: 503,
  })
  checkSecrecy(t)
})

void t.test('an endpoint that failed is left alone for a while, and asked again then', async (t) => {
  const setting = await startTokenGateway(t, {
    endpoint: (request, response) =>
      setting.endpoint.requests.length === 1
        ? response.destroy()
        : setting.issuer.endpoint(request, response),
  })
  isUnavailable(t, await setting.ask(), /^login\.example: /)
  isUnavailable(t, await setting.ask(), /^login\.example: /)
  t.equal(setting.endpoint.requests.length, 1)
  setting.pass(5_000)
  t.equal((await setting.ask()).status, 200)
})

const SLOW: readonly (readonly [name: string, RequestListener])[] = [
  ['never answers', () => undefined],
  [
    'answers a byte at a time',
    (_, response) => {
      const drip = setInterval(() => response.write(' '), 50)
      response.on('close', () => clearInterval(drip))
    },
  ],
]

for (const [name, listener] of SLOW) {
  void t.test(`an endpoint that ${name}`, async (t) => {
    const setting = await startTokenGateway(t, { endpoint: listener, responseTimeoutMs: 1_500 })
    const answers = await Promise.all(Array.from({ length: 20 }, () => setting.ask()))
    for (const answer of answers) isUnavailable(t, answer, /^login\.example: upstream-timeout/)
    t.equal(setting.endpoint.requests.length, 1)
    t.strictSame(setting.api.requests, [])
    setting.checkSecrecy(t)
  })
}

const json = (value: object): RequestListener => {
  return (request, response) => {
    const said = request.headers.authorization ?? ''
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(value).replace('SAID', said))
  }
}

const HOSTILE: readonly (readonly [name: string, RegExp, RequestListener])[] = [
  [
    'a redirect to somewhere else',
    /^login\.example returned 307$/,
    (_, response) => response.writeHead(307, { location: 'https://api.example/collect' }).end(),
  ],
  [
    'a body without end',
    /^login\.example: the answer is too large$/,
    (_, response) => {
      response.writeHead(200)
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 0x20)));
      }
      response.on('drain', more)
      more()
    },
  ],
  [
    'no JSON',
    /did not return a JSON object$/,
    (_, response) => response.writeHead(200).end(`<p>${CLIENT_SECRET}`),
  ],
  [
    'a token that ends the header',
    /is not allowed in a header$/,
    json({ access_token: 'token-0123\r\nx-admin: 1', token_type: 'bearer', expires_in: 3600 }),
  ],
  ['200 with an error', /returned an error \(invalid_grant\)$/, json({ error: 'invalid_grant' })],
  ['an error that says back what it was sent', /returned an error$/, json({ error: 'SAID' })],
  ['a token of another type', /not of type Bearer$/, json({ access_token: 'SAID', token_type: 'SAID' })],
  [
    'half an answer',
    /^login\.example: /,
    (_, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"access_token":', () => response.destroy())
    },
  ],
]

for (const [name, detail, endpoint] of HOSTILE) {
  void t.test(`a hostile endpoint: ${name}`, async (t) => {
    const setting = await startTokenGateway(t, { endpoint })
    isUnavailable(t, await setting.ask(), detail)
    t.equal(setting.endpoint.requests.length, 1, 'it was asked')
    t.strictSame(setting.api.requests, [], 'and nothing went to the API')
    t.match(setting.gateway.closes[1], { reason: 'credential-unavailable', detail })
    setting.checkSecrecy(t, Buffer.from(`me:${encodeURIComponent(CLIENT_SECRET)}`).toString('base64'))
  })
}

void t.test('an endpoint whose certificate nobody vouches for is told nothing', async (t) => {
  const ca = await CertificateAuthority.create(Date.now())
  const { ask, endpoint, checkSecrecy } = await startTokenGateway(t, { ca })
  isUnavailable(t, await ask(), /^login\.example: upstream-tls/)
  t.strictSame(endpoint.requests, [])
  checkSecrecy(t)
})

void t.test('an endpoint at a private address that the policy does not allow is told nothing', async (t) => {
  const { gateway, endpoint, ask } = await startTokenGateway(t, { publicOnly: true })
  t.match(await ask(), { status: 503 })
  t.strictSame(endpoint.requests, [])
  const [decision] = gateway.decisions.filter(({ kind }) => kind === 'token')
  t.match(decision, {
    verdict: 'deny',
    reason: 'address-refused',
    detail: 'the address 127.0.0.1 is private',
  })
  const allowed = await startTokenGateway(t)
  t.match(await allowed.ask(), { status: 200 })
  t.ok(allowed.endpoint.requests.length > 0, 'where the policy allows it, it is asked')
})

void t.test('a credential can send to its own endpoints alone', async (t) => {
  const elsewhere: CredentialKind = {
    ...oauth2,
    bind: (id, values) => ({ ...oauth2.bind(id, values), endpoints: [] }),
  }
  const { ask, endpoint, gateway } = await startTokenGateway(t, { kind: elsewhere })
  isUnavailable(t, await ask(), /no such endpoint/)
  t.strictSame(endpoint.requests, [])
  t.match(
    gateway.decisions.find(({ kind }) => kind === 'token'),
    { verdict: 'deny', reason: 'host-not-listed', host: 'login.example' },
  )
})
