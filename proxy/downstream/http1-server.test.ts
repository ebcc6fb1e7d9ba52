import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { exchangeBytes, statuses, turnsOfTheLoop } from '#test/fixtures/client.js'
import { eventually } from '#test/fixtures/eventually.js'
import { listen } from '#test/fixtures/upstream.js'
import { ACCEPT_OF_UPGRADE, UPGRADE } from '#test/fixtures/websocket.js'
import { deny, type Denial } from '../contracts/denial.js'
import type { Downstream } from './downstream.js'
import { Http1Server, type ConnectRequest } from './http1-server.js'

// HTTP/1.1 from the outside: what a client sends, which requests come of it, and what the client gets.

interface Came {
  /** Connections that were handed over as HTTP/2. */
  http2: number
  readonly requests: Downstream[]
  readonly bodies: string[]
  readonly connects: ConnectRequest[]
  readonly rejected: (readonly [kind: string, reason: string])[]
}

/** A server that answers each request with its path, or by `answer`. */
async function setUp(
  test: Test,
  answer: (downstream: Downstream) => Promise<void> | undefined = () => undefined,
  idleMs = 30_000,
  /** Bytes of a head that is not whole. */
  room = Infinity,
) {
  const came: Came = { http2: 0, requests: [], bodies: [], connects: [], rejected: [] }
  const http1 = new Http1Server()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    http1.serve(socket, idleMs, {
      inTurn: (work) => work(),
      holdHead: (bytes) => bytes <= room,
      async onRequest(downstream) {
        came.requests.push(downstream)
        await (answer(downstream) ?? echo(downstream, came))
      },
      onConnect(request) {
        came.connects.push(request)
        socket.end('connected')
      },
      onHttp2() {
        came.http2 += 1
        socket.end('http2')
      },
      onRejected(denial: Denial, kind) {
        came.rejected.push([kind, denial.reason])
        socket.end('rejected')
        socket.destroySoon()
      },
    })
  })
  const port = await listen(server)
  test.teardown(() => server.close())
  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    await once(socket, 'connect')
    return socket
  }
  const send = async (bytes: string, responses = 1) =>
    exchangeBytes(await open(), Buffer.from(bytes, 'latin1'), { responses, limitMs: 20_000 })
  return { came, http1, server, open, send }
}

async function echo(downstream: Downstream, { bodies }: Came): Promise<void> {
  let body = ''
  for await (const chunk of downstream.body()) body += String(chunk)
  bodies.push(body)
  const text = `${downstream.target} ${body}`
  downstream.begin(200, { 'content-length': String(text.length) })
  downstream.write(Buffer.from(text))
  await new Promise<void>((resolve) => downstream.end(null, resolve))
}

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n${more}\r\n`

void t.test('framing that two parsers could read differently is no request', async (test) => {
  const { came, send } = await setUp(test)
  const post = 'POST /x HTTP/1.1\r\nHost: a.example\r\n'
  for (const bytes of [
    `${post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${post}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc`,
    `${post}Content-Length: +3\r\n\r\nabc`,
    `${post}Content-Length: 0x3\r\n\r\nabc`,
    'GET /x HTTP/1.1\r\nHost : a.example\r\n\r\n',
    'GET /x HTTP/1.1\r\nHost: a.example\r\n folded\r\n\r\n',
    'GET /x HTTP/1.1\r\nHost: a\0b\r\n\r\n',
    'GET /x HTTP/1.1\r\nHost: a.example\rX: y\r\n\r\n',
    'GET /x HTTP/3.7\r\nHost: a.example\r\n\r\n',
    'NOVERB /x HTTP/1.1\r\n\r\n',
  ]) {
    const shown = JSON.stringify(bytes.slice(0, 90))
    test.equal(await send(bytes), 'rejected', shown)
    test.strictSame(came.rejected.splice(0), [['request', 'bad-framing']], shown)
  }
  test.equal(await send(`GET /x HTTP/1.1\r\nX: ${'a'.repeat(270_000)}\r\n\r\n`), 'rejected')
  test.strictSame(came.rejected.splice(0), [['request', 'head-too-complex']])
  test.strictSame(came.requests, [])
  test.match(await send(`${post}Content-Length: 3\r\n\r\nabc`), /^HTTP\/1\.1 200 [^]*\/x abc$/, 'the control')
})

void t.test('a chunked body that is none is cut off, and nothing in it is a request', async (test) => {
  const { came, send } = await setUp(
    test,
    (downstream) =>
      new Promise<void>((resolve) => {
        downstream.onGone(resolve)
        downstream.body().resume()
      }),
  )
  const head = 'POST /x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n'
  for (const body of ['zz\r\n', '3\r\nabcd\r\n', '-1\r\n', '3;\0\r\nabc\r\n', '1\nX\n0\n\n'])
    await send(`${head}${body}${get('/hidden')}`)
  test.ok(came.requests.every(({ target }) => target === '/x'))
})

void t.test('what Node would answer by itself is a request', async (test) => {
  const { came, send } = await setUp(test)
  for (const bytes of [
    'GET /no-host HTTP/1.1\r\n\r\n',
    get('/expect', 'Expect: something\r\n'),
    get('/expect', 'Expect: 100-continue\r\n'),
    get('/large', `X-Large: ${'a'.repeat(60_000)}\r\n`),
    'OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n',
    'TRACE / HTTP/1.1\r\nHost: a.example\r\n\r\n',
  ])
    test.match(await send(bytes), /HTTP\/1\.1 200 /)
  test.strictSame(
    came.requests.map(({ method, target }) => `${method} ${target}`),
    ['GET /no-host', 'GET /expect', 'GET /expect', 'GET /large', 'OPTIONS *', 'TRACE /'],
  )
  test.strictSame(came.rejected, [])
})

void t.test('every header is there, however many there are', async (test) => {
  const { came, send } = await setUp(test)
  const many = Array.from({ length: 2_500 }, (_, i) => `X-${String(i)}: v\r\n`).join('')
  test.match(await send(get('/many', `${many}X-Last: here\r\nX-Twice: 1\r\nx-twice: 2\r\n`)), / 200 /)
  const headers = came.requests[0]?.headers ?? {}
  test.equal(headers['x-last'], 'here')
  test.strictSame(headers['x-twice'], ['1', '2'])
  test.equal(Object.keys(headers).length, 2_503)
})

void t.test('100 Continue is written when the body is asked for, and not before', async (test) => {
  const denied = (downstream: Downstream) =>
    downstream.target === '/denied' ? Promise.resolve(void downstream.deny(deny('no-rule'), 'id')) : undefined
  const { came, send } = await setUp(test, denied)
  const post = (path: string, expect: string) =>
    `POST ${path} HTTP/1.1\r\nHost: a.example\r\n${expect}Content-Length: 3\r\n\r\n`
  const expect = 'Expect: 100-Continue\r\n'
  test.match(await send(post('/denied', expect)), /^HTTP\/1\.1 403 /)
  test.match(await send(`${post('/taken', expect)}abc`), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
  test.match(await send(`${post('/taken', '')}abc`), /^HTTP\/1\.1 200 /)
  test.strictSame(came.bodies, ['abc', 'abc'])
})

void t.test('behind a denial nothing is taken for a request', async (test) => {
  const { came, send } = await setUp(test, (downstream) =>
    Promise.resolve(void downstream.deny(deny('no-rule', { rule: 'r', retryAfter: 7 }), 'id-1')),
  )
  const inner = get('/hidden')
  for (const head of [
    `POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${String(inner.length)}\r\n\r\n`,
    'POST /x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n',
    'POST /x HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 999\r\n\r\n',
  ]) {
    const told = await send(head + inner)
    test.strictSame(statuses(told), ['403'])
    test.match(told, /\r\nconnection: close\r\n/i)
    test.match(told, /\r\ncontent-type: application\/problem\+json\r\n/i)
    test.match(told, /\r\ncache-control: no-store\r\n/i)
    test.match(told, /\r\nx-egress-request-id: id-1\r\n/i)
    test.match(told, /\r\nretry-after: 7\r\n/i)
    const length = Number(/content-length: (\d+)/i.exec(told)?.[1])
    const body: unknown = JSON.parse(told.slice(told.indexOf('\r\n\r\n') + 4).slice(0, length))
    test.match(body, { reason: 'no-rule', rule: 'r', status: 403, request_id: 'id-1' })
  }
  test.strictSame(new Set(came.requests.map(({ target }) => target)), new Set(['/x']))
  const head = await send('HEAD /x HTTP/1.1\r\nHost: a.example\r\n\r\n')
  test.match(head, /^HTTP\/1\.1 403 [^]*\r\n\r\n$/, 'a response to HEAD has no body')
  test.match(head, /content-length: [1-9]/i)
})

void t.test('an offer to upgrade that is no WebSocket is a request without it', async (test) => {
  const { came, send } = await setUp(test)
  const offer =
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\nX-Kept: yes\r\n'
  for (const [bytes, target, body] of [
    [get('/plain', offer), '/plain', ''],
    [`POST /length HTTP/1.1\r\nHost: a.example\r\n${offer}Content-Length: 3\r\n\r\nabc`, '/length', 'abc'],
    [
      `POST /chunks HTTP/1.1\r\nHost: a.example\r\n${offer}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
      '/chunks',
      'abc',
    ],
    [get('/half', UPGRADE.filter((line) => !line.includes('Key')).join('\r\n') + '\r\n'), '/half', ''],
  ] as const) {
    test.match(await send(bytes), new RegExp(`^HTTP/1\\.1 200 [^]*${target} ${body}$`))
    const [request] = came.requests.splice(0)
    test.equal(request?.upgrade, null, target)
    test.equal(request?.headers['upgrade'], undefined)
    test.equal(request?.headers['http2-settings'], undefined)
    if (target !== '/half') test.equal(request?.headers['x-kept'], 'yes')
    test.equal(came.bodies.pop(), body)
  }
  const behind = `${get('/first', offer)}${get('/second')}`
  test.strictSame(statuses(await send(behind)), ['200'], 'what came behind one without a body is not read')
  test.strictSame(
    came.requests.map(({ target }) => target),
    ['/first'],
  )
})

void t.test(
  'a WebSocket is handed over with all that came behind it, and HTTP reads no more',
  async (test) => {
    const { came, open } = await setUp(test, async ({ upgrade }) => {
      if (upgrade === null) return
      const stream = upgrade.accept({ 'set-cookie': ['a=1', 'b=2'] })
      stream.on('data', (chunk: Buffer) => stream.write(`<${chunk.toString()}>`))
      await once(stream, 'close')
    })
    const client = await open()
    const received: string[] = []
    client.on('data', (chunk: Buffer) => received.push(chunk.toString('latin1')))
    client.write(`${get('/ws', `${UPGRADE.join('\r\n')}\r\n`)}early`)
    test.ok(await eventually(() => received.join('').endsWith('<early>')))
    client.write(get('/hidden'))
    test.ok(await eventually(() => received.join('').endsWith('\r\n\r\n>')))
    const [head = ''] = received.join('').split('<')
    test.match(head, /^HTTP\/1\.1 101 [^\r]+\r\n[^]*\r\n\r\n$/)
    for (const line of ['set-cookie: a=1', 'set-cookie: b=2', 'upgrade: websocket', 'connection: Upgrade'])
      test.ok(head.includes(`\r\n${line}\r\n`), line)
    test.ok(head.includes(`\r\nsec-websocket-accept: ${ACCEPT_OF_UPGRADE}\r\n`))
    test.equal(came.requests.length, 1)
    test.equal(came.requests[0]?.target, '/ws')
    client.destroy()
    await turnsOfTheLoop(5)
    test.strictSame(came.rejected, [], 'and its end is not that of a head')
  },
)

void t.test('CONNECT is handed over with all that came behind it', async (test) => {
  const { came, send } = await setUp(test)
  const connectBytes = 'CONNECT b.example:443 HTTP/1.1\r\nHost: b.example\r\nX-A: 1\r\nx-a: 2\r\n\r\n'
  test.equal(await send(`${connectBytes}${get('/hidden')}`), 'connected')
  test.strictSame(came.connects, [
    {
      target: 'b.example:443',
      headers: Object.assign(Object.create(null), { host: 'b.example', 'x-a': ['1', '2'] }) as never,
      head: Buffer.from(get('/hidden')),
    },
  ])
  test.strictSame([came.requests, came.rejected], [[], []])
})

void t.test('nothing takes a connection over that owes answers', async (test) => {
  const never = (downstream: Downstream) => new Promise<void>((resolve) => void downstream.onGone(resolve))
  for (const [bytes, kind] of [
    ['CONNECT b.example:443 HTTP/1.1\r\n\r\n', 'connect'],
    [get('/ws', `${UPGRADE.join('\r\n')}\r\n`), 'upgrade'],
  ] as const) {
    const { came, send } = await setUp(test, never)
    await send(get('/first') + bytes)
    test.strictSame(came.rejected, [[kind, 'bad-framing']])
    test.strictSame([came.requests.length, came.connects], [1, []])
  }
})

/** A handler that never answers, and what it was asked. */
function silent() {
  const waiting: Downstream[] = []
  const answer = (downstream: Downstream) => {
    waiting.push(downstream)
    return new Promise<void>((resolve) => void downstream.onGone(resolve))
  }
  return { waiting, answer }
}

void t.test('requests that are sent ahead wait for answers', async (test) => {
  const { waiting, answer } = silent()
  const { open } = await setUp(test, answer)
  const client = await open()
  client.write(get('/x').repeat(1_000))
  test.ok(await eventually(() => waiting.length === 4))
  await turnsOfTheLoop(20)
  test.equal(waiting.length, 4)
  for (const downstream of waiting) downstream.destroy()
  client.destroy()
})

void t.test('each request of a client that goes away is told', async (test) => {
  const { waiting, answer } = silent()
  const { came, open } = await setUp(test, answer)
  const client = await open()
  client.write(get('/x').repeat(3))
  test.ok(await eventually(() => waiting.length === 3))
  const gone = new Set<unknown>()
  for (const downstream of waiting) downstream.onGone(() => gone.add(downstream))
  waiting[0]?.onGone(() => gone.add('taken back'))()
  test.ok(waiting.every((downstream) => !downstream.gone))
  test.strictSame(
    waiting.map(({ sendsNow }) => sendsNow),
    [true, false, false],
    'only the first one is answered at once',
  )
  client.resetAndDestroy()
  test.ok(await eventually(() => gone.size >= 3))
  test.strictSame(gone, new Set(waiting))
  test.ok(waiting.every((downstream) => downstream.gone))
  test.strictSame(came.rejected, [])
})

void t.test('requests that come in one piece with a body are limited, too', async (test) => {
  const { waiting, answer } = silent()
  const { came, open } = await setUp(test, answer)
  const client = await open()
  client.write('POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\n')
  test.ok(await eventually(() => waiting.length === 1))
  waiting[0]?.body().resume()
  client.write(`b${get('/x').repeat(400)}`)
  await once(client.resume(), 'close')
  test.strictSame(came.rejected, [['request', 'busy']], 'which is said once')
  test.equal(waiting.length, 64)
})

void t.test('a connection that ends within a head is told, and no other', async (test) => {
  const { came, open } = await setUp(test)
  for (const [bytes, rejected] of [
    ['', false],
    ['G', true],
    ['GET /x HTTP/1.1\r\nHost: a.exam', true],
    [get('/whole'), false],
    [`POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`, false],
    [get('/whole') + get('/whole'), false],
  ] as const) {
    const client = await open()
    client.resume()
    const before = came.requests.length
    const whole = bytes.split('/whole').length - 1
    if (bytes !== '') client.write(bytes)
    await eventually(() => came.requests.length === before + whole)
    await new Promise((resolve) => setTimeout(resolve, 20))
    const closed = once(client, 'close')
    client.resetAndDestroy()
    await closed
    const expected = rejected ? [['request', 'bad-framing']] : []
    await eventually(() => came.rejected.length === expected.length)
    await turnsOfTheLoop(10)
    test.strictSame(came.rejected.splice(0), expected, JSON.stringify(bytes))
  }
})

void t.test('a silent connection is closed after its time, and each has its own', async (test) => {
  const hasty = await setUp(test, undefined, 200)
  const client = await hasty.open()
  client.write('GET /x HTTP/1.1\r\n')
  await once(client.resume(), 'close')
  test.ok(await eventually(() => hasty.came.rejected.length === 1))
})

void t.test('a server that closes ends connections that wait for a request', async (test) => {
  const { http1, open } = await setUp(test)
  const client = await open()
  client.write(get('/x'))
  await once(client, 'data')
  await turnsOfTheLoop(5)
  const closed = once(client.resume(), 'close')
  http1.close()
  client.end()
  await closed
  test.pass('it is closed')
})

void t.test(
  'a response that waits for its client says so, and one that is cut off is not whole',
  async (test) => {
    const { open } = await setUp(test, async (downstream) => {
      test.equal(downstream.begun, false)
      downstream.begin(200, {})
      downstream.flush()
      test.equal(downstream.begun, true)
      test.equal(downstream.sendsNow, true)
      if (downstream.target === '/cut') {
        downstream.write(Buffer.from('part'))
        downstream.destroy()
        return
      }
      while (downstream.write(Buffer.alloc(65_536, 'a')));
      await new Promise<void>((resolve) => downstream.onDrain(resolve))
      await new Promise<void>((resolve) => downstream.end({ 'x-sum': 'whole' }, resolve))
    })
    const slow = await open()
    slow.pause()
    slow.write(get('/slow', 'TE: trailers\r\n'))
    await new Promise((resolve) => setTimeout(resolve, 50))
    let received = ''
    slow
      .on('data', (chunk: Buffer) => (received = (received + chunk.toString('latin1')).slice(-200)))
      .resume()
    test.ok(await eventually(() => received.endsWith('\r\n0\r\nx-sum: whole\r\n\r\n')))
    slow.destroy()
    const cut = await exchangeBytes(await open(), get('/cut'))
    test.match(cut, /^HTTP\/1\.1 200 /)
    test.notMatch(cut, /\r\n0\r\n/)
  },
)

void t.test(
  'HTTP/2 with prior knowledge is handed over, and only where it begins a connection',
  async (test) => {
    const { came, send } = await setUp(test)
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
    test.equal(await send(preface), 'http2')
    test.strictSame([came.http2, came.requests, came.rejected], [1, [], []])
    for (const bytes of ['PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n', 'PRI * HTTP/2.0\r\nHost: a\r\n\r\n'])
      test.equal(await send(bytes), 'rejected', JSON.stringify(bytes))
    test.equal(came.http2, 1)
  },
)

void t.test('a head for which there is no room is rejected', async (test) => {
  const { came, open, send } = await setUp(test, undefined, 30_000, 36_000)
  const client = await open()
  client.write(`GET /x HTTP/1.1\r\nX: ${'a'.repeat(40_000)}`)
  await once(client.resume(), 'close')
  test.strictSame([came.rejected, came.requests], [[['request', 'busy']], []])
  test.match(await send(get('/y')), /^HTTP\/1\.1 200 /)
})
