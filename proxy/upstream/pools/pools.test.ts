import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { DEFAULT_HTTP } from '#config/limits/limits.js'
import { DIRECT } from '#test/fixtures/direct.js'
import { listen } from '#test/fixtures/upstream.js'
import { PooledUpstreams } from './pools.js'
import type { ConnectionOwner } from '../upstream.js'

/** An upstream that counts its connections and names, in each answer, the one that it came on. */
async function serve(t: Test) {
  const open = new Set<Socket>()
  let count = 0
  const server = createServer((socket) => {
    count += 1
    const name = String(count)
    open.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => open.delete(socket))
    socket.on('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(name.length)}\r\n\r\n${name}`)
    })
  })
  const port = await listen(server)
  const upstreams = new PooledUpstreams({ ...DEFAULT_HTTP, idleTimeoutMs: 30_000 })
  t.teardown(async () => {
    await upstreams.close()
    server.close()
  })
  const connectionOf = (sandbox: string | null, destination = 'services.api') =>
    ask(upstreams, { sandbox, destination }, port)
  return { upstreams, open, connectionOf }
}

/** Sends one request; resolves with the name of its connection. */
function ask(upstreams: PooledUpstreams, owner: ConnectionOwner, port: number): Promise<string> {
  const upstream = {
    owner,
    origin: { scheme: 'http', host: 'api.example', port: 80 },
    addresses: ['127.0.0.1'],
    port,
    ...DIRECT,
    ca: null,
    clientCertificate: null,
    knowsHttp2: false,
  } as const
  const request = { method: 'GET', path: '/', headers: { host: 'api.example' }, body: null }
  let body = ''
  return new Promise((resolve, reject) => {
    upstreams.open(upstream, request, {
      onStart: () => undefined,
      onHead: () => undefined,
      onData(_call, chunk) {
        body += chunk.toString()
      },
      // The pool has its connection back a moment later.
      onEnd: () => setTimeout(() => resolve(body), 20),
      onError: reject,
    })
  })
}

void t.test('a connection is used again by its owner alone', async (t) => {
  const { connectionOf } = await serve(t)
  t.equal(await connectionOf('sb-a'), '1')
  t.equal(await connectionOf('sb-a'), '1', 'kept for the next request of the same sandbox')
  t.equal(await connectionOf('sb-b'), '2', 'another sandbox')
  t.equal(await connectionOf('sb-a', 'services.other'), '3', 'another credential of the same sandbox')
  t.equal(await connectionOf(null), '4', 'the gateway itself')
  t.equal(await connectionOf('sb-b'), '2')
})

void t.test('the connections of a sandbox end with it, and no other', async (t) => {
  const { upstreams, open, connectionOf } = await serve(t)
  await connectionOf('sb-a')
  const [first] = open
  await connectionOf('sb-b')
  await connectionOf(null)
  const closed = first === undefined ? null : once(first, 'close')
  upstreams.drop('sb-a')
  await closed
  t.equal(await connectionOf('sb-b'), '2')
  t.equal(await connectionOf('sb-a'), '4', 'a sandbox of the same id begins anew')
  upstreams.prune((sandbox) => sandbox === 'sb-a')
  t.equal(await connectionOf('sb-a'), '4')
  t.equal(await connectionOf(null), '3', 'the gateway outlives them all')
  t.equal(await connectionOf('sb-b'), '5')
})

void t.test('one sandbox with many upstreams takes no pool of another', async (t) => {
  const { connectionOf } = await serve(t)
  t.equal(await connectionOf('sb-b'), '1')
  for (let index = 0; index < 64; index += 1) await connectionOf('sb-a', `services.${String(index)}`)
  t.equal(await connectionOf('sb-b'), '1')
})
