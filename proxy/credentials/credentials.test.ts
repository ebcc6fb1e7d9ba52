import { inspect } from 'node:util'
import t from 'tap'
import type { CredentialKind, Headers } from '#firewall/credential.js'
import { Secret } from '#firewall/secret.js'
import { CREDENTIAL_KINDS } from './index.js'
import { basic } from './basic.js'
import { bearer } from './bearer.js'
import { header } from './header.js'

const TOKEN = 'tok-0123456789'

function bind(kind: CredentialKind, values: Record<string, Secret>, before: Headers = {}) {
  const credential = kind.bind(`api/${kind.name}`, values)
  const headers: Headers = { host: 'api.example', ...before }
  credential.inject(headers)
  return {
    credential,
    headers,
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
  t.match(credential, { kind: 'bearer', id: 'api/bearer', slots: ['authorization'] })
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
  t.strictSame(credential.slots, ['authorization'])
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
  t.strictSame(credential.slots, ['x-api-key'])
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

void t.test(
  'the slot covers whatever is injected, and every needle is in what is sent or in the secret',
  (t) => {
    for (const kind of CREDENTIAL_KINDS) {
      const values = Object.fromEntries(
        Object.keys(kind.fields).map((name) => [name, new Secret(name, `${name}-${TOKEN}`)]),
      )
      const { headers, credential, needles } = bind(kind, values)
      const injected = Object.keys(headers).filter((name) => name !== 'host')
      t.strictSame(injected, credential.slots, kind.name)
      const sent = injected.map((name) => String(headers[name])).join('\n')
      t.ok(
        needles.some((needle) => sent.includes(needle)),
        kind.name,
      )
    }
    t.end()
  },
)
