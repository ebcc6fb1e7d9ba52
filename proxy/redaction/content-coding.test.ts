import t from 'tap'
import { decodedHeaders, readCodings } from './content-coding.js'

void t.test('which codings can be undone', (t) => {
  for (const [value, expected] of [
    [undefined, []],
    ['', []],
    ['Identity', []],
    ['gzip', ['gzip']],
    ['x-gzip', ['gzip']],
    ['identity, GZIP ,', ['gzip']],
    ['gzip, br', ['gzip', 'br']],
    [
      ['deflate', 'gzip'],
      ['deflate', 'gzip'],
    ],
    ['gzip, gzip, gzip', null],
    ['compress', null],
    ['gzip, aes128gcm', null],
    ['constructor', null],
  ] as const)
    t.strictSame(readCodings(value as string), expected, String(value))
  t.end()
})

void t.test('a head no longer speaks of the coded bytes', (t) => {
  const headers = {
    'content-encoding': 'gzip',
    'content-length': '1',
    'x-amz-checksum-crc32': 'a',
    etag: '"a"',
    vary: 'accept-encoding',
  }
  t.strictSame({ ...decodedHeaders(headers) }, { etag: 'W/"a"', vary: 'accept-encoding' })
  t.equal(decodedHeaders({ etag: 'W/"a"' })['etag'], 'W/"a"')
  t.end()
})
