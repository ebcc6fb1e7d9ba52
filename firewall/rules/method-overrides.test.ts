import t from 'tap'
import {
  decodeForm,
  isOverrideHeader,
  isOverrideName,
  methodsInQuery,
  overridingMethod,
} from './method-overrides.js'

void t.test('the names by which a method is overridden', (t) => {
  for (const name of [
    ...[
      'method',
      '_method',
      '.method',
      ' _method',
      '[method',
      '_method[]',
      '_method[a]',
      '_method\0x',
      'METHOD',
    ],
    ...['method_override', 'http_method', 'http-method-override', 'X-Method-Override', 'x_http_method'],
    ...['X-HTTP-Method-Override', 'httpMethod'],
  ])
    t.ok(isOverrideName(name), name)
  for (const name of ['methods', 'my_method', '', 'x[_method]', 'xmethod', 'a\0_method', 'methodx[]'])
    t.notOk(isOverrideName(name), name)
  for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override', 'x_http_method'])
    t.ok(isOverrideHeader(name), name)
  for (const name of ['method', 'http-method', '_method', 'x-method', 'ax-http-method'])
    t.notOk(isOverrideHeader(name), name)
  t.end()
})

void t.test('the methods that a query names', (t) => {
  for (const [query, methods] of [
    ['', []],
    ['?_method=DELETE', ['DELETE']],
    ['?_method=delete&a=b', ['DELETE']],
    ['?a=b;_method=put', ['PUT']],
    ['?a=b&_method=put;_method=patch', ['PUT', 'PATCH']],
    ['?%5Fmethod=DEL%45TE', ['DELETE']],
    ['?%5fm%45thod=x-purge', ['X-PURGE']],
    ['?+_method=+delete+', ['DELETE']],
    ['?_method=DELETE=1', []],
    ['?_method=DELETE%00=1', ['DELETE']],
    ['?a=_method=DELETE', []],
    ['?_method', []],
    ['?_method=', []],
    ['?=_method', []],
    ['?method=list', []],
    ['?method=get', ['GET']],
    ['?METHOD=Get', ['GET']],
    ['?+method=list', []],
    ['?x-http-method=list', ['LIST']],
    ['?_method=1DELETE', []],
    ['?_method=DE/LETE', []],
    ['?_method=de_le-te', ['DE_LE-TE']],
    ['?notes=%41', []],
  ] as const)
    t.strictSame(methodsInQuery(query), methods, query)
  t.equal(overridingMethod('_method', 'delete\0\nx'), 'DELETE')
  t.equal(decodeForm('%4a+%zz%4A%'), 'J %zzJ%')
  t.end()
})
