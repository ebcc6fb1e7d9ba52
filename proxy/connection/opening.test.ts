import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { clientHello } from '#test/fixtures/client-hello.js'
import { turnsOfTheLoop } from '#test/fixtures/client.js'
import { eventually } from '#test/fixtures/eventually.js'
import { listen } from '#test/fixtures/upstream.js'
import { MAX_CLIENT_HELLO } from '../tls/client-hello.js'
import { peek, SILENCE_MS } from './opening.js'

// Looking at a connection changes nothing about it: who gets it next reads every byte, in order.

async function setUp(test: Test): Promise<{ client: Socket; socket: Socket }> {
  const server = createServer({ pauseOnConnect: true })
  const client = connect(await listen(server), '127.0.0.1').on('error', () => undefined)
  const [[socket]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
    [Socket],
    unknown,
  ]
  socket.on('error', () => undefined)
  test.teardown(() => {
    client.destroy()
    socket.destroy()
    server.close()
  })
  return { client, socket }
}

async function readAll(socket: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume()
  await eventually(() => Buffer.concat(chunks).length >= length)
  return Buffer.concat(chunks)
}

void t.test('what it is, and all of its bytes are there afterwards', async (test) => {
  const hello = await clientHello('api.example', { ALPNProtocols: ['http/1.1'] })
  for (const [bytes, kind] of [
    [hello, 'tls'],
    [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'plain'],
    [Buffer.from('\0'), 'plain'],
    // A record whose message is no hello.
    [Buffer.of(22, 3, 1, 0, 4, 2, 0, 0, 0), 'plain'],
  ] as const) {
    for (const size of [1, bytes.length]) {
      const { client, socket } = await setUp(test)
      const opening = peek(socket)
      for (let at = 0; at < bytes.length; at += size) {
        client.write(bytes.subarray(at, at + size))
        while (socket.bytesRead < at + size && !socket.isPaused() && at + size < bytes.length)
          await turnsOfTheLoop(1)
      }
      client.write('more')
      const found = await opening
      test.equal(found.kind, kind)
      if (found.kind === 'tls') test.match(found.offer, { serverName: 'api.example', alpn: ['http/1.1'] })
      if (found.kind === 'plain') test.ok(found.first.length > 0)
      test.ok(socket.isPaused(), 'nothing is read before its protocol does')
      const all = Buffer.concat([bytes, Buffer.from('more')])
      test.strictSame(await readAll(socket, all.length), all, `${kind}, ${String(size)} bytes at a time`)
    }
  }
})

void t.test('a hello without end is not held', async (test) => {
  const { client, socket } = await setUp(test)
  const opening = peek(socket)
  // Records of a hello that never ends: each is well formed.
  const record = Buffer.concat([Buffer.of(22, 3, 1, 0, 4), Buffer.of(1, 255, 255, 255)])
  const more = Buffer.concat([Buffer.of(22, 3, 1, 1, 0), Buffer.alloc(256, 7)])
  client.write(Buffer.concat([record, ...Array<Buffer>(2 * (MAX_CLIENT_HELLO / 256) + 10).fill(more)]))
  test.equal((await opening).kind, 'plain')
})

void t.test('a connection that ends first is closed, with what it sent', async (test) => {
  for (const [bytes, end] of [
    ['', 'end'],
    ['\x16\x03\x01', 'end'],
    ['\x16\x03\x01', 'destroy'],
    ['', 'destroy'],
  ] as const) {
    const { client, socket } = await setUp(test)
    const opening = peek(socket)
    if (bytes !== '') await new Promise((resolve) => client.write(bytes, 'latin1', resolve))
    client[end]()
    test.strictSame(await opening, { kind: 'closed', bytes: bytes.length, late: false })
  }
  const { socket } = await setUp(test)
  socket.destroy()
  test.strictSame(
    await peek(socket),
    { kind: 'closed', bytes: 0, late: false },
    'and so is one that ended before',
  )
})

/** Waits, without a timer, until all of so many bytes were read. */
async function untilRead(socket: Socket, bytes: number): Promise<void> {
  while (socket.bytesRead < bytes) await turnsOfTheLoop(1)
  await turnsOfTheLoop(3)
}

void t.test('one that does not finish in time is cut off', async (test) => {
  const { client, socket } = await setUp(test)
  mock.timers.enable({ apis: ['setTimeout'] })
  test.teardown(() => mock.timers.reset())
  const opening = peek(socket)
  mock.timers.tick(SILENCE_MS - 1)
  client.write('\x16\x03\x01', 'latin1')
  await untilRead(socket, 3)
  mock.timers.tick(15_000 - SILENCE_MS)
  await turnsOfTheLoop(3)
  test.notOk(socket.destroyed, 'not before its time')
  mock.timers.tick(1)
  test.strictSame(await opening, { kind: 'closed', bytes: 3, late: true })
  test.ok(socket.destroyed)
})

void t.test('one that does not begin in time is silent, and open', async (test) => {
  const { socket } = await setUp(test)
  mock.timers.enable({ apis: ['setTimeout'] })
  test.teardown(() => mock.timers.reset())
  const opening = peek(socket)
  const done: unknown[] = []
  void opening.then((found) => done.push(found))
  mock.timers.tick(SILENCE_MS - 1)
  await turnsOfTheLoop(3)
  test.strictSame(done, [], 'not before its time')
  mock.timers.tick(1)
  test.strictSame(await opening, { kind: 'silent' })
  mock.timers.tick(60_000)
  test.notOk(socket.destroyed)
})

void t.test('one that was read in time is not cut off later', async (test) => {
  const { client, socket } = await setUp(test)
  mock.timers.enable({ apis: ['setTimeout'] })
  const opening = peek(socket)
  client.write('GET')
  await opening
  mock.timers.tick(60_000)
  mock.timers.reset()
  test.notOk(socket.destroyed)
  client.end()
  const [rest] = (await once(socket.resume(), 'data')) as [Buffer]
  test.equal(rest.toString(), 'GET')
})
