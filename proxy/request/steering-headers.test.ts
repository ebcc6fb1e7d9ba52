import t from 'tap'
import { dropSteeringHeaders, overridesIn, requestTrailers } from './steering-headers.js'

const left = (headers: Record<string, string>, locations = {}, passed: readonly string[] = []) => {
  const copy = { ...headers }
  dropSteeringHeaders(copy, locations, passed)
  return Object.keys(copy)
}

void t.test('what steers a server is dropped, unless the policy names it', (t) => {
  const headers = {
    ...{ 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
    ...{
      'x-original-uri': '/admin',
      'x-rewrite-url': '/admin',
      'x-http-path-override': '/admin',
      'x-real-ip': '::1',
    },
    ...{ accept: '*/*', 'x-request-id': '1', 'x-api-version': '2' },
  }
  t.same(left(headers), ['accept', 'x-request-id', 'x-api-version'])
  t.same(left(headers, {}, ['x-forwarded-proto']), [
    'x-forwarded-proto',
    'accept',
    'x-request-id',
    'x-api-version',
  ])
  t.end()
})

void t.test('names that become another name in CGI are dropped, where that one means something', (t) => {
  for (const name of [
    'content_length',
    'transfer_encoding',
    'content.type',
    'x_http_method_override',
    'x-http_method',
    'proxy_authorization',
    'x_forwarded_for',
    'x_sandbox_target',
  ])
    t.same(left({ [name]: '1' }), [], name)
  t.same(left({ x_api_key: 'mine' }, { headers: ['x-api-key'] }), [], 'the location of the credential')
  t.same(left({ x_trace: '1', 'x-trace': '2' }), ['x-trace'], 'the same name twice')
  t.same(left({ x_other: '1' }, {}, ['x_other']), ['x_other'])
  t.same(left({ x_forwarded_proto: '1' }, {}, ['x-forwarded-proto']), [], 'a policy passes the name itself')
  t.end()
})

void t.test('methods that headers name', (t) => {
  t.same(
    overridesIn({
      'x-http-method-override': 'get, Delete',
      x_http_method: ['PUT', 'put'],
      'x-method-override': '',
    }),
    ['GET', 'DELETE', 'PUT'],
  )
  t.same(overridesIn({ 'x-method': 'PUT', method: 'PUT', accept: 'DELETE' }), [])
  t.end()
})

void t.test('every header that means something to a server has no twin', (t) => {
  for (const name of [
    ...[
      'accept-encoding',
      'content-encoding',
      'content-length',
      'content-md5',
      'content-range',
      'content-type',
    ],
    ...['if-match', 'if-none-match', 'if-range', 'max-forwards', 'proxy-authorization', 'x-sandbox-target'],
    ...['connection', 'te', 'transfer-encoding', 'upgrade', 'keep-alive', 'forwarded', 'x-forwarded-for'],
  ]) {
    t.same(
      left({ [name.replace('-', '_')]: '1', a: '1' }),
      name.includes('-') ? ['a'] : left({ [name]: '1', a: '1' }),
      name,
    )
  }
  t.same(left({ 'content-length': '1', 'if-match': 'x', 'content-type': 'y' }), [
    'content-length',
    'if-match',
    'content-type',
  ])
  t.end()
})

void t.test('trailers of a request have nothing that could mean something to a server', (t) => {
  const locations = { headers: ['x-key'] }
  const passed = (trailers: Record<string, string | string[]> | null) => {
    const kept = requestTrailers(trailers, locations)
    return kept === null ? null : Object.keys(kept)
  }
  for (const name of [
    ...[
      'x-key',
      'x_key',
      'content-length',
      'content_length',
      'host',
      'transfer-encoding',
      'authorization',
      'te',
    ],
    ...[
      'x-forwarded-for',
      'forwarded',
      'x-http-method-override',
      'x_http_method',
      'x-sandbox-target',
      'if-match',
    ],
    ...['proxy_authorization', 'x-original-url', 'connection'],
  ]) {
    t.same(passed({ [name]: '1', 'x-sum': '1' }), ['x-sum'], name)
    t.equal(passed({ [name]: '1' }), null, `${name} alone`)
  }
  t.equal(passed(null), null)
  t.same(passed({ 'x-sum': '1', x_sum: '2' }), ['x-sum', 'x_sum'])
  t.end()
})
