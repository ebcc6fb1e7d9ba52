/** A number from 0 to limit - 1. */
export type Random = (limit: number) => number

export const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)] as T

export const METHODS = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'HEAD',
  'DELETE',
  'TRACE',
  'CONNECT',
  'OPTIONS',
  'get',
  'PRI',
  'G\0T',
]
export const PATHS = [
  ...[
    '/rest/a',
    '/rest/a',
    '/rest/a/b',
    '/rest/?q=1',
    '/rest/x?_method=DELETE',
    '/rest/x?.method=PUT',
    '/admin/x',
    '/ADMIN/x',
  ],
  ...[
    '/rest/../admin/x',
    '/rest/%2e%2e/admin',
    '/rest/..%2fadmin',
    '//admin/x',
    '/rest/a;x=y',
    '/rest/%00',
    '/rest/a b',
    '*',
    '',
  ],
  ...[
    '/rest/%c0%ae',
    '/rest/\xe4',
    '/rest/a#b',
    '/rest/a\tb',
    '/rest/a%',
    '/rest//admin',
    '/rest/a\\b',
    '/rest/%5cadmin',
  ],
]
const HEADERS = [
  ...[
    'Content-Length: 5',
    'Content-Length: 0',
    'Content-Length: 05',
    'Content-Length: +5',
    'Content-Length: 5, 5',
    'Content-Length: -1',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding : chunked',
  ],
  ...[
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding:\tchunked',
    'Transfer-Encoding: chunked\r\n x',
    'transfer_encoding: chunked',
  ],
  ...[
    'Content_Length: 9',
    'Connection: close',
    'Connection: keep-alive',
    'Connection: Authorization',
    'Connection: host, x',
  ],
  ...[
    'Upgrade: websocket',
    'Upgrade: h2c',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'HTTP2-Settings: AAMA',
  ],
  ...[
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Expect: 100-continue',
    'Expect: x',
    'TE: trailers',
    'Trailer: Content-Length',
  ],
  ...[
    'Authorization: Bearer mine',
    'Proxy-Authorization: Basic eA==',
    'X-Forwarded-Host: evil',
    'Forwarded: host=evil',
  ],
  ...[
    'X-Original-URL: /admin',
    'X_Rewrite_Url: /admin',
    'X-HTTP-Method-Override: DELETE',
    'X_HTTP_Method: PUT',
    'Cookie: a=b',
  ],
  ...[
    'X: a\rb',
    'X: a\0b',
    'X: a\nContent-Length: 3',
    ' X: a',
    'X',
    ': a',
    'X-A\xff: b',
    'Range: bytes=0-',
    'Content-Encoding: gzip',
  ],
  ...[
    'Content-Type: application/x-www-form-urlencoded',
    'Content-Type: multipart/form-data; boundary=b',
    `X: ${'a'.repeat(9_000)}`,
  ],
]
const CHUNKS = [
  ...[
    '5\r\nhello\r\n',
    '5\r\nhello\r\n',
    '0\r\n\r\n',
    '0\r\n\r\n',
    '5;x=y\r\nhello\r\n',
    '5 \r\nhello\r\n',
    '0x5\r\nhello\r\n',
    '-1\r\n',
  ],
  ...[
    '05\r\nhello\r\n',
    '5\nhello\n',
    '5\r\nhelloX',
    '0\r\nX: y\r\n\r\n',
    '0\r\nContent-Length: 9\r\n\r\n',
    'ffffffffffffffff\r\n',
    '5\r\r\nhello',
  ],
]
const SMUGGLED = 'GET /admin/smuggled HTTP/1.1\r\nHost: api.example\r\n\r\n'
const BODIES = [
  'hello',
  '',
  'hello world',
  SMUGGLED,
  '_method=DELETE',
  'a=b&_method=PUT',
  `--b\r\nContent-Disposition: form-data; name=_method\r\n\r\nDELETE\r\n--b--`,
]
const FRAMES = [
  '\x81\x85\0\0\0\0hello',
  '\x89\x80\0\0\0\0',
  '\x88\x80\0\0\0\0',
  '\xc1\x85\0\0\0\0hello',
  '\x81\x05hello',
  SMUGGLED,
]

/** The bytes of one connection of a hostile client: one request or several, each perhaps with something wrong. */
export function hostileRequest(random: Random, listener: 'http' | 'forward' | 'reverse'): string {
  let text = ''
  for (let count = 1 + random(3); count > 0; count -= 1) {
    const host = pick(random, [
      'api.example',
      'api.example',
      'open.example',
      'other.example',
      'API.example',
      'api.example.',
      'api.example:80',
      '',
    ])
    const path = pick(random, PATHS)
    const target =
      listener === 'http' ? path : listener === 'forward' ? `http://${host}${path}` : `/api${path}`
    const lines = [
      `${pick(random, METHODS)} ${target} ${pick(random, ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/1.1 '])}`,
    ]
    if (random(10) > 0) lines.push(`Host: ${host}`)
    if (random(20) === 0) lines.push('Host: other.example')
    for (let more = random(5); more > 0; more -= 1) lines.push(pick(random, HEADERS))
    text += `${lines.join(random(30) === 0 ? '\n' : '\r\n')}\r\n\r\n`
    for (let more = random(3); more > 0; more -= 1)
      text += pick(random, [pick(random, CHUNKS), pick(random, BODIES), pick(random, FRAMES)])
  }
  return random(6) === 0 ? damage(random, text) : text
}

const RESPONSE_LINES = [
  ...[
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200 OK',
    'HTTP/1.1 204 No Content',
    'HTTP/1.1 304 Not Modified',
    'HTTP/1.1 101 Switching Protocols',
  ],
  ...[
    'HTTP/1.1 100 Continue',
    'HTTP/1.1 103 Early Hints',
    'HTTP/1.0 200 OK',
    'HTTP/1.1 99 X',
    'HTTP/1.1 600 X',
    'HTTP/2 200',
    'ICY 200',
    '',
  ],
]

/** What a hostile upstream sends for one request. */
export function hostileResponse(random: Random, token: string): string {
  const fields = [
    ...[
      'Content-Length: 5',
      'Content-Length: 2',
      'Content-Length: 5\r\nContent-Length: 6',
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: gzip',
    ],
    ...[
      'Content-Encoding: gzip',
      'Content-Encoding: br',
      'Content-Encoding: identity',
      'Content-Type: text/plain;charset=utf-16',
      'Trailer: X',
    ],
    ...[
      'Connection: close',
      'Upgrade: websocket\r\nConnection: Upgrade',
      'Sec-WebSocket-Accept: x',
      `X-Echo: ${token}`,
      `Location: /x?t=${token}`,
    ],
    ...[
      'Set-Cookie: a=b',
      'X: a\rb',
      'X: a\0b',
      ' folded',
      'X',
      `X: ${'a'.repeat(20_000)}`,
      `ETag: "${token}"`,
      'Alt-Svc: h3',
    ],
  ]
  let text = ''
  for (let count = 1 + random(3); count > 0; count -= 1) {
    const lines = [pick(random, RESPONSE_LINES)]
    for (let more = random(4); more > 0; more -= 1) lines.push(pick(random, fields))
    text += `${lines.join('\r\n')}\r\n\r\n`
    for (let more = random(4); more > 0; more -= 1)
      text += pick(random, [
        ...CHUNKS,
        'hello',
        token,
        `1b\r\n${token}\r\n`,
        `\x81\x1b${token}`,
        '\x1f\x8b\x08\0',
        `0\r\nX-Token: ${token}\r\n\r\n`,
      ])
  }
  return random(6) === 0 ? damage(random, text) : text
}

/** Changes, doubles or drops a few bytes. */
function damage(random: Random, text: string): string {
  let bytes = text
  for (let count = 1 + random(4); count > 0; count -= 1) {
    const at = random(bytes.length + 1)
    const inserted = pick(random, ['', '\r', '\n', '\0', ' ', '\t', ':', '\xff', bytes.slice(at, at + 10)])
    bytes = bytes.slice(0, at) + inserted + bytes.slice(at + random(3))
  }
  return bytes
}
