import t from 'tap'
import { text, type AdminRoute } from './route.js'
import { Router } from './router.js'

const route = (method: AdminRoute['method'], path: AdminRoute['path']): AdminRoute => ({
  method,
  path,
  handle: () => text(path),
})

const TABLE = [
  route('GET', '/sandboxes/:id'),
  route('GET', '/sandboxes'),
  route('POST', '/sandboxes/:id/stop'),
  route('POST', '/sandboxes/all/stop'),
  route('DELETE', '/sandboxes/:id'),
]

function found(method: string, path: string) {
  const result = new Router(TABLE).find(method, path)
  return 'route' in result ? [result.route.path, result.params] : result.allow
}

void t.test('a path finds its route and the parts that it names', (t) => {
  t.strictSame(found('GET', '/sandboxes'), ['/sandboxes', {}])
  t.strictSame(found('GET', '/sandboxes/a%20b'), ['/sandboxes/:id', { id: 'a b' }])
  t.strictSame(found('POST', '/sandboxes/x/stop'), ['/sandboxes/:id/stop', { id: 'x' }])
  t.strictSame(found('POST', '/sandboxes/all/stop'), ['/sandboxes/all/stop', {}], 'literally named first')
  t.end()
})

void t.test('other paths and methods find none', (t) => {
  for (const path of [
    '',
    '/',
    '/sandboxes/',
    '//sandboxes',
    '/Sandboxes',
    '/sandboxes/x/y',
    '/sandboxes/%zz',
  ])
    t.strictSame(found('GET', path), [], path)
  t.strictSame(found('POST', '/sandboxes/x'), ['GET', 'DELETE'])
  t.end()
})

void t.test('the same route twice is a bug', (t) => {
  t.throws(() => new Router([...TABLE, route('GET', '/sandboxes/:name')]), /Two admin routes for GET/)
  t.end()
})
