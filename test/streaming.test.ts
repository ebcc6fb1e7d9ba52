import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { HTTPS_LISTENERS, turnsOfTheLoop, type ListenerClient } from './fixtures/client.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { oneServicePolicy } from './fixtures/policy.js'
import { startUpstream, type Upstream } from './fixtures/upstream.js'

// Nothing is kept back in the gateway: what one side wrote reaches the other before the first side goes on. The upstream
// or the client waits for the test to say that the bytes have arrived, so that a gateway that buffers hangs, at any speed.

const TOKEN = 'real-token-0123456789abcdef'
const CREDENTIAL = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })

interface Teardown {
  teardown(close: () => Promise<void>): void
}

async function setUp(
  test: Teardown,
  listener: RequestListener,
  credential: typeof CREDENTIAL | null = CREDENTIAL,
): Promise<{ gateway: TestGateway; upstream: Upstream }> {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(authority, listener)
  const gateway = await startGateway(
    oneServicePolicy({
      credential,
      port: upstream.port,
      ca: authority.pem,
      // No test here may pass because something timed out.
      http: { responseTimeoutMs: 60_000, idleTimeoutMs: 60_000 },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, upstream }
}

/** A promise with its handle outside. */
function signal(): { readonly given: Promise<void>; give(): void } {
  let give: () => void = () => undefined
  const given = new Promise<void>((resolve) => (give = resolve))
  return { given, give: () => give() }
}

/** A connection at the level of bytes. */
class Line {
  readonly socket: Socket
  #received = ''
  #check: () => void = () => undefined
  #closed: () => void = () => undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('close', () => this.#closed())
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1')
      this.#check()
    })
  }

  /** Everything up to the text, once it has come; what follows it stays for the next call. */
  until(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#check = () => {
        const at = this.#received.indexOf(text)
        if (at < 0) return
        this.#check = () => undefined
        const taken = this.#received.slice(0, at + text.length)
        this.#received = this.#received.slice(at + text.length)
        resolve(taken)
      }
      this.#closed = () => reject(new Error(`closed before '${text}': ${this.#received}`))
      this.#check()
    })
  }
}

/** Opens a listener and sends a request head. */
async function ask(
  gateway: TestGateway,
  listener: ListenerClient,
  method: string,
  path: string,
  fields: readonly string[] = [],
) {
  const line = new Line(await listener.open(gateway, 'api.example'))
  line.socket.write(head(listener, method, path, fields))
  return line
}

function head(
  listener: ListenerClient,
  method: string,
  path: string,
  fields: readonly string[] = [],
): string {
  const { target, host } = listener.head('api.example', path)
  return [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...fields, '', ''].join('\r\n')
}

for (const [kind, credential] of [
  ['without a credential', null],
  ['with redaction', CREDENTIAL],
] as const) {
  void t.test(`an event reaches the client before the next one is sent, ${kind}`, async (test) => {
    let next = signal()
    const { gateway } = await setUp(
      test,
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: one\n\n')
        void next.given.then(() => response.end('data: two\n\n'))
      },
      credential,
    )
    for (const listener of HTTPS_LISTENERS) {
      next = signal()
      const line = await ask(gateway, listener, 'GET', '/events')
      test.match(await line.until('data: one\n\n'), 'content-type: text/event-stream', listener.name)
      next.give()
      await line.until('data: two\n\n')
      await line.until('0\r\n\r\n')
      line.socket.destroy()
    }
  })
}

void t.test('the head of a response reaches the client before any of its body is sent', async (test) => {
  let next = signal()
  const { gateway } = await setUp(test, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    void next.given.then(() => response.end('data: one\n\n'))
  })
  for (const listener of HTTPS_LISTENERS) {
    next = signal()
    const line = await ask(gateway, listener, 'GET', '/events')
    test.match(await line.until('\r\n\r\n'), 'HTTP/1.1 200', listener.name)
    next.give()
    await line.until('data: one\n\n')
    line.socket.destroy()
  }
})

void t.test('of a chunk that ends like a secret begins, only that end waits', async (test) => {
  let next = signal()
  let rest = ''
  const { gateway } = await setUp(test, (_request, response) => {
    response.write(`data: one\n\ndata: ${TOKEN.slice(0, 10)}`)
    void next.given.then(() => response.end(rest))
  })
  for (const listener of HTTPS_LISTENERS) {
    for (const [end, shown] of [
      [`${TOKEN.slice(10)}\n\n`, `${'*'.repeat(TOKEN.length)}\n\n`],
      ['-other\n\n', `${TOKEN.slice(0, 10)}-other\n\n`],
      ['', TOKEN.slice(0, 10)],
    ] as const) {
      next = signal()
      rest = end
      const line = await ask(gateway, listener, 'GET', '/events')
      const first = await line.until('data: one\n\ndata: ')
      next.give()
      const received = first + (await line.until('0\r\n\r\n'))
      const body = received
        .slice(received.indexOf('\r\n\r\n') + 4)
        .replace(/^[0-9a-f]+\r\n/gm, '')
        .replaceAll('\r\n', '')
      test.equal(body, `data: one\n\ndata: ${shown}`, `${listener.name} ${JSON.stringify(end)}`)
      line.socket.destroy()
    }
  }
})

void t.test('the upstream has the beginning of an upload before the client sends its end', async (test) => {
  let begun = signal()
  const { gateway, upstream } = await setUp(test, (request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString()
      if (body.includes('first')) begun.give()
    })
    request.on('end', () => response.end(`got ${body}`))
  })
  // Without a type it could be a form, of which a name waits until it is known.
  const type = 'Content-Type: application/octet-stream'
  for (const listener of HTTPS_LISTENERS) {
    for (const [fields, first, last] of [
      [['Transfer-Encoding: chunked', type], '6\r\nfirst \r\n', '4\r\nlast\r\n0\r\n\r\n'],
      [['Content-Length: 10', type], 'first ', 'last'],
    ] as const) {
      begun = signal()
      const line = await ask(gateway, listener, 'POST', '/upload', fields)
      line.socket.write(first)
      await begun.given
      line.socket.write(last)
      await line.until('got first last')
      const { headers } = upstream.requests.pop() ?? {}
      const framed = headers?.['transfer-encoding'] ?? headers?.['content-length']
      test.equal(framed, fields[0].split(': ')[1], `${listener.name}: its framing is kept`)
      line.socket.destroy()
    }
  }
})

/** What the buffers of the two connections may hold together: the kernel's go up to 10 MiB each. */
const IN_FLIGHT = 40 * 2 ** 20
const TOTAL = 64 * 2 ** 20
/** The four listeners end in one forwarding; these two differ in what is below it, TLS and none. */
const [TRANSPARENT, , , ROUTES] = HTTPS_LISTENERS as readonly [
  ListenerClient,
  ListenerClient,
  ListenerClient,
  ListenerClient,
]
const PIECE = Buffer.alloc(2 ** 16, 'x')

/** Writes `TOTAL` bytes as fast as they are taken. */
function pour(to: Socket | ServerResponse, progress: { bytes: number }): void {
  while (progress.bytes < TOTAL) {
    progress.bytes += PIECE.length
    if (!to.write(PIECE)) {
      to.once('drain', () => pour(to, progress))
      return
    }
  }
  if ('writeHead' in to) to.end()
}

/** Waits until nothing moves any more. */
async function standstill(progress: { bytes: number }): Promise<number> {
  for (let before = -1; before !== progress.bytes || before === 0;) {
    before = progress.bytes
    await new Promise((resolve) => setTimeout(resolve, 400))
    await turnsOfTheLoop(10)
  }
  return progress.bytes
}

void t.test('a client that does not read makes the upstream stop sending', async (test) => {
  let sent = { bytes: 0 }
  const { gateway } = await setUp(test, (_request, response) => {
    response.writeHead(200, { 'content-length': String(TOTAL) })
    pour(response, sent)
  })
  for (const listener of [TRANSPARENT, ROUTES]) {
    sent = { bytes: 0 }
    const socket = await listener.open(gateway, 'api.example')
    socket.write(head(listener, 'GET', '/large'))
    const stopped = await standstill(sent)
    test.ok(stopped < IN_FLIGHT, `${listener.name}: ${String(stopped >> 20)} MiB were under way`)
    let received = 0
    await new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length
        if (received >= TOTAL && sent.bytes === TOTAL) resolve()
      })
    })
    test.ok(received >= TOTAL, `${listener.name}: all of it comes once the client reads`)
    socket.destroy()
  }
})

void t.test('an upstream that does not read makes the client stop sending', async (test) => {
  let go = signal()
  const { gateway } = await setUp(test, (request, response) => {
    let received = 0
    void go.given.then(() => request.on('data', (chunk: Buffer) => (received += chunk.length)))
    request.on('end', () => response.end(`got ${String(received)} bytes`))
  })
  for (const listener of [TRANSPARENT, ROUTES]) {
    go = signal()
    const line = await ask(gateway, listener, 'POST', '/upload', [`Content-Length: ${String(TOTAL)}`])
    const sent = { bytes: 0 }
    pour(line.socket, sent)
    const stopped = await standstill(sent)
    test.ok(stopped < IN_FLIGHT, `${listener.name}: ${String(stopped >> 20)} MiB were under way`)
    go.give()
    await line.until(`got ${String(TOTAL)} bytes`)
    line.socket.destroy()
  }
})

/** One answer of each kind, and what marks its end. */
const ANSWERS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/chunked': (response) => {
    response.write('part one, ')
    response.end('part two')
  },
  '/length': (response) => response.writeHead(200, { 'content-length': '4' }).end('body'),
  '/empty': (response) => response.writeHead(200, { 'content-length': '0' }).end(),
  '/204': (response) => response.writeHead(204).end(),
  '/304': (response) => response.writeHead(304, { etag: '"x"', 'content-length': '1234' }).end(),
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  ANSWERS[request.url ?? '']?.(response)
}

void t.test('every framing comes back as it is, and the connection serves the next request', async (test) => {
  const { gateway, upstream } = await setUp(test, answer)
  for (const listener of HTTPS_LISTENERS) {
    const line = new Line(await listener.open(gateway, 'api.example'))
    const get = async (path: string, method = 'GET') => {
      line.socket.write(head(listener, method, path))
      return line.until('\r\n\r\n')
    }
    // All on one connection: a byte too many or too few of one answer spoils the next.
    test.match(await get('/chunked'), /transfer-encoding: chunked/i, listener.name)
    const body = await line.until('0\r\n\r\n')
    test.equal(body.replace(/\r\n|^[0-9a-f]+\r\n/gm, '').replace(/0$/, ''), 'part one, part two')
    test.match(await get('/length'), /content-length: 4\r\n/i, listener.name)
    test.equal(await line.until('body'), 'body')
    test.match(await get('/empty'), /^HTTP\/1\.1 200 [\s\S]*content-length: 0\r\n/i, listener.name)
    const noContent = await get('/204')
    test.match(noContent, /^HTTP\/1\.1 204 /, listener.name)
    test.notMatch(noContent, /transfer-encoding|content-length/i, 'RFC 9110 section 8.6')
    test.match(await get('/304'), /^HTTP\/1\.1 304 [\s\S]*etag: "egress-[\w-]+"/i, listener.name)
    test.match(await get('/length', 'HEAD'), /^HTTP\/1\.1 200 [\s\S]*content-length: 4\r\n/i, listener.name)
    test.match(await get('/chunked', 'HEAD'), /^HTTP\/1\.1 200 /, listener.name)
    test.match(await get('/length'), /^HTTP\/1\.1 200 /, `${listener.name}: HEAD was answered without a body`)
    await line.until('body')
    line.socket.destroy()
  }
  const sockets = new Set(upstream.requests.map(({ socket }) => socket))
  test.ok(sockets.size < upstream.requests.length / 2, 'connections to the upstream are used again')
  test.same(gateway.failures, [])
})

void t.test(
  'pipelined requests are answered in order, whatever the upstream finishes first',
  async (test) => {
    const waiting = new Map<string, ServerResponse>()
    const { gateway } = await setUp(test, (request, response) => {
      waiting.set(request.url ?? '', response)
      if (waiting.size < 3) return
      for (const path of ['/c', '/b', '/a']) waiting.get(path)?.end(`answer to ${path}`)
      waiting.clear()
    })
    for (const listener of HTTPS_LISTENERS) {
      const line = new Line(await listener.open(gateway, 'api.example'))
      line.socket.write(['/a', '/b', '/c'].map((path) => head(listener, 'GET', path)).join(''))
      const received = await line.until('answer to /c')
      const order = [...received.matchAll(/answer to (\/.)/g)].map((match) => match[1])
      test.same(order, ['/a', '/b', '/c'], listener.name)
      line.socket.destroy()
    }
  },
)
