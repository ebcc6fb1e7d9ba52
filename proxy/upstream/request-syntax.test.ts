import t from 'tap'
import type { Headers } from '#firewall/contracts/credential.js'
import { isIdempotent, isSafe, SentBytes } from './repeatable.js'
import { checkRequest } from './request-syntax.js'
import type { UpstreamRequest } from './upstream.js'

const request = (parts: { method?: string; path?: string; headers?: Headers }) =>
  ({ method: 'GET', path: '/', headers: { host: 'a.example' }, ...parts }) as unknown as UpstreamRequest

void t.test('a head of which no part is two', (t) => {
  for (const parts of [
    {},
    { method: "a!#$%&'*+-.^_`|~0Z" },
    { path: '*' },
    { path: '/~x!?\x7e' },
    { headers: { host: '', 'x-a': '\t \x21\x7e\x80\xff', list: ['a', ''] } },
  ])
    t.doesNotThrow(() => checkRequest(request(parts)), JSON.stringify(parts))
  t.end()
})

void t.test('and every one of which a part could be', (t) => {
  for (const [parts, message] of [
    [{ method: '' }, /request line/],
    ...['GET x', 'GET\r\n', 'GE\0T', 'GET:', 'G\xe9T', '(', 'a/b'].map(
      (method) => [{ method }, /request line/] as const,
    ),
    ...['', '/ x', '/\r\nx', '/\t', '/\x7f', '/\x80', '/\0'].map(
      (path) => [{ path }, /request line/] as const,
    ),
    [{ headers: {} }, /one host/],
    [{ headers: { host: ['a', 'b'] } }, /one host/],
    ...['', 'a b', 'a:', 'a\n', '\xe9', ':path'].map(
      (name) => [{ headers: { host: 'a', [name]: '1' } }, /the name of a header/] as const,
    ),
    ...['a\r\nb', 'a\nb', '\r', '\0', '\x7f', '\x1f', '\u0100', '\u560a'].flatMap((value) => [
      [{ headers: { host: 'a', x: value } }, /the value of a header/] as const,
      [{ headers: { host: 'a', x: ['fine', value] } }, /the value of a header/] as const,
      [{ headers: { host: value } }, /the value of a header/] as const,
    ]),
  ] as const) {
    const text = JSON.stringify(parts)
    t.throws(
      () => checkRequest(request(parts as Parameters<typeof request>[0])),
      { code: 'EGRESS_INVALID_REQUEST', message },
      text,
    )
  }
  t.end()
})

void t.test('what may be sent twice', (t) => {
  const safe = ['GET', 'HEAD', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH']
  for (const method of [...safe, 'PUT', 'DELETE', 'POST', 'PATCH', 'MKCOL', 'get', 'TRACE']) {
    t.equal(isSafe({ method }), safe.includes(method), method)
    t.notOk(isSafe({ method, isOnce: true }))
    t.notOk(isIdempotent({ method, headers: {}, isOnce: true }))
    const isRepeatable = safe.includes(method) || method === 'PUT' || method === 'DELETE'
    t.equal(isIdempotent({ method, headers: { host: 'a' } }), isRepeatable, method)
    for (const name of ['idempotency-key', 'x-idempotency-key'])
      t.ok(isIdempotent({ method, headers: { [name]: '1' } }), `${method} ${name}`)
    for (const name of ['if-match', 'if-none-match', 'x-ms-if-tags'])
      t.equal(isIdempotent({ method, headers: { [name]: '1' } }), safe.includes(method), `${method} ${name}`)
    t.equal(isIdempotent({ method, headers: { 'x-gif-a': '1' } }), isRepeatable)
  }
  const sent = new SentBytes()
  sent.add(Buffer.alloc(32_767))
  sent.add(Buffer.alloc(1))
  t.equal(sent.chunks?.length, 2)
  sent.add(Buffer.alloc(1))
  t.equal(sent.chunks, null)
  sent.add(Buffer.alloc(0))
  t.equal(sent.chunks, null, 'never again')
  const forgotten = new SentBytes()
  forgotten.add(Buffer.alloc(1))
  forgotten.forget()
  t.equal(forgotten.chunks, null)
  t.end()
})
