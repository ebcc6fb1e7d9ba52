import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { eventually } from '#test/fixtures/eventually.js'
import { startGateway } from '#test/fixtures/gateway.js'
import { askAs, connectAs, identifyNeighbour } from '#test/fixtures/neighbours.js'
import { destination, testPolicy } from '#test/fixtures/policy.js'
import { listen } from '#test/fixtures/upstream.js'

/** An upstream that echoes path and body, or never answers `/hang`. */
async function serve(t: Test) {
  const saw: string[] = []
  const server = createServer((socket) => {
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const length = Number(/content-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? 0)
        if (text.length < end + 4 + length) return
        const [, path = ''] = text.split(' ')
        const answer = `${path} ${text.slice(end + 4, end + 4 + length)};`
        text = text.slice(end + 4 + length)
        saw.push(path)
        if (path === '/hang') continue
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(answer.length)}\r\n\r\n${answer}`)
      }
    })
  })
  const port = await listen(server)
  const gateway = await startGateway(
    testPolicy({
      destinations: [destination('http://api.example', ['allow * /**'], { id: 'allow[0]' })],
      hosts: { 'api.example': { address: '127.0.0.1', port } },
    }),
    identifyNeighbour,
  )
  t.teardown(async () => {
    await gateway.close()
    server.close()
  })
  return { gateway, saw }
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: api.example\r\n\r\n`
const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: api.example\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`

void t.test(
  'requests that are sent ahead are answered in order, however they are cut into chunks',
  async (t) => {
    const { gateway } = await serve(t)
    const sent = Array.from({ length: 40 }, (_, i) =>
      i % 3 === 0 ? post(`/${String(i)}`, `body-of-${String(i)}`.repeat(i * 100)) : get(`/${String(i)}`),
    )
    const expected = Array.from({ length: 40 }, (_, i) =>
      i % 3 === 0 ? `/${String(i)} ${`body-of-${String(i)}`.repeat(i * 100)};` : `/${String(i)} ;`,
    )
    for (const size of [7, 1_000, 1_000_000]) {
      const { socket, received } = await connectAs('a', gateway.ports.http)
      const bytes = sent.join('')
      for (let at = 0; at < bytes.length; at += size) {
        socket.write(bytes.slice(at, at + size))
        if (size < 100 && at % 4_900 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      const bodies = () =>
        received()
          .split(/HTTP\/1\.1 200 OK\r\n[^]*?\r\n\r\n/)
          .slice(1)
      t.ok(await eventually(() => bodies().length === 40 && received().endsWith(';')))
      t.strictSame(bodies(), expected, `${String(size)} bytes at a time`)
      socket.destroy()
    }
  },
)

void t.test('what is sent ahead beyond a few is not read until there are answers', async (t) => {
  const { gateway, saw } = await serve(t)
  const { socket } = await connectAs('a', gateway.ports.http)
  socket.write(get('/hang').repeat(10_000))
  t.ok(await eventually(() => saw.length >= 4))
  t.match(await askAs('b', gateway.ports.http, 'GET /quick HTTP/1.1\r\nHost: api.example\r\n'), '/quick')
  t.equal(saw.filter((path) => path === '/hang').length, 4)
  t.equal(gateway.decisions.filter(({ path }) => path === '/hang').length, 4)
  socket.destroy()
})

void t.test('line ends that no client sends do not get more through at once', async (t) => {
  const { gateway, saw } = await serve(t)
  const { socket, closed } = await connectAs('a', gateway.ports.http)
  socket.write('GET /hang HTTP/1.1\nHost: api.example\n\n'.repeat(10_000))
  const timer = setTimeout(() => socket.destroy(), 3_000)
  await closed
  clearTimeout(timer)
  t.ok(saw.length <= 64, `${String(saw.length)} requests`)
  t.match(await askAs('b', gateway.ports.http, 'GET /quick HTTP/1.1\r\nHost: api.example\r\n'), '/quick')
})

void t.test('an upgrade that nobody knows, behind which more comes', async (t) => {
  const { gateway } = await serve(t)
  const { socket, received } = await connectAs('a', gateway.ports.http)
  const offer = 'Connection: Upgrade\r\nUpgrade: h2c\r\n'
  socket.write(
    post('/first', 'abc').replace('\r\n\r\n', `\r\n${offer}\r\n`) + get('/second') + post('/third', 'xyz'),
  )
  t.ok(await eventually(() => received().endsWith('/third xyz;')))
  t.match(received(), /\/first abc;HTTP.*\/second ;HTTP.*\/third xyz;$/s)
  socket.destroy()
})
