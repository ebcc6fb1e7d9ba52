import t from 'tap'
import { trailersToPass } from './trailers.js'

void t.test('fields that frame, route, modify or authenticate do not travel behind a message', (t) => {
  for (const name of [
    ...[':status', 'accept', 'accept-ranges', 'age', 'allow', 'authorization', 'cache-control', 'connection'],
    ...['content-type', 'content-length', 'content-encoding', 'cookie', 'date', 'expect', 'expires', 'host'],
    ...[
      'if-match',
      'if-none-match',
      'keep-alive',
      'location',
      'max-forwards',
      'pragma',
      'proxy-authorization',
    ],
    ...[
      'proxy-connection',
      'proxy-status',
      'range',
      'retry-after',
      'set-cookie',
      'set-cookie2',
      'te',
      'trailer',
    ],
    ...['transfer-encoding', 'upgrade', 'vary', 'via', 'warning', 'www-authenticate', 'http2-settings'],
  ])
    t.strictSame({ ...trailersToPass({ [name]: '1', 'x-sum': 'a' }) }, { 'x-sum': 'a' }, name)
  t.end()
})

void t.test('names that only look like them do', (t) => {
  const names = [
    ...['x-accept', 'aged', 'x-age', 'allowed', 'x-authorization', 'discontent-length', 'updated', 'dates'],
    ...[
      'ghost',
      'hosts',
      'allocation',
      'locations',
      'arrange',
      'ranges',
      'reset-cookie',
      'vary-by',
      'viaduct',
      'x:y',
    ],
  ]
  for (const name of names) t.strictSame({ ...trailersToPass({ [name]: '1' }) }, { [name]: '1' }, name)
  t.strictSame(
    { ...trailersToPass({ 'grpc-status': '0', 'grpc-message': '', 'x-list': ['a', 'b'], none: undefined }) },
    { 'grpc-status': '0', 'grpc-message': '', 'x-list': ['a', 'b'] },
  )
  t.end()
})

void t.test('no trailers, and too many of them', (t) => {
  for (const none of [null, {}, { host: 'a' }, { 'x-sum': undefined }]) t.equal(trailersToPass(none), null)
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${String(i)}`, '1']))
  t.equal(Object.keys(trailersToPass(many(64)) ?? {}).length, 64)
  t.equal(trailersToPass(many(65)), null)
  t.equal(
    trailersToPass({ 'x-list': Array.from({ length: 65 }, () => '1') }),
    null,
    'lines of one name count',
  )
  t.ok(trailersToPass({ 'x-list': Array.from({ length: 64 }, () => '1') }))
  t.end()
})
