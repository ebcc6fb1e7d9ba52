import t from 'tap'
import { exceededLimit, HEAD_LIMITS } from './head-limits.js'

const names = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${String(i)}`, '1']))
const lines = (count: number, text = '1') => Array.from({ length: count }, () => text)
const list = (count: number) => lines(count).join(',')

void t.test('each limit holds to the number, wherever the parts stand', (t) => {
  for (const [what, limit, make] of [
    ['headers', 200, (n: number) => ['/', names(n)]],
    ['headers', 200, (n: number) => ['/', { ...names(n - 60), a: lines(60) }]],
    ['headers of one name', 64, (n: number) => ['/', { a: lines(n), ...names(9) }]],
    ['path segments', 512, (n: number) => ['/a'.repeat(n), {}]],
    ['path segments', 512, (n: number) => [`/${'%2f'.repeat(n - 1)}?a=/`, {}]],
    ['path segments', 512, (n: number) => [`${'/'.repeat(n - 100)}${'%2F'.repeat(100)}?/`, {}]],
    ['bytes of the request target', 49_152, (n: number) => ['/'.padEnd(n, 'a'), {}]],
    ['bytes of the request target', 49_152, (n: number) => ['/?'.padEnd(n, 'a'), {}]],
    ['escapes in the path', 4_096, (n: number) => [`/${'%41'.repeat(n)}?%41`, {}]],
    ['query parameters', 2_048, (n: number) => [`/&;?${'&'.repeat(n)}`, {}]],
    ['query parameters', 2_048, (n: number) => [`/?${';'.repeat(n - 9)}${'&'.repeat(9)}`, {}]],
    ['cookies', 256, (n: number) => ['/', { cookie: lines(n).join(';') }]],
    [
      'cookies',
      256,
      (n: number) => [
        '/',
        { cookie: [...lines(n - 50), lines(50).join(';')].slice(-51).concat(lines(n - 100).join(';')) },
      ],
    ],
    ...['connection', 'te', 'upgrade', 'trailer', 'accept-encoding', 'expect', 'transfer-encoding'].map(
      (name) => ['members of a list header', 32, (n: number) => ['/', { [name]: list(n) }]] as const,
    ),
    ['members of a list header', 32, (n: number) => ['/', { te: [list(n - 20), list(20)], a: list(90) }]],
    ['members of a list header', 32, (n: number) => ['/', { 'x-http-method-override': list(n) }]],
    ['members of a list header', 32, (n: number) => ['/', { te: list(n), 'x-method': list(2), a: list(90) }]],
  ] as const) {
    t.equal(HEAD_LIMITS[what], limit)
    const of = (count: number) =>
      exceededLimit(...(make(count) as [string, Record<string, string | string[]>]))
    t.equal(of(limit), null, what)
    t.equal(of(limit + 1), `more than ${String(limit)} ${what}`)
  }
  t.end()
})

void t.test('what stands elsewhere does not count', (t) => {
  t.equal(exceededLimit(`/?${'/'.repeat(600)}`, {}), null, 'slashes of a query')
  t.equal(exceededLimit(`/?${'%41'.repeat(5_000)}`, {}), null, 'escapes of a query')
  t.equal(exceededLimit(`/${'&'.repeat(3_000)}`, {}), null, 'ampersands of a path')
  t.equal(exceededLimit('/', { accept: list(60), cookie: list(300) }), null, 'lists of other headers')
  t.end()
})
