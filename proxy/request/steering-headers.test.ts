import t from 'tap'
import { dropSteeringHeaders, overridesIn } from './steering-headers.js'

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
