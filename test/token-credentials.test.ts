import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { githubApp } from '#proxy/credentials/github-app.js'
import { google } from '#proxy/credentials/google.js'
import { oauth2 } from '#proxy/credentials/oauth2.js'
import {
  CLIENT,
  CLIENT_SECRET,
  isUnavailable,
  plain,
  REFRESH,
  SCOPE,
  startTokenGateway,
} from './fixtures/token-gateway.js'

// Tokens that the gateway gets for itself: what the endpoint verified, what reached the API, and that neither a log nor a
// response holds a secret.

t.setTimeout(120_000)

const EMAIL = 'robot@project.example'
const HOUR = 3_600_000

const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})
const KEYS = { [EMAIL]: publicKey, 12345: publicKey }

void t.test('200 requests at once: one token request, and what the API says back is redacted', async (t) => {
  const { issuer, ask, api, checkSecrecy } = await startTokenGateway(t)
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => ask('/x', { authorization: 'Bearer placeholder' })),
  )
  t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.strictSame(issuer.requests, [{ grant: 'client_credentials', refused: null }])
  const [token = ''] = issuer.live.keys()
  t.equal(api.requests.length, 200)
  t.strictSame(new Set(issuer.presented), new Set([`Bearer ${token}`]))
  const stars = '*'.repeat(token.length)
  t.equal(answers[0]?.headers['x-said-back'], `Bearer ${stars}`)
  t.equal(answers[0]?.body, JSON.stringify({ authorization: `Bearer ${stars}` }))
  checkSecrecy(t)
})

const EVERY_GRANT: readonly (readonly [
  name: string,
  kind: CredentialKind,
  values: Record<string, Secret>,
])[] = [
  ['client credentials, named in a header', oauth2, CLIENT],
  ['client credentials, named in the body', oauth2, { ...CLIENT, client_auth: plain('post') }],
  ['refresh token', oauth2, { ...CLIENT, refresh_token: new Secret('REFRESH', REFRESH) }],
  [
    'GitHub App',
    githubApp,
    {
      app_id: plain('12345'),
      installation_id: plain('42'),
      private_key: new Secret('APP_KEY', privateKey),
      api_url: plain('https://login.example'),
    },
  ],
  [
    'Google service account',
    google,
    {
      email: plain(EMAIL),
      private_key: new Secret('GOOGLE_KEY', privateKey),
      scope: plain(SCOPE),
      token_uri: CLIENT.token_url,
    },
  ],
]

for (const [name, kind, values] of EVERY_GRANT) {
  void t.test(`${name}: an endpoint that verifies everything grants it, time and again`, async (t) => {
    const { issuer, ask, pass, checkSecrecy } = await startTokenGateway(t, { kind, values, keys: KEYS })
    for (const round of [1, 2, 3]) {
      t.equal((await ask()).status, 200)
      t.equal((await ask()).status, 200)
      t.strictSame(
        issuer.requests.map(({ refused }) => refused),
        Array(round).fill(null),
      )
      pass(HOUR)
    }
    checkSecrecy(t, privateKey)
  })
}

void t.test('what is wrong with a grant keeps the request from the API', async (t) => {
  const other = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  }).privateKey
  const [, , , [, , app] = [], [, , account] = []] = EVERY_GRANT
  const wrong: readonly (readonly [CredentialKind, Record<string, Secret>, RegExp, string])[] = [
    [
      oauth2,
      { ...CLIENT, client_secret: new Secret('S', 'wrong-secret') },
      /401 \(invalid_client\)/,
      'invalid_client',
    ],
    [oauth2, { ...CLIENT, scope: plain('write') }, /400 \(invalid_scope\)/, 'invalid_scope'],
    [
      oauth2,
      { ...CLIENT, refresh_token: new Secret('R', 'used-up-refresh') },
      /400 \(invalid_grant\)/,
      'invalid_grant',
    ],
    [githubApp, { ...app, private_key: new Secret('K', other) }, /400/, 'invalid_grant: signature'],
    [google, { ...account, private_key: new Secret('K', other) }, /400/, 'invalid_grant: signature'],
    [google, { ...account, scope: plain('write') }, /400/, 'invalid_scope: scope'],
  ]
  for (const [kind, values, detail, refused] of wrong) {
    const { ask, issuer, api, checkSecrecy } = await startTokenGateway(t, { kind, values, keys: KEYS })
    isUnavailable(t, await ask(), detail)
    t.equal(issuer.requests[0]?.refused, refused)
    t.strictSame(api.requests, [])
    checkSecrecy(t)
  }
})

void t.test(
  'each request for a token is in the audit log before it is sent, and its end after it',
  async (t) => {
    let recorded = 0
    const setting = await startTokenGateway(t, {
      endpoint(request, response) {
        recorded = setting.gateway.decisions.filter(({ kind }) => kind === 'token').length
        setting.issuer.endpoint(request, response)
      },
    })
    const { gateway, ask, checkSecrecy } = setting
    t.equal((await ask()).status, 200)
    t.equal(recorded, 1)
    t.equal((await ask()).status, 200)
    const [request, token, ...others] = gateway.decisions.filter(
      ({ kind }) => kind !== 'connect' && kind !== 'tls',
    )
    t.match(request, { kind: 'request', host: 'api.example' })
    t.match(token, {
      kind: 'token',
      sandbox: { id: 'sb-test' },
      verdict: 'allow',
      reason: null,
      rule: request?.rule?.replace(/\.rules.*/, '') ?? '',
      detail: `for the request ${request?.id ?? ''}`,
      ...{ method: 'POST', scheme: 'https', host: 'login.example', port: 443, path: '/token', query: null },
      ...{ status: null, service: 'api', credential: 'api/oauth2', address: '127.0.0.1' },
    })
    t.equal(others.length, 1, 'the second request needed none')
    t.strictSame(
      gateway.closes.map(({ id }) => id),
      [token?.id, request?.id, others[0]?.id],
    )
    t.match(gateway.closes[0], { outcome: 'success', reason: null, status: 200, sandbox: { id: 'sb-test' } })
    t.ok((gateway.closes[0]?.requestBytes ?? 0) > 0 && (gateway.closes[0]?.responseBytes ?? 0) > 0)
    checkSecrecy(t)
  },
)

void t.test('a request for a token that cannot be recorded is not sent', async (t) => {
  const { gateway, ask, endpoint, api, pass } = await startTokenGateway(t)
  gateway.auditFails = 'token'
  isUnavailable(t, await ask(), /^login\.example: audit-unavailable$/)
  t.strictSame(endpoint.requests, [])
  t.strictSame(api.requests, [])
  gateway.auditFails = false
  pass(5_000)
  t.equal((await ask()).status, 200)
})

void t.test('a secret in the URL of a token endpoint is in no record', async (t) => {
  const url = `https://login.example/${CLIENT_SECRET}/token?key=${CLIENT_SECRET}`
  const { gateway, ask, endpoint, checkSecrecy } = await startTokenGateway(t, {
    values: { ...CLIENT, token_url: plain(url) },
  })
  isUnavailable(t, await ask(), /^login\.example returned 400/)
  t.match(endpoint.requests[0]?.url, CLIENT_SECRET)
  const token = gateway.decisions.find(({ kind }) => kind === 'token')
  t.match(token, { path: /^\/\*+\/token$/, query: null })
  t.match(gateway.closes[0], { id: token?.id, status: 400, outcome: 'success' })
  checkSecrecy(t)
})

void t.test('an expired token is never sent', async (t) => {
  const { ask, issuer, pass, checkSecrecy } = await startTokenGateway(t)
  for (const minutes of [0, 30, 29, 61, 200]) {
    pass(minutes * 60_000)
    t.equal((await ask()).status, 200, `after ${String(minutes)} minutes more`)
  }
  t.ok(issuer.requests.length >= 3)
  checkSecrecy(t)
})

void t.test('a revoked token: one 401, then a new one', async (t) => {
  const { ask, issuer, checkSecrecy } = await startTokenGateway(t)
  t.equal((await ask()).status, 200)
  issuer.revokeAll()
  const refused = await ask()
  t.equal(refused.status, 401, 'passed back: what to repeat is for the client to say')
  t.match(refused.headers['x-said-back'], /^Bearer \*+$/)
  t.equal((await ask()).status, 200)
  t.equal(issuer.requests.length, 2)
  checkSecrecy(t)
})

void t.test('a revoked token on a WebSocket: the same', async (t) => {
  const { ask, issuer, api } = await startTokenGateway(t)
  t.equal((await ask()).status, 200)
  issuer.revokeAll()
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
  t.equal((await ask('/x', { ...upgrade, 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' })).status, 401)
  t.equal(api.requests.length, 2)
  t.equal((await ask()).status, 200)
  t.equal(issuer.requests.length, 2)
})

void t.test('an API that always says 401 causes no storm at the token endpoint', async (t) => {
  const { ask, issuer, api, pass } = await startTokenGateway(t, {
    api: (_, response) => response.writeHead(401).end(),
  })
  for (let round = 0; round < 5; round += 1) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask()))
    t.strictSame(new Set(answers.map(({ status }) => status)), new Set([401]))
  }
  t.equal(api.requests.length, 100)
  t.equal(issuer.requests.length, 2, 'one, and one more after the first 401')
  pass(61_000)
  await ask()
  await ask()
  t.equal(issuer.requests.length, 3)
})

void t.test('what an API says back later than the next token is redacted too', async (t) => {
  const said: string[] = []
  const { ask, issuer, checkSecrecy } = await startTokenGateway(t, {
    api(request, response) {
      said.push(request.headers.authorization ?? '')
      response.writeHead(said.length === 1 ? 401 : 200).end(said.join('\n'))
    },
  })
  await ask()
  const later = await ask()
  t.equal(issuer.requests.length, 2)
  t.equal(new Set(said).size, 2)
  t.match(later.body, /^Bearer \*+\nBearer \*+$/)
  checkSecrecy(t)
})

void t.test(
  'a range is widened by what the first token needs, for a secret in pieces is in none of them',
  async (t) => {
    const token = 'x'.repeat(4_000)
    const { ask, api } = await startTokenGateway(t, {
      endpoint: (_, response) =>
        response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 3600 })),
      api: (_, response) => response.end('whole'),
    })
    for (const range of ['bytes=0-1999', 'bytes=0-1999', 'bytes=0-']) await ask('/x', { range })
    t.strictSame(
      api.requests.map(({ headers }) => headers.range),
      ['bytes=0-67535', 'bytes=0-67535', 'bytes=0-'],
    )
  },
)
