import { createServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { DEFAULT_HTTP } from '#config/limits/limits.js'
import { DIRECT } from '#test/fixtures/direct.js'
import { listen } from '#test/fixtures/upstream.js'
import type { UpstreamRequest } from '../upstream.js'
import { PooledUpstreams } from './pools.js'

interface Arrived {
  /** Of its connection, from 0. */
  readonly index: number
  readonly text: string
}

type OnRequest = (socket: Socket, index: number, text: string) => void

/** An upstream that keeps each request as it came, and answers as it is told. */
async function serve(t: Test, onRequest: OnRequest) {
  const arrived: Arrived[] = []
  const server = createServer((socket) => {
    let [text, index] = ['', 0]
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const [head = '', body = ''] = text.split('\r\n\r\n')
      const length = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0)
      if (!text.includes('\r\n\r\n') || body.length < length) return
      arrived.push({ index, text })
      const whole = text
      text = ''
      index += 1
      onRequest(socket, index - 1, whole)
    })
  })
  const port = await listen(server)
  const upstreams = new PooledUpstreams(DEFAULT_HTTP)
  t.teardown(async () => {
    await upstreams.close()
    server.close()
  })
  const upstream = {
    owner: { sandbox: 'sb', destination: 'services.api' },
    origin: { scheme: 'http', host: 'api.example', port: 80 },
    addresses: ['127.0.0.1'],
    port,
    ...DIRECT,
    ca: null,
    clientCertificate: null,
    knowsHttp2: false,
  } as const
  let repeats = 0
  /** Resolves with status and body, or with the code of the error. */
  const ask = (
    method: string,
    headers: Record<string, string> = {},
    body: UpstreamRequest['body'] = null,
  ): Promise<string> => {
    let text = ''
    return new Promise((resolve) => {
      const request = { method, path: '/', headers: { host: 'api.example', ...headers }, body }
      upstreams.open(upstream, request, {
        onStart: () => undefined,
        onRepeat: () => (repeats += 1),
        onHead: (_call, status) => (text = `${String(status)} `),
        onData: (_call, chunk) => (text += chunk.toString()),
        onEnd: () => setTimeout(() => resolve(text), 5),
        onError: (error) => resolve((error as NodeJS.ErrnoException).code ?? ''),
      })
    })
  }
  return { arrived, ask, repeats: () => repeats }
}

const OK = 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=60\r\nContent-Length: 2\r\n\r\nok'

const ways: readonly (readonly [string, (socket: Socket) => void])[] = [
  ['FIN', (socket) => socket.destroy()],
  ['RST', (socket) => socket.resetAndDestroy()],
]

for (const [way, close] of ways) {
  void t.test(
    `${way} in answer to a request on a used connection: repeated where that is the same`,
    async (t) => {
      const gone = 'EGRESS_UPSTREAM_CLOSED'
      const body = Buffer.from('a body')
      for (const [method, headers, expected] of [
        ['GET', {}, '200 ok'],
        ['HEAD', {}, '200 '],
        ['OPTIONS', {}, '200 ok'],
        ['PUT', {}, '200 ok'],
        ['DELETE', {}, '200 ok'],
        ['POST', { 'idempotency-key': 'k' }, '200 ok'],
        ['POST', {}, gone],
        ['PATCH', {}, gone],
        ['PUT', { 'if-match': '"x"' }, gone],
        ['DELETE', { 'x-ms-if-tags': 'x' }, gone],
      ] as const) {
        // Each has an upstream of its own: one that is known to close connections gets such requests on new ones.
        const { arrived, ask, repeats } = await serve(t, (socket, index) => {
          if (index === 1) close(socket)
          else socket.write(OK)
        })
        // One answer, so that there is a connection that was used.
        t.equal(await ask('GET'), '200 ok')
        arrived.length = 0
        const before = repeats()
        const name = `${method} ${JSON.stringify(headers)}`
        t.equal(
          await ask(method, headers, method === 'PUT' || method === 'POST' ? body : null),
          expected,
          name,
        )
        const times = expected === gone ? 1 : 2
        t.equal(arrived.length, times, `${name} arrived ${String(times)} times`)
        t.equal(arrived[0]?.index, 1, 'first on a used connection')
        if (times === 2) t.equal(arrived[1]?.index, 0, 'then on a new one')
        t.equal(new Set(arrived.map(({ text }) => text)).size, 1, 'the same bytes')
        t.equal(repeats() - before, times - 1, 'which is told')
      }
    },
  )

  void t.test(`${way} in answer to the first request on a connection: never repeated`, async (t) => {
    const { arrived, ask } = await serve(t, (socket) => close(socket))
    for (const method of ['GET', 'PUT', 'POST']) {
      arrived.length = 0
      t.equal(await ask(method), 'EGRESS_UPSTREAM_CLOSED', method)
      t.equal(arrived.length, 1)
    }
  })
}

void t.test(
  'an upstream that closed a used connection gets what may be carried out once on a new one',
  async (t) => {
    const { arrived, ask } = await serve(t, (socket, index) => {
      if (index === 1) socket.destroy()
      else socket.write(OK)
    })
    t.equal(await ask('GET'), '200 ok')
    t.equal(await ask('GET'), '200 ok', 'repeated')
    arrived.length = 0
    for (const method of ['POST', 'PATCH', 'POST']) t.equal(await ask(method), '200 ok')
    t.strictSame(
      arrived.map(({ index }) => index),
      [0, 0, 0],
    )
  },
)

void t.test('repeated once, and not where something of a response had come', async (t) => {
  let rest = ''
  const { arrived, ask } = await serve(t, (socket, index) => {
    if (index === 1) socket.end(rest)
    else socket.write(OK)
  })
  for (rest of ['H', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n']) {
    t.equal(await ask('GET'), '200 ok')
    arrived.length = 0
    t.equal(await ask('GET'), 'EGRESS_UPSTREAM_CLOSED', JSON.stringify(rest))
    t.equal(arrived.length, 1)
  }
  let closes = false
  const second = await serve(t, (socket) => {
    if (closes) socket.destroy()
    else socket.write(OK)
  })
  t.equal(await second.ask('GET'), '200 ok')
  closes = true
  t.equal(await second.ask('GET'), 'EGRESS_UPSTREAM_CLOSED')
  t.equal(second.arrived.length, 3, 'one answered, one sent twice')
})

void t.test(
  '408 says that no request came: repeated for every method, once, on a used connection',
  async (t) => {
    const late = 'HTTP/1.0 408 Request Time-out\r\nConnection: close\r\n\r\n'
    const { arrived, ask } = await serve(t, (socket, index) => {
      if (index === 1) socket.end(late)
      else socket.write(OK)
    })
    t.equal(await ask('GET'), '200 ok')
    t.equal(await ask('POST', {}, 'x'), '200 ok')
    t.strictSame(
      arrived.map(({ index }) => index),
      [0, 1, 0],
    )
    const other = await serve(t, (socket) => socket.end(late))
    t.equal(await other.ask('POST', {}, 'x'), '408 ', 'on a new one it is the answer')
  },
)

void t.test(
  'a body that comes as a stream is sent again from its beginning, if that is still there',
  async (t) => {
    /** To an upstream that closes the connection with it, if it was used before. */
    const put = async (size: number) => {
      const { arrived, ask } = await serve(t, (socket, index) => {
        if (index === 1) socket.destroy()
        else socket.write(OK)
      })
      t.equal(await ask('GET'), '200 ok')
      const body = Readable.from([Buffer.alloc(size / 2, 'a'), Buffer.alloc(size / 2, 'b')])
      const answer = await ask('PUT', { 'content-length': String(size) }, body)
      return { answer, arrived: arrived.slice(1) }
    }
    const small = await put(20_000)
    t.equal(small.answer, '200 ok')
    t.equal(small.arrived.length, 2)
    t.equal(small.arrived[0]?.text, small.arrived[1]?.text)
    t.match(small.arrived[1]?.text, /a{10000}b{10000}$/)
    const { answer, arrived } = await put(40_000)
    t.equal(answer, 'EGRESS_UPSTREAM_CLOSED')
    t.equal(arrived.length, 1, 'more than is kept')
  },
)

void t.test(
  'a connection that was closed while nobody looked is not used for what must not be repeated',
  async (t) => {
    const { arrived, ask, repeats } = await serve(t, (socket) => {
      socket.write(OK)
      setTimeout(() => socket.destroy(), 20)
    })
    t.equal(await ask('GET'), '200 ok')
    const asked = new Promise<string>((resolve) => {
      // The event loop stands still while the connection is closed; what arrived is read after the request was made.
      setTimeout(() => {
        const [until] = [Date.now() + 60]
        while (Date.now() < until);
        void ask('POST', {}, 'x').then(resolve)
      }, 10)
    })
    t.equal(await asked, '200 ok')
    t.equal(arrived.filter(({ text }) => text.startsWith('POST')).length, 1)
    t.equal(repeats(), 0)
  },
)
