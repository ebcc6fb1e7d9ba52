import fc from 'fast-check'
import t from 'tap'
import {
  collectHeaders,
  dropSessions,
  endToEndHeaders,
  framingError,
  hasBody,
  isReadable,
  isConnectionHeader,
  responseHeaders,
} from './headers.js'

const entries = (headers: object) => Object.fromEntries(Object.entries(headers))
const head = (...lines: readonly string[]) =>
  collectHeaders(
    lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  )

void t.test('raw headers by lower-case name', (t) => {
  t.strictSame(entries(head('Host: a', 'X-A: 1', 'x-a: 2', 'X-A: 3')), { host: 'a', 'x-a': ['1', '2', '3'] })
  t.strictSame(entries(collectHeaders([])), {})
  const odd = collectHeaders(['__proto__', 'x', 'constructor', 'y', 'toString', 'z'])
  t.strictSame(Object.keys(odd), ['__proto__', 'constructor', 'tostring'], 'names are names')
  for (const inherited of ['__proto__', 'constructor', 'valueOf']) t.notOk(inherited in collectHeaders([]))
  t.equal(({} as Record<string, unknown>)['x'], undefined)
  t.end()
})

void t.test('heads that can be read in one way', (t) => {
  for (const lines of [
    ['Host: a'],
    ['Host: a', 'Content-Length: 0'],
    ['Host: a', 'Content-Length: 123456789012345'],
    ['Host: a', 'Transfer-Encoding: chunked'],
    ['Host: a', 'Transfer-Encoding: Chunked'],
    ['Host: a', 'Connection: close'],
    ['Host: a', 'Connection: keep-alive, X-Hop', 'X-Hop: 1'],
    ['Host: a', 'Connection: Upgrade', 'Upgrade: websocket'],
  ])
    t.equal(framingError(head(...lines)), null, lines.join(' | '))
  t.end()
})

void t.test('and in more than one', (t) => {
  for (const lines of [
    [],
    ['X-Host: a'],
    ['Host: a', 'Host: a'],
    ['Host: a', 'host: b'],
    ['Host: a', 'Content-Length: 1', 'Transfer-Encoding: chunked'],
    ['Host: a', 'Content-Length: 0', 'Transfer-Encoding: chunked'],
    ['Host: a', 'Content-Length: 1', 'Content-Length: 1'],
    ['Host: a', 'Content-Length: 1, 1'],
    ['Host: a', 'Content-Length: '],
    ['Host: a', 'Content-Length: +1'],
    ['Host: a', 'Content-Length: -1'],
    ['Host: a', 'Content-Length: 0x10'],
    ['Host: a', 'Content-Length: 1e3'],
    ['Host: a', 'Content-Length: 1.0'],
    ['Host: a', 'Content-Length: 1_000'],
    ['Host: a', 'Content-Length: 1234567890123456'],
    ['Host: a', 'Content-Length: \u0661'],
    ['Host: a', 'Transfer-Encoding: gzip, chunked'],
    ['Host: a', 'Transfer-Encoding: chunked, chunked'],
    ['Host: a', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ['Host: a', 'Transfer-Encoding: identity'],
    ['Host: a', 'Transfer-Encoding: xchunked'],
    ['Host: a', 'Transfer-Encoding: chunked;q=1'],
    ['Host: a', 'Transfer-Encoding: "chunked"'],
    ['Host: a', 'Transfer-Encoding: '],
    ['Host: a', 'Transfer-Encoding: \x0bchunkedx'],
  ])
    t.type(framingError(head(...lines)), 'string', lines.join(' | '))
  for (const name of [
    'Host',
    'authorization',
    'CONTENT-LENGTH',
    'Content-Type',
    'Cookie',
    'Accept-Encoding',
    'X-Sandbox-Target',
  ]) {
    for (const value of [name, `close, ${name}`, `close,${name},x`, ` ,, ${name}`])
      t.match(framingError(head('Host: a', `Connection: ${value}`)), /must not name/, value)
    t.match(
      framingError(head('Host: a', 'Connection: close', `Connection: ${name}`)),
      /must not name/,
      `second ${name}`,
    )
  }
  t.end()
})

void t.test('what travels on', (t) => {
  const kept = endToEndHeaders(
    head(
      'Host: a',
      'Connection: close, X-Hop',
      'X-Hop: 1',
      'x-hop: 2',
      'Keep-Alive: 5',
      'TE: trailers',
      'Trailer: X-Sum',
      'Transfer-Encoding: chunked',
      'Upgrade: h2c',
      'HTTP2-Settings: AAA',
      'Proxy-Authorization: Basic eA==',
      'Proxy-Connection: keep-alive',
      'Proxy-Authenticate: x',
      'Expect: 100-continue',
      'Content-Length: 3',
      'X-End: 1',
      'Cookie: a=b',
    ),
  )
  t.strictSame(entries(kept), { host: 'a', 'content-length': '3', 'x-end': '1', cookie: 'a=b' })
  t.strictSame(
    entries(
      responseHeaders({
        connection: ['close', 'X-Hop'],
        'x-hop': '1',
        'alt-svc': 'h3=":443"',
        'transfer-encoding': 'chunked',
        'proxy-authenticate': 'Basic',
        'set-cookie': ['a=1', 'b=2'],
        'x-end': '1',
        none: undefined,
      }),
    ),
    { 'set-cookie': ['a=1', 'b=2'], 'x-end': '1' },
  )
  t.end()
})

void t.test('whatever the head, nothing of one connection gets into another', (t) => {
  const names = fc.constantFrom(
    'Host',
    'Connection',
    'TE',
    'X-A',
    'X-B',
    'Upgrade',
    'Trailer',
    '__proto__',
    'Expect',
    'Keep-Alive',
  )
  const values = fc.oneof(fc.string(), fc.constantFrom('x-a', 'X-B, close', 'host', ',,', 'te'))
  fc.assert(
    fc.property(fc.array(fc.tuple(names, values)), (pairs) => {
      const headers = collectHeaders(pairs.flat())
      framingError(headers)
      const kept = endToEndHeaders(headers)
      const named = pairs
        .filter(([name]) => name === 'Connection')
        .map(([, value]) => value)
        .join(',')
      const dropped = named
        .toLowerCase()
        .split(',')
        .map((name) => name.trim())
      return Object.keys(kept).every(
        (name) => !isConnectionHeader(name) && name !== 'expect' && !dropped.includes(name),
      )
    }),
  )
  t.end()
})

void t.test('which heads announce a body', (t) => {
  for (const [lines, expected] of [
    [[], false],
    [['Content-Length: 0'], false],
    [['Content-Length: 1'], true],
    [['Transfer-Encoding: chunked'], true],
  ] as const)
    t.equal(hasBody(head(...lines)), expected, lines.join())
  t.end()
})

void t.test('which responses redaction can read', (t) => {
  for (const [header, value, expected] of [
    ['transfer-encoding', 'Chunked', true],
    ['transfer-encoding', 'gzip, chunked', false],
    ['content-type', 'text/plain', true],
    ['content-type', 'text/plain; charset=UTF-8', true],
    ['content-type', 'text/plain;charset="iso-8859-15"', true],
    ['content-type', 'text/plain; charset=utf-16', false],
    ['content-type', 'text/plain;charset="UTF-16LE"', false],
    ['content-type', 'text/plain; charset=IBM037', false],
    ['content-type', 'text/plain; charset=utf-7', false],
    ['content-type', 'text/plain; charset=utf-8; CHARSET = utf-32', false],
    ['content-type', 'text/plain; charset=binary; charset=utf-16', false],
  ] as const)
    t.equal(isReadable(200, { [header]: value }), expected, `${header}: ${value}`)
  t.equal(isReadable(226, {}), false, 'RFC 3229')
  t.equal(isReadable(206, { 'content-type': 'multipart/byteranges; boundary=x' }), false)
  t.equal(isReadable(206, { 'content-type': 'text/plain' }), true)
  t.end()
})

void t.test(
  'charsets: what no encoder knows writes bytes; whatever changes ASCII is refused by all of its names',
  (t) => {
    const readable = (charset: string) =>
      isReadable(200, { 'content-type': `text/plain; charset=${charset}` })
    // file(1), PHP, MySQL, WHATWG's bytes, and what frameworks print where they know nothing.
    const passing =
      'binary utf8mb4 utf8mb3 UTF8 utf_8 x-user-defined none unknown x-unknown default auto 8bit raw iso_8859-1 ISO8859-1 ' +
      'iso_8859-1:1987 latin1 l1 windows-31j windows-1252 cp1251 CP437 ibm850 cp932 ms932 gbk GB18030 gb2312 big5-hkscs euc-jp ' +
      'euc-kr shift_jis Shift_JIS-2004 koi8-r koi8-ru iso-2022-jp us-ascii ansi_x3 ascii macintosh x-mac-cyrillic tis-620 65001'
    t.strictSame(
      passing.split(' ').filter((charset) => !readable(charset) && charset !== 'ansi_x3'),
      [],
    )
    const refused =
      'utf-16 UTF16 utf_16_le utf-16be u16 csUTF16 utf-32 u32 UTF-32LE x-utf-16le-bom ucs-2 ucs2 UCS-4 iso-10646-ucs-2 csUnicode ' +
      'unicode unicodeFFFE UnicodeBig UnicodeLittleUnmarked utf-7 u7 unicode-1-1-utf-7 x-imap-mailbox-name imap-mailbox-name ' +
      'utf-7-imap scsu bocu-1 lmbcs-1 utf-ebcdic ebcdic-us ebcdic-cp-be us-ebcdic x-ebcdic-koreanextended ibm037 IBM037 cp037 037 ' +
      'ibm-37_p100-1995 cp500 500 ibm1047 cp1140 ibm01140 x-ibm930 cp939 cp273 ibm285 cp424 cp875 cp1026 ccsid00858 hz hz-gb-2312 ' +
      'punycode idna rot13 rot_13 base64 hex uu8 wchar_t ucs-2-internal iso646-de x-ia5-german5 '
    t.strictSame(refused.trim().split(' ').filter(readable), [])
    t.end()
  },
)

void t.test('sessions and tokens that an answer hands out', (t) => {
  const sessions = [
    ...[
      'set-cookie',
      'set-cookie2',
      'authentication-info',
      'authorization',
      'x-access-token',
      'x-auth-token',
    ],
    ...['x-refresh-token', 'x-session-token', 'x-subject-token'],
  ]
  const headers = Object.fromEntries(
    [...sessions, 'x-request-id', 'cookie-policy'].map((name) => [name, '1']),
  )
  dropSessions(headers)
  t.strictSame(Object.keys(headers), ['x-request-id', 'cookie-policy'])
  t.end()
})

void t.test('fields of one connection, and those that advertise another way', (t) => {
  const ofConnection = [
    ...[
      'connection',
      'keep-alive',
      'proxy-authenticate',
      'proxy-authorization',
      'proxy-connection',
      'te',
      'trailer',
    ],
    ...['transfer-encoding', 'upgrade', 'http2-settings'],
  ]
  for (const name of ofConnection) {
    t.ok(isConnectionHeader(name), name)
    t.strictSame(entries(endToEndHeaders({ [name]: 'x', a: '1' })), { a: '1' }, name)
    t.strictSame(entries(responseHeaders({ [name]: 'x', a: '1' })), { a: '1' }, name)
  }
  t.notOk(isConnectionHeader('x-connection'))
  for (const name of ['alt-svc', 'alt-used', 'public-key-pins'])
    t.strictSame(entries(responseHeaders({ [name]: 'x', a: '1' })), { a: '1' }, name)
  t.strictSame(
    entries(endToEndHeaders({ connection: 'X-A , ,keep-alive', 'x-a': '1', '': 'kept', 'x-b': '2' })),
    {
      '': 'kept',
      'x-b': '2',
    },
  )
  for (const value of ['close', 'keep-alive'])
    t.strictSame(entries(endToEndHeaders({ connection: value, close: '1', 'x-b': '2' })), {
      close: '1',
      'x-b': '2',
    })
  t.end()
})

void t.test('a length that is a list of one is no length', (t) => {
  t.type(framingError({ host: 'a', 'content-length': ['1'] }), 'string')
  t.type(framingError({ host: 'a', 'transfer-encoding': ['chunked'] }), 'string')
  t.strictSame(entries(collectHeaders(['a', '1', 'odd'])), { a: '1' })
  t.ok(hasBody({ 'content-length': '1' }))
  t.notOk(hasBody({ 'content-length': '0' }))
  t.notOk(hasBody({}))
  t.ok(hasBody({ 'transfer-encoding': 'chunked' }))
  t.end()
})

void t.test('charsets in which ASCII is not ASCII cannot be searched', (t) => {
  const isRead = (charset: string) => isReadable(200, { 'content-type': `text/plain; charset=${charset}` })
  for (const charset of [
    ...[
      'UCS2',
      'unicode',
      'EBCDIC-CP-US',
      'scsu',
      'BOCU',
      'lmbcs',
      'IMAP-mailbox-name',
      'punycode',
      'idna',
      'wchar',
    ],
    ...[
      'hz',
      'hz-gb',
      'rot',
      'base',
      'hex',
      'quopri',
      'java',
      'x-java',
      'UTF-EBCDIC',
      'utf-16',
      'utf-32le',
      'utf-7',
    ],
    ...['cp037', 'ibm1047', 'cp500', 'base64', 'rot13', 'uu7', 'cp1026', 'x-mac-ucs', '"utf-16"'],
  ])
    t.notOk(isRead(charset), charset)
  for (const charset of [
    ...[
      'utf-8',
      'UTF8',
      '"utf-8"',
      'utf8mb4',
      'us-ascii',
      'ascii',
      'iso-8859-1',
      'latin1',
      'windows-1252',
      'cp437',
    ],
    ...[
      'shift_jis',
      'euc-jp',
      'gb18030',
      'big5',
      'koi8-r',
      'tis-620',
      'binary',
      'none',
      'hexagon',
      'javascript',
    ],
  ])
    t.ok(isRead(charset), charset)
  t.notOk(isReadable(200, { 'content-type': 'text/plain; charset=utf-8; charset=utf-16' }), 'any of them')
  t.notOk(isReadable(226, {}))
  t.notOk(isReadable(206, { 'content-type': ' Multipart/byteranges' }))
  t.ok(isReadable(200, { 'content-type': 'multipart/mixed' }))
  t.ok(isReadable(206, { 'content-type': 'text/multipart/x' }))
  t.notOk(isReadable(200, { 'transfer-encoding': 'gzip, chunked' }))
  t.ok(isReadable(200, { 'transfer-encoding': 'Chunked' }))
  t.end()
})
