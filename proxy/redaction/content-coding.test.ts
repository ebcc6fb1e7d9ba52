import { once } from 'node:events'
import * as zlib from 'node:zlib'
import t from 'tap'
import { brotliWindow, createDecoder, decodedHeaders, readCodings } from './content-coding.js'

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

void t.test('a window that is too large is refused before it is made, at any stage', async (t) => {
  const pack = (bits: number) =>
    zlib.brotliCompressSync(Buffer.alloc(40 * 2 ** 20, 'x'), {
      params: { [zlib.constants.BROTLI_PARAM_LGWIN]: bits, [zlib.constants.BROTLI_PARAM_QUALITY]: 1 },
    })
  for (let bits = 18; bits <= 24; bits += 1) t.equal(brotliWindow(pack(bits)[0] ?? 0), bits, String(bits))
  for (const [bits, codings] of [
    [22, ['br']],
    [24, ['br']],
    [22, ['br', 'gzip']],
    [24, ['br', 'gzip']],
  ] as const) {
    const packed = codings.length === 1 ? pack(bits) : zlib.gzipSync(pack(bits))
    const { input, output } = createDecoder(codings, packed[0] ?? 0)
    const ended = once(output.resume(), 'end').then(
      () => 'whole',
      (error: unknown) => (error as { code: string }).code,
    )
    input.end(packed)
    t.equal(await ended, bits === 22 ? 'whole' : 'EGRESS_WINDOW', `${codings.join()} ${String(bits)}`)
  }
})
