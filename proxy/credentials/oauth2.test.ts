import { inspect } from 'node:util'
import t from 'tap'
import type { TokenRequest, TokenResponse } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { outgoingRequest } from '#test/fixtures/outgoing.js'
import { oauth2 } from './oauth2.js'

const CLIENT_SECRET = 's+cr/t:0123456789'

const BASE = {
  token_url: new Secret('plain text', 'https://login.example/tenant/token?v=2', []),
  client_id: new Secret('plain text', 'me:and/you', []),
}
const WITH_SECRET = { ...BASE, client_secret: new Secret('CLIENT_SECRET', CLIENT_SECRET) }

const GOOD = { access_token: 'token-0123456789', token_type: 'Bearer', expires_in: 3600 }

const [JSON_TYPE, FORM_TYPE] = ['application/json', 'application/x-www-form-urlencoded']

/** A credential, and an endpoint that answers as told. */
function setUp(values: Record<string, Secret>) {
  const sent: TokenRequest[] = []
  const endpoint = { status: 200, body: JSON.stringify(GOOD) as string | Buffer, contentType: JSON_TYPE }
  let time = 1_000_000
  const credential = oauth2.bind('api/oauth2', values)
  const inject = async () => {
    const request = outgoingRequest()
    const error = await credential.inject(request, {
      now: () => time,
      send: (request): Promise<TokenResponse> => {
        sent.push(request)
        const { status, body, contentType } = endpoint
        return Promise.resolve({ status, headers: { 'content-type': contentType }, body: Buffer.from(body) })
      },
    })
    return { error, authorization: request.headers['authorization'], request }
  }
  const secretPatterns = () => credential.secretPatterns().bytes.map((pattern) => pattern.toString('latin1'))
  return { credential, sent, endpoint, inject, secretPatterns, pass: (ms: number) => (time += ms) }
}

void t.test('client credentials: the token request and the API request', async (t) => {
  const { credential, sent, inject, secretPatterns } = setUp({
    ...WITH_SECRET,
    scope: new Secret('plain text', 'read write', []),
    audience: new Secret('plain text', 'https://api.example', []),
  })
  t.strictSame(credential.endpoints, [{ scheme: 'https', host: 'login.example', port: 443 }])
  t.strictSame(credential.locations, { headers: ['authorization'] })
  t.match(await inject(), { error: null, authorization: 'Bearer token-0123456789' })
  const pair = Buffer.from('me%3Aand%2Fyou:s%2Bcr%2Ft%3A0123456789').toString('base64')
  t.strictSame(
    sent.map(({ method, url, headers, body }) => ({ method, url: url.href, headers, body })),
    [
      {
        method: 'POST',
        url: 'https://login.example/tenant/token?v=2',
        headers: {
          accept: 'application/json',
          'content-type': 'application/x-www-form-urlencoded',
          authorization: `Basic ${pair}`,
        },
        body: 'grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example',
      },
    ],
  )
  for (const text of ['token-0123456789', CLIENT_SECRET, pair]) t.ok(secretPatterns().includes(text), text)
  t.notMatch(inspect(credential, { depth: 9, showHidden: true }), /token-0123456789|s\+cr/)
})

void t.test('client authentication in the body', async (t) => {
  const { sent, inject } = setUp({ ...WITH_SECRET, client_auth: new Secret('plain text', 'post', []) })
  t.match(await inject(), { error: null })
  t.notOk('authorization' in (sent[0]?.headers ?? {}))
  t.equal(
    sent[0]?.body,
    'grant_type=client_credentials&client_id=me%3Aand%2Fyou&client_secret=s%2Bcr%2Ft%3A0123456789',
  )
})

void t.test(
  'refresh tokens: a rotated one is used next, looked for, and lost when the source has a new one',
  async (t) => {
    const source = new Secret('REFRESH', 'refresh-one-0123')
    const { sent, endpoint, inject, secretPatterns, pass } = setUp({ ...BASE, refresh_token: source })
    const rotateTo = (refresh: unknown, more = {}) =>
      (endpoint.body = JSON.stringify({ ...GOOD, ...more, refresh_token: refresh }))
    const used = () => new URLSearchParams(sent.at(-1)?.body ?? '').get('refresh_token')

    rotateTo('refresh-two-0123')
    t.match(await inject(), { error: null })
    t.equal(
      sent[0]?.body,
      'grant_type=refresh_token&refresh_token=refresh-one-0123&client_id=me%3Aand%2Fyou',
      'a public client names itself in the body',
    )
    t.ok(secretPatterns().includes('refresh-one-0123'))
    t.ok(secretPatterns().includes('refresh-two-0123'))

    pass(3_600_000)
    rotateTo('refresh-three-01', { token_type: 'mac' })
    t.match(await inject(), { error: { reason: 'credential-unavailable' } })
    t.equal(used(), 'refresh-two-0123')
    t.ok(secretPatterns().includes('refresh-three-01'))

    pass(3_600_000)
    rotateTo(undefined)
    t.match(await inject(), { error: null }, 'although the answer that brought it was no good otherwise')
    t.equal(used(), 'refresh-three-01')

    pass(3_600_000)
    rotateTo('refresh-four-012')
    await inject()
    t.equal(used(), 'refresh-three-01', 'an endpoint need not rotate')

    source.rotate('refresh-new-0123')
    pass(3_600_000)
    await inject()
    t.equal(used(), 'refresh-new-0123')
  },
)

const HOSTILE: readonly (readonly [name: string, status: number, body: string | Buffer])[] = [
  ['an error', 400, JSON.stringify({ error: 'invalid_client' })],
  [
    'an error that quotes the request',
    401,
    JSON.stringify({ error: CLIENT_SECRET, error_description: CLIENT_SECRET }),
  ],
  ['200 with an error', 200, JSON.stringify({ ...GOOD, error: 'invalid_grant' })],
  ['200 with an error that quotes the request', 200, JSON.stringify({ error: CLIENT_SECRET })],
  ['a member that looks like our own error', 200, JSON.stringify({ problem: CLIENT_SECRET })],
  ['a redirect', 302, ''],
  ['not JSON', 200, `<html>${CLIENT_SECRET}`],
  ['an array', 200, JSON.stringify([GOOD])],
  ['nothing', 200, ''],
  ['bytes', 200, Buffer.from([0xff, 0xfe, 0])],
  ['no token', 200, JSON.stringify({ ...GOOD, access_token: undefined })],
  ['a token that is not a string', 200, JSON.stringify({ ...GOOD, access_token: 12345678 })],
  ['a line break', 200, JSON.stringify({ ...GOOD, access_token: 'token-0123\r\nx-admin: 1' })],
  ['a space', 200, JSON.stringify({ ...GOOD, access_token: 'token-0123 4567' })],
  ['a control byte', 200, JSON.stringify({ ...GOOD, access_token: 'token-0123\u0000' })],
  ['a letter beyond ASCII', 200, JSON.stringify({ ...GOOD, access_token: 'token-0123\u00e4' })],
  ['a short token', 200, JSON.stringify({ ...GOOD, access_token: 'short' })],
  ['a huge token', 200, JSON.stringify({ ...GOOD, access_token: 'x'.repeat(8_193) })],
  ['another type', 200, JSON.stringify({ ...GOOD, token_type: 'DPoP' })],
  ['a life that is over', 200, JSON.stringify({ ...GOOD, expires_in: 0 })],
  ['a negative life', 200, JSON.stringify({ ...GOOD, expires_in: -3600 })],
  ['an expires_in that is not a number', 200, JSON.stringify({ ...GOOD, expires_in: 'soon' })],
  ['a list as a life', 200, JSON.stringify({ ...GOOD, expires_in: [3600] })],
  ['a type that is a number', 200, JSON.stringify({ ...GOOD, token_type: 1 })],
  ['a type that needs a proof', 200, JSON.stringify({ ...GOOD, token_type: 'mac' })],
  ['a form that does not say so', 200, 'access_token=token-0123456789&token_type=bearer'],
]

const FORM = 'access_token=token-0123456789&scope=repo%2Cgist&token_type=bearer'

/** What endpoints in use send, and RFC 6749 clients take. */
const LENIENT: readonly (readonly [
  name: string,
  status: number,
  contentType: string,
  body: string | Buffer,
])[] = [
  ['no type (Shopify, LinkedIn)', 200, JSON_TYPE, JSON.stringify({ ...GOOD, token_type: undefined })],
  ['null as a type', 200, JSON_TYPE, JSON.stringify({ ...GOOD, token_type: null })],
  ['an empty type', 200, JSON_TYPE, JSON.stringify({ ...GOOD, token_type: '' })],
  ['a type in capitals', 200, JSON_TYPE, JSON.stringify({ ...GOOD, token_type: 'BEARER' })],
  ['BearerToken (Apigee)', 200, JSON_TYPE, JSON.stringify({ ...GOOD, token_type: 'BearerToken' })],
  ['a life as text', 200, JSON_TYPE, JSON.stringify({ ...GOOD, expires_in: '3599' })],
  ['a life with a fraction', 200, JSON_TYPE, JSON.stringify({ ...GOOD, expires_in: 3599.5 })],
  ['no life', 200, JSON_TYPE, JSON.stringify({ ...GOOD, expires_in: undefined })],
  ['null as a life', 200, JSON_TYPE, JSON.stringify({ ...GOOD, expires_in: null })],
  ['201', 201, JSON_TYPE, JSON.stringify(GOOD)],
  ['203', 203, JSON_TYPE, JSON.stringify(GOOD)],
  ['more members', 200, JSON_TYPE, JSON.stringify({ ...GOOD, ok: true, error: null, instance: { id: 1 } })],
  ['an empty error', 200, JSON_TYPE, JSON.stringify({ ...GOOD, error: '' })],
  ['a byte order mark', 200, JSON_TYPE, `\uFEFF${JSON.stringify(GOOD)}`],
  ['white space around it', 200, JSON_TYPE, `\r\n ${JSON.stringify(GOOD)}\n`],
  ['JSON that says it is text', 200, 'text/html; charset=utf-8', JSON.stringify(GOOD)],
  ['a form (GitHub)', 200, `${FORM_TYPE}; charset=utf-8`, FORM],
  [
    'a form that says it is text (Facebook)',
    200,
    'text/plain',
    'access_token=token-0123456789&expires=5184000',
  ],
]

void t.test('answers that other clients take as well', async (t) => {
  for (const [name, status, contentType, body] of LENIENT) {
    const { endpoint, inject } = setUp(WITH_SECRET)
    Object.assign(endpoint, { status, body, contentType })
    t.strictSame(
      { ...(await inject()), request: null },
      { error: null, authorization: 'Bearer token-0123456789', request: null },
      name,
    )
  }
})

void t.test('forms that are no token', async (t) => {
  for (const body of [
    'error=bad_verification_code&error_description=The+code+is+wrong',
    `${FORM}&access_token=token-9876543210`,
    'access_token=',
    `access_token=token-0123%0d%0ax-admin:1`,
    `<html>${CLIENT_SECRET}</html>`,
    '=',
  ]) {
    const { endpoint, inject } = setUp(WITH_SECRET)
    Object.assign(endpoint, { status: 200, body, contentType: FORM_TYPE })
    const { error, authorization } = await inject()
    t.equal(error?.reason, 'credential-unavailable', body)
    t.notMatch(error?.detail, CLIENT_SECRET, body)
    t.equal(authorization, undefined, body)
  }
})

void t.test('answers that are no token', async (t) => {
  for (const [name, status, body] of HOSTILE) {
    const { endpoint, inject } = setUp(WITH_SECRET)
    Object.assign(endpoint, { status, body })
    const { error, authorization } = await inject()
    t.equal(error?.reason, 'credential-unavailable', name)
    t.match(error?.detail, /^login\.example /, name)
    t.notMatch(error?.detail, CLIENT_SECRET, name)
    t.equal(authorization, undefined, name)
  }
})

void t.test('the error of RFC 6749 section 5.2 is told', async (t) => {
  const { endpoint, inject } = setUp(WITH_SECRET)
  Object.assign(endpoint, { status: 401, body: JSON.stringify({ error: 'invalid_client' }) })
  t.match((await inject()).error, { detail: 'login.example returned 401 (invalid_client)' })
})

void t.test('how long a token is used', async (t) => {
  for (const [life, used] of [
    [undefined, 294],
    ['600', 594],
    [600, 594],
    [1e9, 86_394],
    [1e400, 86_394],
  ] as const) {
    const { endpoint, inject, sent, pass } = setUp(WITH_SECRET)
    const text = JSON.stringify({ ...GOOD, expires_in: life })
    endpoint.body = life === 1e400 ? text.replace('null', '1e400') : text
    t.match(await inject(), { error: null }, String(life))
    endpoint.status = 500
    pass(used * 1000)
    t.match(await inject(), { error: null }, `${String(life)}: still good`)
    pass(1_000)
    t.match(await inject(), { error: { reason: 'credential-unavailable' } }, `${String(life)}: over`)
    t.ok(sent.length >= 2)
  }
})

void t.test(
  'a 401 to the present token has the next request ask for another; other statuses do not',
  async (t) => {
    const { credential, endpoint, inject, sent } = setUp(WITH_SECRET)
    const first = await inject()
    for (const status of [200, 403, 404, 500]) credential.onResponse?.(first.request, status, 1_000_000)
    await inject()
    t.equal(sent.length, 1)
    credential.onResponse?.(first.request, 401, 1_000_000)
    endpoint.body = JSON.stringify({ ...GOOD, access_token: 'token-two-012345' })
    t.equal((await inject()).authorization, 'Bearer token-two-012345')
    credential.onResponse?.(first.request, 401, 9_000_000)
    await inject()
    t.equal(sent.length, 2, 'a late answer to the former token')
  },
)

void t.test('what cannot be loaded', (t) => {
  const good = { token_url: 'https://login.example/token', client_id: 'me', client_secret: CLIENT_SECRET }
  t.equal(oauth2.check(good), null)
  t.equal(oauth2.check({ ...good, client_secret: undefined, refresh_token: 'x' } as never), null)
  t.match(oauth2.check({ token_url: good.token_url, client_id: 'me' }), /Neither/)
  t.match(oauth2.check({ ...good, client_auth: 'jwt' }), /client_auth/)
  for (const url of [
    'login.example/token',
    'ftp://login.example/',
    'https://me:pw@login.example/token',
    'https://login.example/token#x',
    'https://127.0.0.1/token',
    'https://[::1]/token',
    'https://login.example/a/../b',
    'https://login.example\\@evil.test/',
    'https://login.example:0/',
    '',
  ])
    t.match(oauth2.check({ ...good, token_url: url }), /token_url/, url)
  t.end()
})
