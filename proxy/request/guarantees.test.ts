import t from 'tap'
import { PLACEHOLDER, startApiGateway, TOKEN } from '#test/fixtures/api-gateway.js'
import { exchangeBytes, HTTPS_LISTENERS, statuses } from '#test/fixtures/client.js'
import { eventually } from '#test/fixtures/eventually.js'
import { frame, switchProtocols, UPGRADE } from '#test/fixtures/websocket.js'

// What holds for every request, judged by what reached the upstream, what reached the client, and what the log has.

void t.test(
  'the credential replaces what the client sent, and what steers a server stays here',
  async (test) => {
    const { upstream, gateway, get } = await startApiGateway(test)
    const sent =
      'Authorization: Bearer of-the-client\r\nX-Forwarded-Host: evil.example\r\nX-Original-URL: /admin\r\n' +
      'Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authorization: Basic eDp5\r\nTE: gzip\r\n' +
      'Transfer_Encoding: chunked\r\nContent_Length: 9\r\nX-Mine: kept\r\n'
    test.strictSame(statuses(await get('/x?y=1', sent)), ['200'])
    const [head = ''] = upstream.received
    test.match(head, /^GET \/x\?y=1 HTTP\/1\.1\r\n/)
    test.strictSame(head.match(/^authorization: .*$/gim), [`authorization: Bearer ${TOKEN}`])
    test.strictSame(
      head.match(/^host: .*$/gim)?.map((line) => line.toLowerCase()),
      ['host: api.example'],
    )
    test.match(head, /^x-mine: kept\r$/im)
    test.notMatch(head, /evil|admin|x-hop|keep-alive: t|proxy-auth|gzip|_encoding|_length|of-the-client/i)
    test.match(gateway.decisions, [
      {
        kind: 'request',
        verdict: 'allow',
        method: 'GET',
        path: '/x',
        query: '?y=1',
        rule: 'services.api.rules[0]',
        service: 'api',
        credential: 'api/bearer',
        address: '127.0.0.1',
      },
    ])
    test.ok(await eventually(() => gateway.closes.length === 1))
    test.match(gateway.closes, [
      { id: gateway.decisions[0]?.id, outcome: 'success', status: 200, responseBytes: 2 },
    ])
  },
)

void t.test('nothing of an answer has the credential: head, body, trailers', async (test) => {
  const { gateway, ask } = await startApiGateway(test, {
    answer: (socket, received) => {
      if (received.endsWith('\r\n\r\n'))
        socket.write(
          `HTTP/1.1 200 OK\r\nX-Echo: a ${TOKEN} b\r\nX-${TOKEN}: name\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n` +
            `${(TOKEN.length + 4).toString(16)}\r\n<<${TOKEN}>>\r\n0\r\nX-Sum: ${TOKEN}\r\nX-Fine: kept\r\n\r\n`,
        )
    },
  })
  const told = await ask('GET /x HTTP/1.1\r\nHost: api.example\r\nTE: trailers\r\n')
  test.notMatch(told.toLowerCase(), TOKEN)
  test.match(told, /\r\nx-echo: a \*+ b\r\n/i)
  test.match(told, /<<\*+>>/)
  test.ok(await eventually(() => gateway.closes.length === 1))
  const [redaction] = gateway.closes[0]?.redactions ?? []
  test.ok(redaction?.credential === 'api/bearer' && redaction.count >= 2)
})

const WEBSOCKET = `${UPGRADE.join('\r\n')}\r\n`

void t.test(
  'an upstream whose certificate is not its own gets nothing, by request or by WebSocket',
  async (test) => {
    const { gateway, upstream, get } = await startApiGateway(test, { isForged: true })
    for (const more of ['', WEBSOCKET])
      test.match(await get('/x', more), /^HTTP\/1\.1 502 [^]*"reason":"upstream-tls"/)
    test.strictSame(upstream.received.join(''), '')
    test.ok(await eventually(() => gateway.closes.length === 2))
    for (const close of gateway.closes) test.match(close, { outcome: 'failure', reason: 'upstream-tls' })
  },
)

void t.test('without its record nothing happens', async (test) => {
  const { gateway, upstream, get } = await startApiGateway(test)
  for (const [kind, more] of [
    ['request', ''],
    ['upgrade', WEBSOCKET],
  ] as const) {
    gateway.auditFails = kind
    test.match(await get('/x', more), /^HTTP\/1\.1 503 [^]*"reason":"audit-unavailable"/, kind)
  }
  test.strictSame([upstream.received, gateway.decisions, gateway.closes], [[], [], []])
  gateway.auditFails = false
  test.strictSame(statuses(await get('/x')), ['200'], 'the control passes')
})

void t.test('what is denied reaches nobody', async (test) => {
  const { gateway, upstream, ask } = await startApiGateway(test, {
    rules: ['deny * /secret/**', 'allow GET,POST,PUT /**'],
    policy: { http: { maxRequestBytes: 8 } },
  })
  const host = 'Host: api.example\r\n'
  for (const [head, reason, body = ''] of [
    [`DELETE /x HTTP/1.1\r\n${host}`, 'no-rule'],
    [`TRACE /x HTTP/1.1\r\n${host}`, 'no-rule'],
    [`GET /secret/x HTTP/1.1\r\n${host}`, 'denied-by-rule'],
    [`GET /Secret/x HTTP/1.1\r\n${host}`, 'denied-by-rule'],
    [`GET /a/../secret/x HTTP/1.1\r\n${host}`, 'path-dot-segment'],
    [`GET /a\\b HTTP/1.1\r\n${host}`, 'path-backslash'],
    [`GET /x HTTP/1.1\r\n${host}X-HTTP-Method-Override: DELETE\r\n`, 'no-rule'],
    [`GET /x?_method=DELETE HTTP/1.1\r\n${host}`, 'no-rule'],
    ['GET /x HTTP/1.1\r\nHost: other.example\r\n', 'host-mismatch'],
    ['GET /x HTTP/1.1\r\nHost: api.example:8443\r\n', 'host-mismatch'],
    ['GET /x HTTP/1.1\r\n', 'bad-framing'],
    [`GET /x HTTP/1.1\r\n${host}${host}`, 'bad-framing'],
    [`GET /x HTTP/1.1\r\n${host}X-Note: ${PLACEHOLDER}\r\n`, 'placeholder-misplaced'],
    [`GET /x?note=${PLACEHOLDER} HTTP/1.1\r\n${host}`, 'placeholder-misplaced'],
    [`POST /x HTTP/1.1\r\n${host}Content-Length: 9\r\n`, 'too-large', '123456789'],
    [`GET /x HTTP/1.1\r\n${host}${'A: b\r\n'.repeat(5_000)}`, 'head-too-complex'],
  ] as const) {
    const told = await ask(head, body)
    test.match(told, new RegExp(`^HTTP/1\\.1 4\\d\\d [^]*"reason":"${reason}"`), head.slice(0, 90))
    test.match(gateway.decisions.pop(), { verdict: 'deny', reason, credential: null }, head.slice(0, 90))
  }
  test.strictSame([upstream.received.join(''), gateway.closes, gateway.decisions], ['', [], []])
  const fine = `POST /x HTTP/1.1\r\n${host}Authorization: Bearer ${PLACEHOLDER}\r\nContent-Length: 8\r\n`
  test.match(await ask(fine, 'body1234'), / 200 /, 'the control passes')
})

void t.test('a form that names another method in its body is judged by that one, too', async (test) => {
  const { upstream, ask } = await startApiGateway(test, { rules: ['deny DELETE /**', 'allow * /**'] })
  const form = (body: string) =>
    ask(
      `POST /x HTTP/1.1\r\nHost: api.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${String(body.length)}\r\n`,
      body,
    )
  test.match(await form('body=1&_method=delete'), /"reason":"denied-by-rule"/)
  test.notMatch(upstream.received.join(''), /delete/i)
  test.strictSame(statuses(await form('body=1&_method=put')), ['200'], 'the control passes')
})

void t.test('limits of a service hold, and end with their window', async (test) => {
  const rate = { perSecond: 0.001, burst: 2 }
  const limited = await startApiGateway(test, { service: { rate } })
  const quota = { requests: 2, bytes: null, windowMs: 3_600_000 }
  const counted = await startApiGateway(test, { service: { quota } })
  for (const [{ get, gateway, upstream }, reason] of [
    [limited, 'rate-limited'],
    [counted, 'quota-exceeded'],
  ] as const) {
    for (let i = 0; i < 2; i += 1)
      test.strictSame(statuses(await get('/x', 'Connection: close\r\n')), ['200'])
    test.match(
      await get('/x'),
      new RegExp(`^HTTP/1\\.1 429 [^]*retry-after: \\d+[^]*"reason":"${reason}"`, 'i'),
    )
    test.match(gateway.decisions.at(-1), { verdict: 'deny', reason })
    test.equal(upstream.received.join('').split('GET /x').length - 1, 2)
  }
})

void t.test('an address that the policy does not allow is never dialled', async (test) => {
  const { gateway, upstream, get } = await startApiGateway(test, { extra: { allowPrivateAddresses: false } })
  for (const more of ['', WEBSOCKET])
    test.match(await get('/x', more), /^HTTP\/1\.1 403 [^]*"reason":"address-refused"/)
  test.strictSame([upstream.received, gateway.closes], [[], []])
})

void t.test('a redirect is the client’s to follow', async (test) => {
  const { upstream, get } = await startApiGateway(test, {
    answer: (socket, received) => {
      if (received.endsWith('\r\n\r\n'))
        socket.write(
          'HTTP/1.1 307 Temporary Redirect\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n',
        )
    },
  })
  test.match(await get('/x'), /^HTTP\/1\.1 307 [^]*location: https:\/\/evil\.example\//i)
  test.equal(upstream.received.join('').split('GET ').length - 1, 1)
})

void t.test('what cannot be searched is not passed on', async (test) => {
  for (const [head, reason] of [
    ['Content-Encoding: unknown\r\nContent-Length: 2', 'upstream-encoding'],
    ['Content-Type: text/plain; charset=utf-16\r\nContent-Length: 2', 'upstream-encoding'],
    ['Content-Encoding: gzip\r\nContent-Length: 2', 'upstream-encoding'],
    [`${'X: y\r\n'.repeat(600)}Content-Length: 2`, 'upstream-protocol'],
    ['Content-Range: bytes 5-6/100\r\nContent-Length: 2', 'upstream-protocol'],
  ] as const) {
    const { get } = await startApiGateway(test, {
      answer: (socket, received) => {
        if (received.endsWith('\r\n\r\n')) socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\nab`)
      },
    })
    test.match(await get('/x'), new RegExp(`^HTTP/1\\.1 502 [^]*"reason":"${reason}"`), head.slice(0, 60))
  }
})

void t.test(
  'a WebSocket begins only where the upstream proves it, and its frames are searched',
  async (test) => {
    for (const [isProven, status] of [
      [true, '101'],
      [false, '502'],
    ] as const) {
      const { gateway, upstream, get } = await startApiGateway(test, {
        answer: (socket, received) => {
          if (!received.endsWith('\r\n\r\n')) return
          const head = switchProtocols(received)
          socket.write(isProven ? head : head.replace(/Sec-WebSocket-Accept: .*\r\n/, ''))
          socket.write(frame(`hello ${TOKEN}`), 'latin1')
        },
      })
      const told = await get('/ws', WEBSOCKET)
      test.equal(statuses(told)[0], status)
      test.notMatch(told, TOKEN)
      if (isProven) test.match(told, /hello \*+/)
      else test.notMatch(told, /hello/)
      test.match(upstream.received[0], new RegExp(`\\r\\nauthorization: Bearer ${TOKEN}\\r\\n`, 'i'))
      test.match(gateway.decisions, [{ kind: 'upgrade', verdict: 'allow', credential: 'api/bearer' }])
      test.ok(await eventually(() => gateway.closes.length === 1))
      test.match(gateway.closes, [{ outcome: isProven ? 'success' : 'failure' }])
    }
  },
)

void t.test('a denial that cannot be recorded is not told as one', async (test) => {
  const { gateway, get } = await startApiGateway(test, { rules: ['allow GET /fine'] })
  gateway.auditFails = true
  test.match(await get('/denied'), /^HTTP\/1\.1 503 [^]*"reason":"audit-unavailable"/)
  gateway.auditFails = false
  test.match(await get('/denied'), /^HTTP\/1\.1 403 [^]*"reason":"no-rule"/, 'the control')
})

void t.test('a part is asked for with as much around it as a secret has, or as the whole', async (test) => {
  const { upstream, get } = await startApiGateway(test)
  await get('/x', 'Range: bytes=100-103\r\n')
  const [, from, to] = /^range: bytes=(\d+)-(\d+)\r$/im.exec(upstream.received[0] ?? '') ?? [
    null,
    '0',
    'Infinity',
  ]
  test.ok(
    Number(from) <= 100 - (TOKEN.length - 1) && Number(to) >= 103 + (TOKEN.length - 1),
    `${from} to ${to}`,
  )
})

void t.test('every listener reads the target that is sent, and no other', async (test) => {
  const { gateway, upstream } = await startApiGateway(test)
  for (const listener of HTTPS_LISTENERS) {
    const { target, host } = listener.head('api.example', '/x?y=1')
    const socket = await listener.open(gateway, 'api.example')
    const told = await exchangeBytes(
      socket,
      `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    )
    test.match(told, /^HTTP\/1\.1 200 /, listener.name)
    test.match(gateway.decisions.pop(), { verdict: 'allow', host: 'api.example', path: '/x', query: '?y=1' })
  }
  test.equal(upstream.received.join('').split('GET /x?y=1 HTTP/1.1\r\n').length - 1, HTTPS_LISTENERS.length)
})
