import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { exchangeBytes, HTTPS_LISTENERS, statuses, type ListenerClient } from './fixtures/client.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { oneServicePolicy } from './fixtures/policy.js'
import { startRawUpstream, type RawUpstream } from './fixtures/upstream.js'
import { frame, switchProtocols, UPGRADE } from './fixtures/websocket.js'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

// One test for each advisory and fault known of the parts that this proxy is made of, on each listener. What counts is what
// the upstream received, byte for byte.

t.setTimeout(120_000)

const TOKEN = 'real-token-0123456789abcdef'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

interface Setting {
  readonly gateway: TestGateway
  readonly upstream: RawUpstream
}

interface Teardown {
  teardown(close: () => Promise<void>): void
}

type OnData = (socket: Socket, received: string, chunk: string) => void

async function setUp(
  test: Teardown,
  onData: OnData,
  rules = ['allow * /rest/**'],
  responseTimeoutMs = 20_000,
): Promise<Setting> {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startRawUpstream(authority, onData)
  const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
  const gateway = await startGateway(
    oneServicePolicy({
      credential,
      rules,
      port: upstream.port,
      ca: authority.pem,
      http: { responseTimeoutMs, maxRequestBytes: 100_000 },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, upstream }
}

/** Answers each complete request: a head, and a body as its framing says. */
const answerOk: OnData = (socket, _received, chunk) => {
  if (chunk.includes('\r\n\r\n') || chunk.endsWith('0\r\n\r\n')) {
    const body = /transfer-encoding: chunked/i.test(chunk) && !chunk.endsWith('0\r\n\r\n')
    if (!body) socket.write(OK)
  }
}

async function send(
  { gateway }: Setting,
  listener: ListenerClient,
  method: string,
  headers: readonly string[],
  body = '',
  path = '/rest/x',
): Promise<string> {
  const { target, host } = listener.head('api.example', path)
  const socket = await listener.open(gateway, 'api.example')
  const named = headers.some((line) => /^host:/i.test(line)) ? headers : [`Host: ${host}`, ...headers]
  const text = `${method} ${target} HTTP/1.1\r\n${named.join('\r\n')}\r\n\r\n${body}`
  return exchangeBytes(socket, Buffer.from(text, 'latin1'))
}

for (const listener of HTTPS_LISTENERS) {
  void t.test(
    `${listener.name}: GHSA-ggv3-7p47-pfv8, CVE-2026-29057: a body keeps its framing`,
    async (test) => {
      const smuggled = 'GET /rest/smuggled HTTP/1.1\r\nHost: api.example\r\n\r\n'
      const chunked = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`
      for (const method of ['DELETE', 'OPTIONS', 'GET', 'POST']) {
        const setting = await setUp(test, answerOk)
        const answer = await send(setting, listener, method, ['Transfer-Encoding: chunked'], chunked)
        test.equal(statuses(answer)[0], '200', method)
        const [head = '', body = ''] = setting.upstream.received.join('').split(/\r\n\r\n(.*)/s)
        // A body that was complete when it was sent on may have been given its length instead.
        const told = /transfer-encoding: chunked/i.test(head) ? chunked : smuggled
        if (told === smuggled)
          test.match(head, new RegExp(`content-length: ${String(smuggled.length)}`, 'i'), method)
        else test.notMatch(head, /content-length/i, method)
        test.equal(body, told, `${method}: what was smuggled stays in the body`)
        test.equal(setting.gateway.decisions.length, 1, method)

        const sized = await setUp(test, answerOk)
        await send(sized, listener, method, ['Content-Length: 5'], 'hello')
        test.match(sized.upstream.received.join(''), /content-length: 5\r\n([\s\S]*\r\n)?\r\nhello$/i, method)
      }
    },
  )

  void t.test(`${listener.name}: Expect: 100-continue does not get around injection`, async (test) => {
    const setting = await setUp(test, answerOk)
    const headers = [
      ...['Expect: 100-continue', 'Content-Length: 5', 'Authorization: Bearer placeholder'],
      'Connection: close',
    ]
    const answer = await send(setting, listener, 'POST', headers, 'hello')
    test.same(statuses(answer).slice(-1), ['200'])
    const received = setting.upstream.received.join('')
    test.match(received, `authorization: Bearer ${TOKEN}`)
    test.notMatch(received, /expect:|placeholder/i)
  })

  void t.test(`${listener.name}: a denial comes before 100 Continue`, async (test) => {
    const setting = await setUp(test, answerOk)
    const answer = await send(
      setting,
      listener,
      'POST',
      ['Expect: 100-continue', 'Content-Length: 5'],
      '',
      '/admin',
    )
    test.same(statuses(answer), ['403'])
    test.same(setting.upstream.received, [])
  })

  void t.test(
    `${listener.name}: Trailer with Content-Length does not bring the gateway down`,
    async (test) => {
      const setting = await setUp(test, answerOk)
      const answer = await send(setting, listener, 'POST', ['Trailer: X-Sum', 'Content-Length: 5'], 'hello')
      test.equal(statuses(answer)[0], '200')
      test.notMatch(setting.upstream.received.join(''), /trailer/i)
      test.equal(statuses(await send(setting, listener, 'GET', []))[0], '200', 'it still answers')
    },
  )

  void t.test(
    `${listener.name}: a head that can be read in two ways is 400, and nothing goes upstream`,
    async (test) => {
      const setting = await setUp(test, answerOk)
      const host = `Host: ${listener.head('api.example', '/').host}`
      for (const [name, headers, body] of [
        ['two Host headers', [host, 'Host: other.example'], ''],
        ['two Host headers, the other first', ['Host: other.example', host], ''],
        ['two equal Host headers', [host, host], ''],
        ['both framings', [host, 'Content-Length: 4', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
        ['two lengths', [host, 'Content-Length: 4', 'Content-Length: 5'], 'hello'],
        ['a list of lengths', [host, 'Content-Length: 4, 5'], 'hello'],
        ['a signed length', [host, 'Content-Length: +5'], 'hello'],
        ['an unknown coding', [host, 'Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'],
        ['a coding that is not last', [host, 'Transfer-Encoding: chunked, identity'], '0\r\n\r\n'],
        ['a disguised coding', [host, 'Transfer-Encoding: xchunked'], '0\r\n\r\n'],
        ['a folded header', [host, 'X-A: b\r\n c'], ''],
        ['a space before the colon', [host, 'X-A : b'], ''],
        ['a NUL in a value', [host, 'X-A: b\0c'], ''],
        ['a bare CR in a value', [host, 'X-A: b\rX-B: c'], ''],
        ['Connection takes the host', [host, 'Connection: close, host'], ''],
        ['Connection takes the credential', [host, 'Connection: Authorization'], ''],
        ['Connection takes the length', [host, 'Connection: content-length', 'Content-Length: 5'], 'hello'],
        ['Connection takes the cookie', [host, 'Connection: cookie', 'Cookie: a=b'], ''],
      ] as const) {
        const answer = await send(setting, listener, 'POST', headers, body)
        test.equal(statuses(answer)[0], '400', name)
        test.match(answer, '"reason":"bad-framing"', name)
      }
      test.same(setting.upstream.received, [])
      test.ok(setting.gateway.decisions.every(({ verdict }) => verdict === 'deny'))
      test.equal(
        statuses(await send(setting, listener, 'POST', ['Content-Length: 5'], 'hello'))[0],
        '200',
        'the control passes',
      )
    },
  )

  void t.test(`${listener.name}: what Connection names stays here`, async (test) => {
    const setting = await setUp(test, answerOk)
    const headers = [
      'Connection: close, X-Hop',
      'X-Hop: 1',
      'Keep-Alive: 5',
      'TE: trailers',
      'Proxy-Authorization: Basic eA==',
    ]
    await send(setting, listener, 'GET', [...headers, 'X-End: 2'])
    const received = setting.upstream.received.join('')
    test.notMatch(received, /x-hop|keep-alive: 5|^te:|proxy-authorization/im)
    test.match(received, /x-end: 2/i)
  })

  void t.test(`${listener.name}: a bare LF ends no head`, async (test) => {
    const setting = await setUp(test, answerOk)
    const { target, host } = listener.head('api.example', '/rest/x')
    const socket = await listener.open(setting.gateway, 'api.example')
    const answer = await exchangeBytes(socket, `GET ${target} HTTP/1.1\nHost: ${host}\n\n`)
    test.not(statuses(answer)[0], '200')
    test.same(setting.upstream.received, [])
  })

  void t.test(`${listener.name}: nothing follows an upgrade that was refused`, async (test) => {
    const setting = await setUp(test, (socket, _received, chunk) => {
      if (chunk.includes('\r\n\r\n')) socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
    })
    const second = 'GET /admin HTTP/1.1\r\nHost: api.example\r\n\r\n'
    const answer = await send(setting, listener, 'GET', UPGRADE, second)
    test.strictSame(statuses(answer), ['404'])
    test.match(answer, 'upgrade-refused')
    test.notMatch(setting.upstream.received.join(''), '/admin')
    test.match(setting.gateway.closes.at(-1), { outcome: 'failure', reason: 'upgrade-refused', status: 404 })
  })

  void t.test(`${listener.name}: a WebSocket passes both ways after 101, redacted`, async (test) => {
    const setting = await setUp(test, (socket, received, chunk) => {
      if (received === chunk) {
        socket.write(switchProtocols(chunk))
        return
      }
      // Its payload, without the head of the frame.
      const text = `echo:${chunk.slice(6)}:${TOKEN}.`
      socket.write(`\x81${String.fromCharCode(text.length)}${text.slice(0, 20)}`, 'latin1', () =>
        socket.write(text.slice(20)),
      )
    })
    const answer = await send(
      setting,
      listener,
      'GET',
      [...UPGRADE, 'Sec-WebSocket-Extensions: permessage-deflate'],
      frame('frame', { masked: true }),
    )
    test.match(answer, /^HTTP\/1\.1 101 [\s\S]*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=[\s\S]*echo:frame:\*{27}\./)
    const received = setting.upstream.received.join('')
    test.match(received, `authorization: Bearer ${TOKEN}`)
    test.notMatch(received, /permessage-deflate/)
    await eventually(() => setting.gateway.closes.length > 0)
    test.match(setting.gateway.closes.at(-1), {
      outcome: 'success',
      status: 101,
      redactions: [{ credential: 'api/bearer', count: 1 }],
    })
  })

  void t.test(`${listener.name}: an upgrade that we do not speak is a plain request`, async (test) => {
    const setting = await setUp(test, answerOk)
    const headers = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk']
    test.equal(statuses(await send(setting, listener, 'GET', headers))[0], '200')
    test.notMatch(setting.upstream.received.join(''), /upgrade|http2-settings/i)
    const smuggled = await send(
      setting,
      listener,
      'GET',
      headers,
      'GET /admin HTTP/1.1\r\nHost: api.example\r\n\r\n',
    )
    test.same(statuses(smuggled), ['200'])
    test.notMatch(setting.upstream.received.join(''), '/admin')
  })

  void t.test(
    `${listener.name}: an upgrade or CONNECT behind an unanswered request is refused`,
    async (test) => {
      const setting = await setUp(test, (socket) => void setTimeout(() => socket.write(OK), 150))
      const { target, host } = listener.head('api.example', '/rest/x')
      const first = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
      for (const [method, second, protocol] of [
        ['GET', target, 'websocket'],
        ['GET', target, 'h2c'],
        ['CONNECT', 'api.example:443', 'x'],
      ] as const) {
        const head = `${method} ${second} HTTP/1.1\r\nHost: ${host}\r\n`
        const version = protocol === 'websocket' ? `${UPGRADE.slice(2).join('\r\n')}\r\n` : ''
        const upgrade = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n${version}\r\n`
        const socket = await listener.open(setting.gateway, 'api.example')
        const answer = await exchangeBytes(socket, first + head + upgrade, { quietMs: 250 })
        test.same(statuses(answer), ['400'], method)
      }
      test.equal(statuses(await send(setting, listener, 'GET', []))[0], '200', 'the gateway is still there')
    },
  )

  void t.test(
    `${listener.name}: a connection that is reset after CONNECT or an upgrade ends alone`,
    async (test) => {
      const setting = await setUp(test, (socket) => void setTimeout(() => socket.write(OK), 50))
      const { target, host } = listener.head('api.example', '/rest/x')
      const upgrade = 'Connection: Upgrade\r\nUpgrade'
      for (const head of [
        `CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n`,
        `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${upgrade}: h2c\r\n\r\n`,
        `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${upgrade}: websocket\r\n\r\n`,
        `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      ]) {
        for (const milliseconds of [0, 10, 80]) {
          const socket = await listener.open(setting.gateway, 'api.example')
          socket.write(head)
          await new Promise((resolve) => setTimeout(resolve, milliseconds))
          if (socket instanceof TLSSocket) socket.destroy()
          else socket.resetAndDestroy()
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
      test.equal(statuses(await send(setting, listener, 'GET', []))[0], '200', 'the gateway is still there')
    },
  )

  void t.test(
    `${listener.name}: requests behind one that is not answered end with their connection`,
    async (test) => {
      const setting = await setUp(test, () => undefined)
      const { target, host } = listener.head('api.example', '/rest/x')
      const socket = await listener.open(setting.gateway, 'api.example')
      socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(3))
      await eventually(() => setting.gateway.decisions.length === 3)
      socket.destroy()
      await eventually(() => setting.gateway.closes.length === 3)
      test.same(
        setting.gateway.closes.map(({ reason }) => reason),
        ['client-abort', 'client-abort', 'client-abort'],
      )
    },
  )

  void t.test(`${listener.name}: nothing is answered without a record`, async (test) => {
    const setting = await setUp(test, answerOk)
    const { target, host } = listener.head('api.example', '/rest/x')
    for (const [headers, status] of [
      ['', '400'],
      [`Host: ${host}\r\nExpect: something-else\r\n`, '200'],
    ] as const) {
      const before = setting.gateway.decisions.length
      const socket = await listener.open(setting.gateway, 'api.example')
      const answer = await exchangeBytes(socket, `GET ${target} HTTP/1.1\r\n${headers}\r\n`)
      test.same(statuses(answer), [status])
      test.equal(setting.gateway.decisions.length, before + 1)
    }
  })

  void t.test(
    `${listener.name}: no header or parameter reaches another method or path than was checked`,
    async (test) => {
      const setting = await setUp(test, answerOk, ['allow POST,PATCH /rest/**'])
      for (const [header, path, status] of [
        ['X-HTTP-Method-Override: DELETE', '/rest/x', '403'],
        ['X-HTTP-Method-Override: PATCH, delete', '/rest/x', '403'],
        ['X_Http_Method: DELETE', '/rest/x', '403'],
        ['X-Method-Override: delete', '/rest/x', '403'],
        ['X-HTTP-Method-Override: TRACE', '/rest/x', '403'],
        [`X-HTTP-Method-Override: ${'PATCH,'.repeat(40)}POST`, '/rest/x', '431'],
        ['X-A: b', '/rest/x?a=b&_method=DELETE', '403'],
        ['X-A: b', '/rest/x?%5fmethod=DELETE', '403'],
        ['X-A: b', '/rest/x?.method=DELETE', '403'],
        ['X-A: b', '/rest/x?+_method=DELETE', '403'],
        ['X-A: b', '/rest/x?%20_method=DELETE', '403'],
        ['X-A: b', '/rest/x?_method%00x=DELETE', '403'],
        ['X-A: b', '/rest/x?_method[]=DELETE', '403'],
        ['X-A: b', '/rest/x?_method%5B0%5D=DELETE', '403'],
        ['X-A: b', '/rest/x?[method=DELETE', '403'],
        ['X-A: b', '/rest/x?_METHOD=delete', '403'],
        ['X-A: b', '/rest/x?a=1;_method=DELETE', '403'],
        ['X-A: b', '/rest/x?X-HTTP-Method-Override=DELETE', '403'],
        ['X-A: b', '/rest/x?method=delete', '403'],
      ] as const) {
        const answer = await send(setting, listener, 'POST', [header, 'Content-Length: 0'], '', path)
        test.equal(statuses(answer)[0], status, header)
      }
      test.same(setting.upstream.received, [])
      for (const header of ['X-HTTP-Method-Override: PATCH', 'X-A: b']) {
        const answer = await send(
          setting,
          listener,
          'POST',
          [header, 'Content-Length: 0'],
          '',
          '/rest/x?_method=post&method=rest.list',
        )
        test.equal(statuses(answer)[0], '200', `${header} is allowed as well`)
      }
    },
  )

  void t.test(`${listener.name}: headers that steer a server stay here`, async (test) => {
    const setting = await setUp(test, answerOk)
    const steering = [
      ...[
        'X-Original-URL: /admin',
        'X-Rewrite-URL: /admin',
        'X-Original-Uri: /admin',
        'X-HTTP-Path-Override: /admin',
      ],
      ...[
        'X-Forwarded-Host: evil.example',
        'X-Forwarded-Proto: http',
        'X-Forwarded-Prefix: /admin',
        'X-Forwarded-For: 1',
      ],
      ...[
        'X-Forwarded-Uri: /admin',
        'X-Forwarded-Server: evil.example',
        'Forwarded: host=evil.example',
        'X-Host: evil.example',
      ],
      ...['X-Middleware-Subrequest: middleware', 'X_Original_URL: /admin', 'X.Forwarded.Host: evil.example'],
      ...[
        'Content_Length: 5',
        'Transfer_Encoding: chunked',
        'X_HTTP_Method_Override: GET',
        'Proxy_Connection: x',
      ],
      ...['X_End: 1', 'Content!Type: text/evil'],
    ]
    await send(setting, listener, 'GET', [...steering, 'X-End: 2', 'X_Other: 3'])
    const received = setting.upstream.received.join('')
    test.notMatch(received, /admin|evil|forwarded|content_|transfer_|middleware|override|proxy_|x_end/i)
    test.match(received, /x-end: 2/i)
    test.match(received, /x_other: 3/i, 'a name that no other field has')
  })

  void t.test(
    `${listener.name}: a head of too many parts is 431, and nothing goes upstream`,
    async (test) => {
      const setting = await setUp(test, answerOk)
      for (const [name, headers, path] of [
        ['headers', Array.from({ length: 300 }, (_, i) => `X-${String(i)}: 1`), '/rest/x'],
        ['headers of one name', Array.from({ length: 100 }, () => 'X-Original-URL: /'), '/rest/x'],
        ['query parameters', [], `/rest/x?${'&a'.repeat(3_000)}`],
        ['path segments', [], `/rest${'/a'.repeat(600)}`],
        ['path segments', [], `/rest${'%2fa'.repeat(600)}`],
        ['escapes in the path', [], `/rest/${'%41'.repeat(5_000)}`],
        ['cookies', [`Cookie: ${'a=b;'.repeat(300)}`], '/rest/x'],
        ['members of a list header', [`Connection: ${'a,'.repeat(100)}close`], '/rest/x'],
        ['members of a list header', [`Accept-Encoding: ${'a,'.repeat(100)}gzip`], '/rest/x'],
        ['bytes of the request target', [], `/rest/${'a'.repeat(50_000)}`],
      ] as const) {
        const answer = await send(setting, listener, 'GET', headers, '', path)
        test.same(statuses(answer), ['431'], name)
        test.match(answer, name)
      }
      test.same(setting.upstream.received, [])
      const many = Array.from({ length: 60 }, (_, i) => `X-${String(i)}: 1`)
      test.equal(statuses(await send(setting, listener, 'GET', many))[0], '200', 'the control passes')
    },
  )

  void t.test(`${listener.name}: when the client goes away, so does the request upstream`, async (test) => {
    let closed: () => void = () => undefined
    const gone = new Promise<void>((resolve) => (closed = resolve))
    const setting = await setUp(test, (socket) => {
      socket.once('close', closed)
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin')
    })
    const { target, host } = listener.head('api.example', '/rest/x')
    const socket = await listener.open(setting.gateway, 'api.example')
    socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    await new Promise((resolve) => socket.once('data', resolve))
    socket.destroy()
    await gone
    await eventually(() => setting.gateway.closes.length > 0)
    test.match(setting.gateway.closes.at(-1), { outcome: 'failure', reason: 'client-abort' })
  })

  void t.test(
    `${listener.name}: when the upstream dies in a body, the client is told by a cut`,
    async (test) => {
      const setting = await setUp(test, (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin', () => socket.destroy())
      })
      const { target, host } = listener.head('api.example', '/rest/x')
      const socket = await listener.open(setting.gateway, 'api.example')
      const ended = new Promise((resolve) => socket.once('close', resolve))
      socket.resume()
      socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      await ended
      await eventually(() => setting.gateway.closes.length > 0)
      test.match(setting.gateway.closes.at(-1), {
        outcome: 'failure',
        reason: 'upstream-protocol',
        detail: 'the upstream closed the connection in the middle of its response',
      })
    },
  )

  void t.test(`${listener.name}: an upstream's nonsense is 502 or 504, never passed on`, async (test) => {
    for (const response of [
      'HTTP/1.1 099 What\r\nContent-Length: 2\r\n\r\nok',
      'HTTP/1.1 999 What\r\nContent-Length: 2\r\n\r\nok',
      'HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      'ICY 200 OK\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain;charset=UTF-16LE\r\nContent-Length: 2\r\n\r\nok',
      '',
    ]) {
      const backoffMs = response === '' ? 300 : undefined
      const setting = await setUp(test, (socket) => socket.write(response), undefined, backoffMs)
      const answer = await exchangeBytes(
        await listener.open(setting.gateway, 'api.example'),
        `GET ${listener.head('api.example', '/rest/x').target} HTTP/1.1\r\nHost: ${listener.head('api.example', '').host}\r\n\r\n`,
      )
      test.match(statuses(answer)[0], /^50[24]$/, response)
      test.match(setting.gateway.closes.at(-1), { outcome: 'failure' }, response)
    }
  })

  void t.test(`${listener.name}: a body over the limit is 413, announced or not`, async (test) => {
    const setting = await setUp(test, answerOk)
    test.equal(statuses(await send(setting, listener, 'POST', ['Content-Length: 100001']))[0], '413')
    test.same(setting.upstream.received, [])
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
    const answer = await send(setting, listener, 'POST', ['Transfer-Encoding: chunked'], chunk.repeat(10))
    test.equal(statuses(answer)[0], '413')
  })
}
