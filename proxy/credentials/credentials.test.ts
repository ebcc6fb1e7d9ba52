import { inspect } from 'node:util'
import t from 'tap'
import type { CredentialKind, Headers } from '#firewall/credential.js'
import { Secret } from '#firewall/secret.js'
import { NO_TOOLS, outgoingRequest } from '#test/support/outgoing.js'
import { CREDENTIAL_KINDS } from './index.js'
import { basic } from './basic.js'
import { bearer } from './bearer.js'
import { header } from './header.js'
import { cookie } from './cookie.js'
import { path } from './path.js'
import { query } from './query.js'
import { emptySlots } from '../slots.js'

const TOKEN = 'tok-0123456789'
const STAND_IN = 'standINstandINstandINstandINstan'

function bind(kind: CredentialKind, values: Record<string, Secret>, before: Headers = {}) {
  const credential = kind.bind(`api/${kind.name}`, values)
  const headers: Headers = { host: 'api.example', ...before }
  const request = outgoingRequest({
    headers,
    path: `/hook/${STAND_IN}/x`,
    standIns: new Map([
      ['W', STAND_IN],
      ...Object.values(values).map(({ name }) => [name, STAND_IN] as const),
    ]),
  })
  const fault = credential.inject(request, NO_TOOLS)
  return {
    credential,
    headers,
    request,
    fault,
    needles: credential.needles().bytes.map((needle) => needle.toString('latin1')),
  }
}

void t.test('bearer', (t) => {
  const { credential, headers, needles } = bind(
    bearer,
    { token: new Secret('T', TOKEN) },
    { authorization: 'Bearer dummy' },
  )
  t.strictSame(headers, { host: 'api.example', authorization: `Bearer ${TOKEN}` })
  t.match(credential, { kind: 'bearer', id: 'api/bearer', slots: { headers: ['authorization'] } })
  t.ok(needles.includes(TOKEN))
  t.end()
})

void t.test('basic', (t) => {
  const values = {
    username: new Secret('plain text', 'me@example.com', []),
    password: new Secret('P', 'p\u00e4ss:w\u00f6rd'),
  }
  const { headers, needles, credential } = bind(basic, values)
  const encoded = Buffer.from('me@example.com:p\u00e4ss:w\u00f6rd', 'utf8').toString('base64')
  t.equal(headers['authorization'], `Basic ${encoded}`)
  t.strictSame(credential.slots, { headers: ['authorization'] })
  t.ok(needles.includes(encoded), 'what was sent')
  t.ok(needles.includes(Buffer.from('p\u00e4ss:w\u00f6rd').toString('latin1')), 'the password as UTF-8')
  t.ok(needles.includes('p\u00e4ss:w\u00f6rd'), 'and as latin1')
  t.notOk(needles.includes('me@example.com'), 'a plain user name stands in ordinary responses')
  t.equal(basic.check({ username: 'a', password: 'b:c' }), null)
  t.type(basic.check({ username: 'a:b', password: 'c' }), 'string')
  t.end()
})

void t.test('header', (t) => {
  const values = {
    name: new Secret('plain text', 'X-Api-Key', []),
    value: new Secret('K', `Token ${TOKEN}`, [TOKEN]),
  }
  const { headers, needles, credential } = bind(header, values, { 'x-api-key': 'dummy' })
  t.strictSame(headers, { host: 'api.example', 'x-api-key': `Token ${TOKEN}` })
  t.strictSame(credential.slots, { headers: ['x-api-key'] })
  t.ok(needles.includes(TOKEN))
  t.notOk(needles.includes(`Token ${TOKEN}`), 'the shorter text finds both')
  t.end()
})

void t.test('header names that hold no credential', (t) => {
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
    t.ok(credential.needles().bytes.every(({ length }) => length > 0))
    t.notMatch(inspect(credential, { depth: 9, showHidden: true }), TOKEN, kind.name)
    t.notMatch(JSON.stringify(credential), TOKEN, kind.name)
    const empty = kind.bind('api/x', Object.fromEntries(fields.map((name) => [name, new Secret(name, '')])))
    t.ok(
      empty.needles().bytes.every(({ length }) => length > 0),
      `${kind.name}: an empty one is left out`,
    )
    t.throws(() => kind.bind('api/x', {}), /was not bound/, kind.name)
  }
  t.end()
})

void t.test('query', (t) => {
  const values = { name: new Secret('plain text', 'key', []), value: new Secret('K', 'a/b+c d-0123456789') }
  const { request, credential, needles } = bind(query, values)
  t.equal(request.query, '?key=a%2Fb%2Bc%20d-0123456789')
  t.strictSame(credential.slots, { query: ['key'] })
  t.ok(needles.includes('a%2Fb%2Bc%20d-0123456789'), 'as it stands in an address that is said back')
  t.type(query.check({ name: 'a&b' }), 'string')
  t.end()
})

void t.test('cookie', (t) => {
  const values = { name: new Secret('plain text', 'sid', []), value: new Secret('C', TOKEN) }
  t.strictSame(bind(cookie, values, { cookie: 'lang=en' }).headers['cookie'], `lang=en; sid=${TOKEN}`)
  t.strictSame(bind(cookie, values).headers['cookie'], `sid=${TOKEN}`)
  t.type(cookie.check({ name: 'sid', value: 'x; admin=1' }), 'string', 'a value cannot begin another cookie')
  t.end()
})

void t.test('path', (t) => {
  const value = new Secret('W', 'T000/B000/XXXXyyyyZZZZ')
  const { request, needles } = bind(path, { value })
  t.equal(request.path, '/hook/T000/B000/XXXXyyyyZZZZ/x')
  t.ok(needles.includes('XXXXyyyyZZZZ'), 'the part that is secret, on its own')
  const credential = path.bind('hook/path', { value })
  const without = outgoingRequest({ path: '/hook/other', standIns: new Map([['W', STAND_IN]]) })
  t.match(credential.inject(without, NO_TOOLS), { reason: 'credential-unsupported' })
  t.equal(without.path, '/hook/other')
  for (const text of ['../admin', 'a/..', 'a?b', 'a#b', 'a/%2e%2e/b', '', '/', 'a\\b'])
    t.type(path.check({ value: text }), 'string', JSON.stringify(text))
  t.end()
})

/** Kinds that put the secret itself into the request. */
const PLAIN_KINDS = [bearer, basic, header, query, cookie, path]

void t.test('what a kind puts in stands in its own slots, and is found by its needles', (t) => {
  for (const kind of PLAIN_KINDS) {
    const values = Object.fromEntries(
      Object.keys(kind.fields).map((name) => [name, new Secret(name, `${name}-${TOKEN}`)]),
    )
    const { request, credential, needles, fault } = bind(kind, values)
    t.equal(fault, null, kind.name)
    const sent = JSON.stringify([request.headers, request.path, request.query])
    t.ok(
      needles.some((needle) => sent.includes(needle)),
      kind.name,
    )
    if (credential.slots.path === true) continue
    const left = { ...request.headers }
    t.equal(emptySlots(credential.slots, left, request.query), '', kind.name)
    t.strictSame(left, { host: 'api.example' }, kind.name)
  }
  t.end()
})

void t.test('a secret that changes is used at once, and the one before it is still looked for', (t) => {
  for (const kind of PLAIN_KINDS) {
    const values = Object.fromEntries(
      Object.keys(kind.fields).map((name) => [name, new Secret('W', `${name}-${TOKEN}`)]),
    )
    const { credential } = bind(kind, values)
    const before = credential.needles()
    t.equal(credential.needles(), before, 'the same until something changes')
    for (const [name, value] of Object.entries(values))
      if (kind.fields[name]?.secret === true) value.renew(`${name}-new-0123456789`)
    const request = outgoingRequest({ path: `/${STAND_IN}`, standIns: new Map([['W', STAND_IN]]) })
    t.equal(credential.inject(request, NO_TOOLS), null)
    const sent = JSON.stringify([request.headers, request.path, request.query])
    const needles = credential.needles().bytes.map((needle) => needle.toString('latin1'))
    t.ok(needles.some((needle) => sent.includes(needle)))
    t.ok(
      needles.some((needle) => needle.includes(TOKEN)),
      'of a request that is under way',
    )
  }
  t.end()
})
