import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import packet from 'dns-packet'
import t, { type Test } from 'tap'
import { bench, type Bench, type BenchOverrides, opt, query, RD, SANDBOX, words } from '#dns/fixtures.js'
import type { ResolverContext } from '#dns/flow.js'
import { DEFAULT_TCP_LIMITS, serveTcp, type TcpLimits } from '#dns/transport/tcp.js'
import { frame } from '#dns/transport/tcp-frames.js'

interface Served extends Bench {
  readonly close: () => void
  /** Connections that the server has open. */
  readonly open: () => Promise<number>
  readonly dial: () => Promise<Client>
}

interface Client {
  readonly socket: Socket
  /** Resolves with everything that came until the server closed. */
  readonly ended: Promise<Buffer>
  /** The next message. */
  readonly next: () => Promise<Buffer>
}

async function serve(
  t: Test,
  limits: Partial<TcpLimits> = {},
  overrides: BenchOverrides = {},
): Promise<Served> {
  const watched = bench(overrides)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const served = serveTcp(server, watched.context, { ...DEFAULT_TCP_LIMITS, ...limits })
  const close = (): void => served.close()
  t.teardown(() => server.listening && close())
  const open = (): Promise<number> =>
    new Promise((resolve, reject) =>
      server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
    )
  const dial = async (): Promise<Client> => {
    const socket = connect(port, '127.0.0.1').setNoDelay(true)
    t.teardown(() => socket.destroy())
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    return clientOf(socket)
  }
  return { ...watched, close, open, dial }
}

/** Unlike `once` of node:events, does not take a reset for a failure. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

function clientOf(socket: Socket): Client {
  let received = Buffer.alloc(0)
  let taken = 0
  socket.on('data', (chunk: Buffer) => (received = Buffer.concat([received, chunk])))
  const ended = closing(socket).then(() => received)
  const next = async (): Promise<Buffer> => {
    for (;;) {
      const rest = received.subarray(taken)
      if (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const length = rest.readUInt16BE(0)
        taken += 2 + length
        return rest.subarray(2, 2 + length)
      }
      if (socket.closed) throw new Error('closed')
      await Promise.race([new Promise((resolve) => socket.once('data', resolve)), ended])
    }
  }
  return { socket, ended, next }
}

void t.test('a query and its answer', async (t) => {
  const { dial, events } = await serve(t)
  const { socket, next } = await dial()
  socket.write(frame(query('API.github.com', { rest: opt() })))
  t.match(packet.decode(await next()), { rcode: 'NOERROR', answers: [{ data: '192.0.2.53' }] })
  t.match(events, [
    { transport: 'tcp', client: { address: '127.0.0.1', port: socket.localPort }, sandbox: SANDBOX },
  ])
})

void t.test('split at every byte (RFC 7766 section 8)', async (t) => {
  const { dial } = await serve(t)
  const { socket, next } = await dial()
  const bytes = frame(query('api.github.com', { rest: opt() }))
  for (let cut = 1; cut < bytes.length; cut++) {
    socket.write(bytes.subarray(0, cut))
    await sleep(1)
    socket.write(bytes.subarray(cut))
    t.match(packet.decode(await next()), { rcode: 'NOERROR', id: 0x1234 }, `cut after ${cut}`)
  }
  for (const byte of bytes) {
    socket.write(Buffer.of(byte))
    await sleep(0)
  }
  t.match(packet.decode(await next()), { rcode: 'NOERROR' }, 'byte by byte')
})

void t.test('pipelining keeps the order', async (t) => {
  const { dial } = await serve(t)
  const { socket, next, ended } = await dial()
  const names = ['api.github.com', 'evil.example', 'github.com', 'x\xff.com']
  const queries = Array.from({ length: 100 }, (_, id) => frame(query(names[id % 4] ?? '', { id })))
  socket.end(Buffer.concat(queries))
  const rcodes = ['NOERROR', 'NXDOMAIN', 'NOERROR', 'REFUSED']
  for (let id = 0; id < 100; id++) t.match(packet.decode(await next()), { id, rcode: rcodes[id % 4] })
  await ended
  t.pass('and the connection ends after the last answer')
})

void t.test('what is no query ends the connection', async (t) => {
  const { dial, events, failures } = await serve(t)
  const cases: Record<string, Buffer> = {
    'length 0': words(0),
    'length 16': Buffer.concat([words(16), Buffer.alloc(16)]),
    'length 513': words(513),
    'a chain of 65,535 bytes of pointers': Buffer.concat([
      words(0xffff, 1, RD, 1, 0, 0, 0),
      Buffer.concat(Array.from({ length: 32_761 }, (_, index) => words(0xc00c | (index & 0x3fff)))),
    ]),
    'a response': frame(query('api.github.com', { flags: 0x8180 })),
  }
  for (const [what, bytes] of Object.entries(cases)) {
    const { socket, ended } = await dial()
    const began = performance.now()
    socket.write(bytes)
    t.equal((await ended).length, 0, what)
    t.ok(performance.now() - began < 5_000, 'and not when it has been idle for ten seconds')
  }
  t.strictSame(events, [])
  t.strictSame(failures, [])
})

void t.test('malformed but answerable', async (t) => {
  const { dial } = await serve(t)
  const { socket, next } = await dial()
  socket.write(frame(Buffer.concat([words(7, RD, 1, 0, 0, 0, 0xc00c, 1, 1)])))
  t.match(packet.decode(await next()), { id: 7, rcode: 'FORMERR' }, 'a pointer to itself')
  socket.write(frame(query('api.github.com', { rest: opt({ version: 3 }) })))
  t.match(packet.decode(await next()), { additionals: [{ extendedRcode: 1 }] })
})

void t.test('an idle connection is cut', async (t) => {
  const { dial, open } = await serve(t, { idleMs: 50 })
  const silent = await dial()
  await silent.ended
  const spent = await dial()
  spent.socket.write(frame(query('api.github.com')))
  t.ok(await spent.next())
  await spent.ended
  t.equal(await open(), 0)
})

void t.test('a slow loris is cut: bytes do not wind the timer, queries do', async (t) => {
  const { dial } = await serve(t, { idleMs: 800 })
  const loris = await dial()
  const bytes = frame(query('api.github.com'))
  let sent = 0
  for (const byte of bytes) {
    if (loris.socket.closed) break
    loris.socket.write(Buffer.of(byte))
    sent += 1
    await sleep(40)
  }
  t.equal((await loris.ended).length, 0)
  t.ok(sent < bytes.length, 'before its query was whole')
  const worker = await dial()
  for (let asked = 0; asked < 10; asked++) {
    worker.socket.write(bytes)
    t.ok(await worker.next())
    await sleep(40)
  }
})

void t.test('a client that never reads is cut, and is not worked for', async (t) => {
  const { dial, events, open } = await serve(t, { idleMs: 300 })
  const { socket } = await dial()
  socket.pause()
  const batch = Buffer.concat(Array<Buffer>(500).fill(frame(query('pastebin.com', { rest: opt() }))))
  while ((await open()) === 0) await sleep(1)
  let sent = 0
  while (!socket.destroyed && (await open()) > 0 && sent < 2000) {
    if (socket.writableNeedDrain) await sleep(5)
    else {
      socket.write(batch)
      sent += 1
    }
  }
  while ((await open()) > 0) await sleep(10)
  const taken = events.length
  t.ok(taken > 0 && taken < 500 * 2000, `${taken} queries were taken up`)
  await sleep(50)
  t.equal(events.length, taken, 'and none after that')
  t.ok(sent < 2000, 'the client was stopped')
})

void t.test('connections per sandbox', async (t) => {
  let port = 0
  const { dial, open } = await serve(
    t,
    { connections: 2 },
    { identify: (peer) => (peer.port === port ? { id: 'other', agent: 'default' } : SANDBOX) },
  )
  const first = await dial()
  const second = await dial()
  const third = await dial()
  t.equal((await third.ended).length, 0, 'one too many')
  second.socket.write(frame(query('api.github.com')))
  t.ok(await second.next(), 'the others live on')
  first.socket.destroy()
  while ((await open()) > 1) await sleep(5)
  const again = await dial()
  again.socket.write(frame(query('api.github.com')))
  t.ok(await again.next(), 'a place that was given back')
  port = again.socket.localPort ?? 0
})

void t.test('unknown clients are told so, and counted together', async (t) => {
  const { dial, events } = await serve(t, { connections: 1 }, { identify: () => null })
  const { socket, next } = await dial()
  socket.write(frame(query('api.github.com', { rest: opt() })))
  t.match(packet.decode(await next()), { rcode: 'REFUSED', answers: [] })
  t.match(events, [{ sandbox: null, reason: 'unknown-sandbox' }])
  await (
    await dial()
  ).ended
})

void t.test(
  'a flood on one connection is answered as fast as it may ask, and denied beyond it',
  async (t) => {
    const { dial, events } = await serve(t, {}, { rate: { perSecond: 0.01, burst: 3 } })
    const { socket, next } = await dial()
    socket.write(Buffer.concat(Array<Buffer>(10).fill(frame(query('api.github.com')))))
    for (let i = 0; i < 10; i += 1)
      t.match(packet.decode(await next()), { rcode: i < 3 ? 'NOERROR' : 'REFUSED' }, String(i))
    t.strictSame(
      events.map(({ reason }) => reason),
      [null, null, null, ...Array<string>(7).fill('rate-limited')],
    )
  },
)

void t.test('a dead audit log answers nothing', async (t) => {
  const record: ResolverContext['record'] = (_event, done) => done(new Error('ENOSPC'))
  const { dial, failures } = await serve(t, {}, { record })
  const { socket, next } = await dial()
  socket.write(frame(query('api.github.com')))
  t.match(packet.decode(await next()), { rcode: 'SERVFAIL', answers: [] })
  t.equal(failures.length, 1)
})

void t.test('a reset and a failing identify end one connection only', async (t) => {
  let broken = false
  const { dial, failures } = await serve(
    t,
    {},
    {
      identify: () => {
        if (broken) throw new Error('bug')
        return SANDBOX
      },
    },
  )
  const { socket, next: first } = await dial()
  socket.write(frame(query('api.github.com')))
  t.ok(await first())
  socket.resetAndDestroy()
  broken = true
  await (
    await dial()
  ).ended
  t.equal(failures.length, 1)
  broken = false
  const { socket: alive, next } = await dial()
  alive.write(frame(query('api.github.com')))
  t.ok(await next())
})

void t.test('closing ends what is open', async (t) => {
  const { dial, close, open } = await serve(t)
  const { ended } = await dial()
  while ((await open()) === 0) await sleep(1)
  close()
  t.equal((await ended).length, 0)
})
