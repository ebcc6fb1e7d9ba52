import { gzipSync } from 'node:zlib'
import t from 'tap'
import { type Answer, startApiGateway, TOKEN } from '#test/fixtures/api-gateway.js'
import { statuses } from '#test/fixtures/client.js'
import { eventually } from '#test/fixtures/eventually.js'
import { frame, switchProtocols, UPGRADE } from '#test/fixtures/websocket.js'

// What of an answer reaches the client, and how its end is recorded.

const WEBSOCKET = `${UPGRADE.join('\r\n')}\r\n`
const answering =
  (bytes: string): Answer =>
  (socket, received) => {
    if (received.endsWith('\r\n\r\n')) socket.write(bytes, 'latin1')
  }

const gzipped = gzipSync(`a ${TOKEN} b`).toString('latin1')
const coded = `Content-Encoding: gzip\r\nContent-Length: ${String(gzipped.length)}\r\n\r\n${gzipped}`

void t.test('each answer as the client gets it, and as it is recorded', async (test) => {
  const TRAILER = 'Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n'
  for (const [what, answer, told, close, more = '', method = 'GET'] of [
    [
      'a body that is coded is decoded',
      `200 OK\r\n${coded}`,
      /^HTTP\/1\.1 200 (?![^]*(gzip|content-length:))[^]*\*{20}/i,
      { status: 200, outcome: 'success' },
    ],
    [
      'a damaged one is an error',
      `200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd`,
      / 502 [^]*"upstream-encoding"/,
      { reason: 'upstream-encoding', status: 502 },
    ],
    [
      'three codings',
      `200 OK\r\nContent-Encoding: gzip, gzip, gzip\r\nContent-Length: 4\r\n\r\nabcd`,
      / 502 [^]*"upstream-encoding"/,
      { reason: 'upstream-encoding' },
    ],
    [
      'a coded head without a body',
      '200 OK\r\nContent-Encoding: unknown\r\nContent-Length: 4\r\n\r\n',
      /^HTTP\/1\.1 200 /,
      { outcome: 'success' },
      '',
      'HEAD',
    ],
    [
      'nothing changed',
      '304 Not Modified\r\nContent-Encoding: unknown\r\n\r\n',
      /^HTTP\/1\.1 304 /,
      { status: 304 },
    ],
    ['nothing', '204 No Content\r\nContent-Encoding: unknown\r\n\r\n', /^HTTP\/1\.1 204 /, { status: 204 }],
    ['status 599', '599 Odd\r\nContent-Length: 2\r\n\r\nok', /^HTTP\/1\.1 599 [^]*ok$/, { status: 599 }],
    [
      'status 600',
      '600 Odd\r\nContent-Length: 2\r\n\r\nok',
      / 502 [^]*"upstream-protocol"/,
      { reason: 'upstream-protocol' },
    ],
    [
      '512 lines',
      `200 OK\r\n${'X: y\r\n'.repeat(511)}Content-Length: 2\r\n\r\nok`,
      /^HTTP\/1\.1 200 /,
      { status: 200 },
    ],
    [
      '513 lines',
      `200 OK\r\n${'X: y\r\n'.repeat(512)}Content-Length: 2\r\n\r\nok`,
      / 502 [^]*"upstream-protocol"/,
      { reason: 'upstream-protocol' },
    ],
    [
      'a differing answer',
      '226 IM Used\r\nContent-Length: 2\r\n\r\nok',
      / 502 [^]*"upstream-encoding"/,
      { reason: 'upstream-encoding' },
    ],
    [
      'messages that cannot be opened',
      '200 OK\r\nContent-Type: application/grpc\r\nGrpc-Encoding: snappy\r\nContent-Length: 0\r\n\r\n',
      /"upstream-encoding"|grpc-message/i,
      { reason: 'upstream-encoding' },
    ],
    [
      'a part of what is coded',
      `206 Partial\r\nContent-Range: bytes 0-3/4\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd`,
      / 502 [^]*"upstream-encoding"/,
      { reason: 'upstream-encoding' },
      'Range: bytes=0-3\r\n',
    ],
    [
      'another part than was asked for',
      '206 Partial\r\nContent-Range: bytes 200-203/300\r\nContent-Length: 4\r\n\r\nabcd',
      / 502 [^]*another range/,
      { reason: 'upstream-protocol' },
      'Range: bytes=100-103\r\n',
    ],
    [
      'the part that was asked for',
      `206 Partial\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n0123456789`,
      /^HTTP\/1\.1 206 (?=[^]*content-range: bytes 2-4\/10\r)(?=[^]*content-length: 3\r)[^]*\r\n\r\n234$/i,
      { status: 206, responseBytes: 10 },
      'Range: bytes=2-4\r\n',
    ],
    [
      'no such part',
      `206 Partial\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n0123456789`,
      /^HTTP\/1\.1 416 [^]*bytes \*\/10/,
      { status: 416 },
      'Range: bytes=20-24\r\n',
    ],
    [
      'sessions stay here',
      '200 OK\r\nSet-Cookie: sid=1\r\nX-Auth-Token: 1\r\nX-Mine: 1\r\nContent-Length: 2\r\n\r\nok',
      /^(?![^]*(sid=1|x-auth))[^]*x-mine: 1/i,
      { status: 200 },
    ],
    [
      'also behind the body',
      `200 OK\r\n${TRAILER}X-Auth-Token: 1\r\nX-Fine: 1\r\nX-Sum: ${TOKEN}\r\n\r\n`,
      /^(?![^]*x-auth)(?=[^]*x-fine: 1)[^]*x-sum: \*/i,
      { status: 200 },
      'TE: trailers\r\n',
    ],
    [
      'digests are dropped',
      '200 OK\r\nContent-MD5: x\r\nETag: "abc"\r\nContent-Length: 2\r\n\r\nok',
      /^(?![^]*(content-md5|"abc"))[^]*etag: "egress-/i,
      { status: 200 },
    ],
    [
      'and behind the body',
      `200 OK\r\n${TRAILER}X-Amz-Checksum-Crc32: x\r\nX-Fine: 1\r\n\r\n`,
      /^(?![^]*checksum)[^]*x-fine: 1/i,
      { status: 200 },
      'TE: trailers\r\n',
    ],
    [
      'an upload is confirmed',
      '200 OK\r\nETag: "abc"\r\nContent-Length: 0\r\n\r\n',
      /etag: "abc"/i,
      { status: 200 },
      'Content-Length: 0\r\n',
      'PUT',
    ],
    [
      'a body that ends too early',
      '200 OK\r\nContent-Length: 9\r\n\r\nok',
      /^(HTTP\/1\.1 200 |$)/,
      { outcome: 'failure', status: 200 },
    ],
  ] as const) {
    const isCut = what === 'a body that ends too early'
    const { gateway, ask } = await startApiGateway(test, {
      answer: (socket, received) => {
        answering(`HTTP/1.1 ${answer}`)(socket, received)
        if (isCut && received.endsWith('\r\n\r\n')) socket.end()
      },
    })
    const text = await ask(`${method} /x HTTP/1.1\r\nHost: api.example\r\n${more}Connection: close\r\n`)
    test.match(text, told, what)
    test.notMatch(text, TOKEN, what)
    test.ok(await eventually(() => gateway.closes.length === 1), what)
    test.match(gateway.closes, [{ ...close }], what)
    if (isCut) test.match(gateway.closes, [{ reason: 'upstream-protocol' }])
    test.strictSame(gateway.failures, [], what)
  }
})

void t.test('a service that keeps its sessions, or has no credential, passes them', async (test) => {
  const answer = answering(
    'HTTP/1.1 200 OK\r\nSet-Cookie: sid=1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Auth-Token: 1\r\n\r\n',
  )
  for (const service of [{ sessionHeaders: 'pass' as const }, { credential: null }]) {
    const { get } = await startApiGateway(test, { answer, service })
    test.match(await get('/x', 'TE: trailers\r\n'), /sid=1[^]*x-auth-token: 1/i)
  }
})

void t.test('without a secret, what comes passes as it is', async (test) => {
  const { get, upstream } = await startApiGateway(test, {
    answer: answering(`HTTP/1.1 200 OK\r\nETag: "abc"\r\n${coded}`),
    service: { credential: null, locations: {} },
  })
  const told = await get('/x', 'Accept-Encoding: gzip\r\nRange: bytes=2-4\r\nAuthorization: mine\r\n')
  test.match(told, /content-encoding: gzip/i)
  test.match(told, /etag: "abc"/i)
  test.match(upstream.received[0], /accept-encoding: gzip\r\n/i)
  test.match(upstream.received[0], /range: bytes=2-4\r\n/i)
  test.match(upstream.received[0], /authorization: mine\r\n/i)
})

void t.test('what goes upstream: the name that was judged, and a readable answer asked for', async (test) => {
  const { gateway, upstream, open, get } = await startApiGateway(test)
  await get(
    '/x',
    'Accept-Encoding: gzip\r\nA-IM: gzip\r\nX-Sandbox-Target: https://api.example\r\nSec-WebSocket-Extensions: x\r\n',
  )
  const [head = ''] = upstream.received
  test.match(head, /^accept-encoding: identity\r$/im)
  test.notMatch(head, /a-im|x-sandbox-target|websocket|content-length|transfer-encoding/i)
  const socket = await open()
  const ended = new Promise((resolve) => socket.once('close', resolve))
  socket.end('GET /y HTTP/1.1\r\nHost: API.Example:443\r\nConnection: close\r\n\r\n')
  socket.resume()
  await ended
  test.match(upstream.received.join(''), /GET \/y [^]*host: api\.example\r\n/i)
  test.equal(gateway.decisions.length, 2)
})

void t.test(
  'a handshake of a WebSocket has a key of the gateway, and its refusal keeps the status',
  async (test) => {
    const ofClient = 'dGhlIHNhbXBsZSBub25jZQ=='
    for (const [status, told, close] of [
      ['401 Unauthorized', '401', { reason: 'upgrade-refused', detail: 'status 401' }],
      ['400 Bad', '400', { reason: 'upgrade-refused' }],
      ['599 Bad', '599', { reason: 'upgrade-refused' }],
      ['200 OK', '502', { reason: 'upgrade-refused', detail: 'status 200' }],
      ['302 Found', '502', { reason: 'upgrade-refused' }],
    ] as const) {
      const { gateway, upstream, get } = await startApiGateway(test, {
        answer: answering(`HTTP/1.1 ${status}\r\nX-Echo: ${TOKEN}\r\nContent-Length: 2\r\n\r\nok`),
      })
      const text = await get('/ws', `${WEBSOCKET}Sec-WebSocket-Extensions: permessage-deflate\r\n`)
      test.strictSame(statuses(text), [told], status)
      test.notMatch(text, TOKEN)
      test.notMatch(upstream.received[0], new RegExp(`${ofClient.slice(0, 20)}|permessage`))
      test.match(upstream.received[0], /sec-websocket-key: \S{24}\r\n/i)
      test.ok(await eventually(() => gateway.closes.length === 1))
      test.match(gateway.closes, [{ outcome: 'failure', ...close, status: Number(told) }])
    }
  },
)

void t.test('of an upgrade nothing passes but frames, and no session', async (test) => {
  for (const [what, ofServer, ofClient, close, wanted] of [
    [
      'frames',
      frame('hi'),
      frame('yo', { masked: true }),
      { outcome: 'success', reason: null, requestBytes: 8, responseBytes: 4 },
      /hi/,
    ],
    [
      'an answer instead',
      'HTTP/1.1 200 OK\r\n\r\nhidden',
      '',
      { outcome: 'failure', reason: 'upstream-protocol' },
      null,
    ],
    [
      'a request instead',
      frame('hi'),
      'GET /admin HTTP/1.1\r\n\r\n',
      { outcome: 'failure', reason: 'bad-framing' },
      /hi/,
    ],
  ] as const) {
    const { gateway, upstream, open } = await startApiGateway(test, {
      answer: (socket, received) => {
        if (received.endsWith('\r\n\r\n') && !received.includes('admin'))
          socket.write(
            switchProtocols(received, `Set-Cookie: sid=1\r\nX-Echo: ${TOKEN}\r\n`) + ofServer,
            'latin1',
          )
        if (received.includes('yo')) socket.end()
      },
    })
    const socket = await open()
    let told = ''
    let isGreeted = false
    const ended = new Promise((resolve) => socket.once('close', resolve))
    socket.on('data', (chunk: Buffer) => {
      told += chunk.toString('latin1')
      if (isGreeted || !told.includes('hi')) return
      isGreeted = true
      socket.write(ofClient, 'latin1')
    })
    socket.write(`GET /ws HTTP/1.1\r\nHost: api.example\r\n${WEBSOCKET}\r\n`)
    await ended
    test.match(told, /^HTTP\/1\.1 101 [^]*x-echo: \*+\r\n/i, what)
    test.notMatch(told, /sid=1|hidden/)
    if (wanted !== null) test.match(told, wanted)
    test.notMatch(upstream.received[0], /admin/)
    test.ok(await eventually(() => gateway.closes.length === 1), what)
    test.match(gateway.closes, [{ status: 101, ...close }], what)
  }
})

void t.test('sessions of a WebSocket pass where the service keeps them', async (test) => {
  const { get } = await startApiGateway(test, {
    answer: (socket, received) => {
      if (received.endsWith('\r\n\r\n'))
        socket.write(switchProtocols(received, 'Set-Cookie: sid=1\r\n') + frame('hi'), 'latin1')
    },
    service: { sessionHeaders: 'pass' },
  })
  test.match(await get('/ws', WEBSOCKET), /sid=1/)
})

void t.test('a client that leaves ends its request, and is recorded as gone', async (test) => {
  for (const [what, begin] of [
    ['before an answer', ''],
    ['within a body', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok'],
  ] as const) {
    let ended = false
    const { gateway, upstream, open } = await startApiGateway(test, {
      answer: (socket, received) => {
        socket.on('close', () => (ended = true))
        if (received.endsWith('\r\n\r\n')) socket.write(begin)
      },
    })
    const socket = await open()
    socket.resume()
    socket.write('GET /x HTTP/1.1\r\nHost: api.example\r\n\r\n')
    await eventually(() => upstream.received.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 100))
    socket.destroy()
    test.ok(await eventually(() => gateway.closes.length === 1 && ended), what)
    test.match(gateway.closes, [{ outcome: 'failure', reason: 'client-abort' }], what)
    test.equal(gateway.heldBytes(), 0)
  }
})

void t.test('what is counted of a quota is all that a request took', async (test) => {
  const { gateway, get } = await startApiGateway(test, {
    answer: answering(`HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n${'x'.repeat(500)}`),
    service: { quota: { requests: null, bytes: 700, windowMs: 3_600_000 } },
  })
  const close = 'Connection: close\r\n'
  test.match(statuses(await get('/x', close)), ['200'])
  await eventually(() => gateway.closes.length === 1)
  test.match(statuses(await get('/x', close)), ['200'], 'is paid for by those that follow')
  await eventually(() => gateway.closes.length === 2)
  test.match(await get('/x', close), /"reason":"quota-exceeded"/)
})

void t.test('a form that is not allowed is recorded as such, with what it names', async (test) => {
  const { gateway, ask } = await startApiGateway(test, { rules: ['deny DELETE /**', 'allow * /**'] })
  const body = '_method=delete'
  await ask(
    `POST /x HTTP/1.1\r\nHost: api.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${String(body.length)}\r\n`,
    body,
  )
  test.ok(await eventually(() => gateway.closes.length === 1))
  test.match(gateway.closes, [
    {
      outcome: 'failure',
      reason: 'denied-by-rule',
      detail: 'a field of the form names the method DELETE',
      status: 403,
    },
  ])
})
