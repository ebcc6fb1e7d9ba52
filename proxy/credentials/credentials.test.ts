import { inspect } from 'node:util'
import t from 'tap'
import type { CredentialKind, Headers } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { NO_TOOLS, outgoingRequest } from '#test/fixtures/outgoing.js'
import { CREDENTIAL_KINDS } from './index.js'
import { basic } from './basic.js'
import { bearer } from './bearer.js'
import { header } from './header.js'
import { cookie } from './cookie.js'
import { path } from './path.js'
import { query } from './query.js'
import { stripClientCredential } from '../request/credential-locations.js'

const TOKEN = 'tok-0123456789'
const PLACEHOLDER = 'standINstandINstandINstandINstan'

function bind(kind: CredentialKind, values: Record<string, Secret>, before: Headers = {}) {
  const credential = kind.bind(`api/${kind.name}`, values)
  const headers: Headers = { host: 'api.example', ...before }
  const request = outgoingRequest({
    headers,
    path: `/hook/${PLACEHOLDER}/x`,
    placeholders: new Map([
      ['W', PLACEHOLDER],
      ...Object.values(values).map(({ name }) => [name, PLACEHOLDER] as const),
    ]),
  })
  const error = credential.inject(request, NO_TOOLS)
  return {
    credential,
    headers,
    request,
    error,
    secretPatterns: credential.secretPatterns().bytes.map((pattern) => pattern.toString('latin1')),
  }
}

void t.test('bearer', (t) => {
  const { credential, headers, secretPatterns } = bind(
    bearer,
    { token: new Secret('T', TOKEN) },
    { authorization: 'Bearer placeholder' },
  )
  t.strictSame(headers, { host: 'api.example', authorization: `Bearer ${TOKEN}` })
  t.match(credential, { kind: 'bearer', id: 'api/bearer', locations: { headers: ['authorization'] } })
  t.ok(secretPatterns.includes(TOKEN))
  t.end()
})

void t.test('basic', (t) => {
  const values = {
    username: new Secret('plain text', 'me@example.com', []),
    password: new Secret('P', 'p\u00e4ss:w\u00f6rd'),
  }
  const { headers, secretPatterns, credential } = bind(basic, values)
  const encoded = Buffer.from('me@example.com:p\u00e4ss:w\u00f6rd', 'utf8').toString('base64')
  t.equal(headers['authorization'], `Basic ${encoded}`)
  t.strictSame(credential.locations, { headers: ['authorization'] })
  t.ok(secretPatterns.includes(encoded), 'the value as sent')
  t.ok(
    secretPatterns.includes(Buffer.from('p\u00e4ss:w\u00f6rd').toString('latin1')),
    'the password as UTF-8',
  )
  t.ok(secretPatterns.includes('p\u00e4ss:w\u00f6rd'), 'and as latin1')
  t.notOk(secretPatterns.includes('me@example.com'), 'a plain user name occurs in ordinary responses')
  t.equal(basic.check({ username: 'a', password: 'b:c' }), null)
  t.type(basic.check({ username: 'a:b', password: 'c' }), 'string')
  t.end()
})

void t.test('header', (t) => {
  const values = {
    name: new Secret('plain text', 'X-Api-Key', []),
    value: new Secret('K', `Token ${TOKEN}`, [TOKEN]),
  }
  const { headers, secretPatterns, credential } = bind(header, values, { 'x-api-key': 'placeholder' })
  t.strictSame(headers, { host: 'api.example', 'x-api-key': `Token ${TOKEN}` })
  t.strictSame(credential.locations, { headers: ['x-api-key'] })
  t.ok(secretPatterns.includes(TOKEN))
  t.notOk(secretPatterns.includes(`Token ${TOKEN}`), 'the shorter text finds both')
  t.end()
})

void t.test('headers that cannot contain a credential', (t) => {
  for (const name of [
    'Host',
    'content-length',
    'Transfer-Encoding',
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'Proxy-Authorization',
    'Proxy-Connection',
    'HTTP2-Settings',
    'X-Sandbox-Target',
    '',
    ' X-Key',
    'X-Key ',
    'X Key',
    'X-Key:',
    'X-Key\r\nHost: evil.test',
    'X-Key\0',
    'X-Key\n',
    '\u00dcbung',
    'X\u212aey',
    '(comment)',
    'a/b',
  ])
    t.type(header.check({ name, value: TOKEN }), 'string', JSON.stringify(name))
  for (const name of ['Authorization', 'X-Api-Key', 'PRIVATE-TOKEN', 'Cookie', 'x_key', "!#$%&'*+.^`|~-"])
    t.equal(header.check({ name, value: TOKEN }), null, name)
  t.end()
})

void t.test('no kind finds an empty secret everywhere, and none prints its value', (t) => {
  for (const kind of CREDENTIAL_KINDS) {
    const fields = Object.keys(kind.fields)
    const values = Object.fromEntries(
      Object.entries(kind.fields).map(([name, { secret }]) => [
        name,
        new Secret('S', secret ? TOKEN : 'plain'),
      ]),
    )
    const credential = kind.bind('api/x', values)
    t.ok(credential.secretPatterns().bytes.every(({ length }) => length > 0))
    t.notMatch(inspect(credential, { depth: 9, showHidden: true }), TOKEN, kind.name)
    t.notMatch(JSON.stringify(credential), TOKEN, kind.name)
    const empty = kind.bind('api/x', Object.fromEntries(fields.map((name) => [name, new Secret(name, '')])))
    t.ok(
      empty.secretPatterns().bytes.every(({ length }) => length > 0),
      `${kind.name}: an empty one is left out`,
    )
    t.throws(() => kind.bind('api/x', {}), /was not set/, kind.name)
  }
  t.end()
})

void t.test('query', (t) => {
  const values = { name: new Secret('plain text', 'key', []), value: new Secret('K', 'a/b+c d-0123456789') }
  const { request, credential, secretPatterns } = bind(query, values)
  t.equal(request.query, '?key=a%2Fb%2Bc%20d-0123456789')
  t.strictSame(credential.locations, { query: ['key'] })
  t.ok(secretPatterns.includes('a%2Fb%2Bc%20d-0123456789'), 'as in a URL that a service returns')
  t.type(query.check({ name: 'a&b' }), 'string')
  t.end()
})

void t.test('cookie', (t) => {
  const values = { name: new Secret('plain text', 'sid', []), value: new Secret('C', TOKEN) }
  t.strictSame(bind(cookie, values, { cookie: 'lang=en' }).headers['cookie'], `lang=en; sid=${TOKEN}`)
  t.strictSame(bind(cookie, values).headers['cookie'], `sid=${TOKEN}`)
  t.type(cookie.check({ name: 'sid', value: 'x; admin=1' }), 'string', 'a value cannot start another cookie')
  t.end()
})

void t.test('path', (t) => {
  const value = new Secret('W', 'T000/B000/XXXXyyyyZZZZ')
  const { request, secretPatterns } = bind(path, { value })
  t.equal(request.path, '/hook/T000/B000/XXXXyyyyZZZZ/x')
  t.ok(secretPatterns.includes('XXXXyyyyZZZZ'), 'the part that is secret, on its own')
  const credential = path.bind('hook/path', { value })
  const without = outgoingRequest({ path: '/hook/other', placeholders: new Map([['W', PLACEHOLDER]]) })
  t.match(credential.inject(without, NO_TOOLS), { reason: 'credential-unsupported' })
  t.equal(without.path, '/hook/other')
  for (const text of ['../admin', 'a/..', 'a?b', 'a#b', 'a/%2e%2e/b', '', '/', 'a\\b'])
    t.type(path.check({ value: text }), 'string', JSON.stringify(text))
  t.end()
})

/** Kinds that put the secret itself into the request. */
const PLAIN_KINDS = [bearer, basic, header, query, cookie, path]

void t.test('a kind injects only into its own locations, and its secret patterns find the value', (t) => {
  for (const kind of PLAIN_KINDS) {
    const values = Object.fromEntries(
      Object.keys(kind.fields).map((name) => [name, new Secret(name, `${name}-${TOKEN}`)]),
    )
    const { request, credential, secretPatterns, error } = bind(kind, values)
    t.equal(error, null, kind.name)
    const sent = JSON.stringify([request.headers, request.path, request.query])
    t.ok(
      secretPatterns.some((pattern) => sent.includes(pattern)),
      kind.name,
    )
    if (credential.locations.path === true) continue
    const left = { ...request.headers }
    t.equal(stripClientCredential(credential.locations, left, request.query), '', kind.name)
    t.strictSame(left, { host: 'api.example' }, kind.name)
  }
  t.end()
})

void t.test('a new secret is used immediately, and the previous one is still redacted', (t) => {
  for (const kind of PLAIN_KINDS) {
    const values = Object.fromEntries(
      Object.keys(kind.fields).map((name) => [name, new Secret('W', `${name}-${TOKEN}`)]),
    )
    const { credential } = bind(kind, values)
    const before = credential.secretPatterns()
    t.equal(credential.secretPatterns(), before, 'the same until something changes')
    for (const [name, value] of Object.entries(values))
      if (kind.fields[name]?.secret === true) value.rotate(`${name}-new-0123456789`)
    const request = outgoingRequest({ path: `/${PLACEHOLDER}`, placeholders: new Map([['W', PLACEHOLDER]]) })
    t.equal(credential.inject(request, NO_TOOLS), null)
    const sent = JSON.stringify([request.headers, request.path, request.query])
    const secretPatterns = credential.secretPatterns().bytes.map((pattern) => pattern.toString('latin1'))
    t.ok(secretPatterns.some((pattern) => sent.includes(pattern)))
    t.ok(
      secretPatterns.some((pattern) => pattern.includes(TOKEN)),
      'of a request in flight',
    )
  }
  t.end()
})
