import { spawnSync } from 'node:child_process'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { promises as dns } from 'node:dns'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import packet from 'dns-packet'
import t, { type Test } from 'tap'
import { bench, type Bench, type BenchOverrides, opt, query, RD, words } from '#dns/fixtures.js'
import { RCODE } from '#dns/codes.js'
import { serveUdp } from '#dns/transport/udp.js'

interface Served extends Bench {
  readonly socket: Socket
  readonly client: Socket
  readonly port: number
  /** Sends a datagram and returns the reply, or null when a later query was answered first. */
  readonly ask: (bytes: Buffer) => Promise<Buffer | null>
}

/** The query that tells silence from slowness: whatever came before it was answered, or never will be. */
const MARKER = query('marker.example.org', { id: 0xffff })

async function serve(t: Test, overrides: BenchOverrides = {}): Promise<Served> {
  const watched = bench(overrides)
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const server = serveUdp(socket, watched.context)
  const client = createSocket('udp4')
  client.bind(0, '127.0.0.1')
  await once(client, 'listening')
  t.teardown(() => {
    server.close()
    client.close()
  })
  const { port } = socket.address()
  const ask = async (bytes: Buffer): Promise<Buffer | null> => {
    const replies: Buffer[] = []
    const done = new Promise<void>((resolve) => {
      const onMessage = (reply: Buffer): void => {
        if (reply.readUInt16BE(0) !== 0xffff) return void replies.push(reply)
        client.off('message', onMessage)
        resolve()
      }
      client.on('message', onMessage)
    })
    client.send(bytes, port, '127.0.0.1')
    client.send(MARKER, port, '127.0.0.1')
    await done
    if (replies.length > 1) throw new Error('more than one reply')
    return replies[0] ?? null
  }
  return { ...watched, socket, client, port, ask }
}

function decode(reply: Buffer | null): packet.DecodedPacket {
  if (reply === null) throw new Error('no reply')
  return packet.decode(reply)
}

void t.test('every verdict over a real socket', async (t) => {
  const { ask, events, client } = await serve(t)
  const rcodes: Record<string, [name: string | string[], rcode: string, extended: number | null]> = {
    listed: ['api.github.com', 'NOERROR', null],
    'listed by a wildcard': ['cdn.example.org', 'NOERROR', null],
    unlisted: ['evil.example', 'NXDOMAIN', 15],
    'a wildcard does not list its suffix': ['example.org', 'NXDOMAIN', 15],
    data: [`${'mzxw6ytboi4dsmrrgu3tqmbsgm2d'.repeat(2)}.example.org`, 'REFUSED', 17],
    'a dot byte inside a label': [['api.github', 'com'], 'REFUSED', 17],
    'raw 8-bit labels': [['y\xbd\xe5\xd7\xfa', 'example', 'org'], 'REFUSED', 17],
  }
  for (const [what, [name, rcode, extended]] of Object.entries(rcodes)) {
    events.length = 0
    const reply = await ask(query(name, { rest: opt() }))
    t.match(decode(reply), { rcode }, what)
    const [record] = decode(reply).additionals ?? []
    const options = record?.type === 'OPT' ? record.options : []
    const codes = options.map(({ data }) => data?.readUInt16BE(0))
    t.strictSame(codes, extended === null ? [] : [extended], `${what}: Extended DNS Error`)
    t.match(events[0], { rcode, client: { address: '127.0.0.1', port: client.address().port } })
  }
})

void t.test('a real client (c-ares) reads it so', async (t) => {
  const { port } = await serve(t)
  const resolver = new dns.Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([`127.0.0.1:${port}`])
  t.strictSame(await resolver.resolve4('api.github.com', { ttl: true }), [{ address: '192.0.2.53', ttl: 30 }])
  await t.rejects(resolver.resolve6('api.github.com'), { code: 'ENODATA' })
  await t.rejects(resolver.resolveTxt('api.github.com'), { code: 'ENODATA' })
  await t.rejects(resolver.resolve4('evil.example'), { code: 'ENOTFOUND' })
  await t.rejects(resolver.reverse('192.0.2.53'), { code: 'ENOTFOUND' })
  await t.rejects(resolver.resolve4(`${'x'.repeat(41)}.example.org`), { code: 'EREFUSED' })
})

void t.test('0x20: the case of the question comes back', async (t) => {
  const { ask, events } = await serve(t)
  const reply = await ask(query('aPi.gItHuB.CoM'))
  t.match(decode(reply), { questions: [{ name: 'aPi.gItHuB.CoM' }], answers: [{ name: 'aPi.gItHuB.CoM' }] })
  t.equal(events[0]?.question?.name, 'api.github.com')
})

void t.test('hostile datagrams, and what they get', async (t) => {
  const { ask, failures } = await serve(t)
  const loop = Buffer.concat([words(1, RD, 1, 0, 0, 0, 0xc00c, 1, 1)])
  const chain = Buffer.concat([
    words(1, RD, 1, 0, 0, 0),
    Buffer.concat(Array.from({ length: 240 }, (_, index) => words(0xc00c + 2 * (index + 1)))),
    words(1, 1),
  ])
  const cases: Record<string, [Buffer, string | null]> = {
    'a pointer to itself': [loop, 'FORMERR'],
    'a chain of pointers': [chain, 'FORMERR'],
    'counts of 0xFFFF': [query('a', { counts: [0xffff, 0xffff, 0xffff, 0xffff] }), 'FORMERR'],
    'a bare header with counts of 0xFFFF': [words(1, RD, 0xffff, 0xffff, 0xffff, 0xffff), null],
    'trailing bytes': [Buffer.concat([query('api.github.com'), Buffer.from('data')]), 'FORMERR'],
    'two questions': [
      query('api.github.com', { counts: [2, 0, 0, 0], rest: query('evil.example').subarray(12) }),
      'FORMERR',
    ],
    'class CH': [query('version.bind', { class: 3, type: 16 }), 'REFUSED'],
    'class ANY': [query('api.github.com', { class: 255 }), 'REFUSED'],
    'an UPDATE': [query('example.org', { flags: 5 << 11 }), 'NOTIMP'],
    'a response': [query('api.github.com', { flags: 0x8180 }), null],
    'a response with an error': [query('api.github.com', { flags: 0x8005 }), null],
    'an empty datagram': [Buffer.alloc(0), null],
    'one byte': [Buffer.alloc(1), null],
    'a 65 KB datagram': [Buffer.alloc(65_000), null],
  }
  for (const [what, [bytes, rcode]] of Object.entries(cases)) {
    const reply = await ask(bytes)
    if (rcode === null || reply === null) t.equal(reply, rcode, what)
    else {
      t.match(decode(reply), { rcode, answers: [] }, what)
      t.ok(reply.length <= bytes.length, 'no amplification')
    }
  }
  t.strictSame(failures, [])
})

void t.test('EDNS version 1 gets BADVERS', async (t) => {
  const { ask } = await serve(t)
  const reply = await ask(query('api.github.com', { rest: opt({ version: 1, udpSize: 65_535 }) }))
  t.match(decode(reply), { answers: [], additionals: [{ extendedRcode: 1, udpPayloadSize: 1232 }] })
})

void t.test('a dead audit log answers nothing', async (t) => {
  const { client, port, failures } = await serve(t, {
    record: (_event, done) => done(new Error('ENOSPC')),
  })
  client.send(query('api.github.com'), port, '127.0.0.1')
  const [reply] = (await once(client, 'message')) as [Buffer, RemoteInfo]
  t.match(decode(reply), { rcode: 'SERVFAIL', answers: [] })
  t.equal(failures.length, 1)
})

void t.test('every query of a flood is answered: some with the address, the others REFUSED', async (t) => {
  const { client, port, events } = await serve(t, { rate: { perSecond: 0.01, burst: 5 } })
  const rcodes: number[] = []
  client.on('message', (reply) => rcodes.push((reply[3] ?? 0) & 15))
  for (let sent = 0; sent < 50; sent++) client.send(query('api.github.com'), port, '127.0.0.1')
  while (rcodes.length < 50) await sleep(5)
  t.equal(rcodes.filter((rcode) => rcode === RCODE.NOERROR).length, 5)
  t.equal(rcodes.filter((rcode) => rcode === RCODE.REFUSED).length, 45)
  t.equal(events.length, 50)
})

// dns2 3.1.1 dies of this one: `send` to port 0 throws.
void t.test('a datagram from source port 0 is not answered', async (t) => {
  const { socket, ask, events, failures } = await serve(t)
  const peer: RemoteInfo = { address: '127.0.0.1', port: 0, family: 'IPv4', size: 32 }
  t.doesNotThrow(() => socket.emit('message', query('api.github.com'), peer))
  t.strictSame(events, [])
  t.ok(await ask(query('api.github.com')), 'and the next one is')
  t.strictSame(failures, [])
})

void t.test(
  'a real datagram from source port 0',
  { skip: process.getuid?.() === 0 ? false : 'raw sockets need root' },
  async (t) => {
    const { port, ask, events, failures } = await serve(t)
    const sent = sendRaw(query('port-zero.example.org'), port)
    t.equal(sent.status, 0, sent.stderr.toString())
    t.ok(await ask(query('api.github.com')), 'still there')
    t.strictSame(
      events.map(({ question }) => question?.name),
      ['api.github.com', 'marker.example.org'],
    )
    t.strictSame(failures, [])
    const control = sendRaw(query('port-nine.example.org'), port, 9)
    t.equal(control.status, 0)
    while (events.length < 3) await sleep(5)
    t.match(events[2], { client: { port: 9 } }, 'the same datagram with a port arrives')
  },
)

/** UDP over a raw socket, header included; perl is part of every Debian. */
function sendRaw(payload: Buffer, port: number, sourcePort = 0): ReturnType<typeof spawnSync> {
  const loopback = Buffer.of(127, 0, 0, 1)
  const datagram = Buffer.concat([
    Buffer.of(0x45, 0),
    words(28 + payload.length, 1, 0),
    Buffer.of(64, 17, 0, 0), // TTL, UDP; the kernel fills the checksum in
    loopback,
    loopback,
    words(sourcePort, port, 8 + payload.length, 0), // 0: no checksum (RFC 768)
    payload,
  ])
  const program = `
    use Socket;
    socket(my $raw, AF_INET, SOCK_RAW, 255) or die "socket: $!";
    send($raw, pack('H*', $ARGV[0]), 0, pack_sockaddr_in(0, inet_aton('127.0.0.1'))) or die "send: $!";`
  return spawnSync('perl', ['-e', program, datagram.toString('hex')])
}

void t.test('send errors reach the program log once each, and nothing ends', async (t) => {
  const { socket, client, port, failures } = await serve(t)
  const send = socket.send.bind(socket)
  const failing = Object.assign(new Error('send EPERM'), { code: 'EPERM' })
  const broken = (...args: unknown[]): void => {
    const callback = args[3] as (error: Error) => void
    callback(failing)
  }
  socket.send = broken as typeof socket.send
  for (let sent = 0; sent < 3; sent++) client.send(query('api.github.com'), port, '127.0.0.1')
  while (failures.length === 0) await sleep(5)
  socket.send = (() => {
    throw new RangeError('thrown')
  }) as typeof socket.send
  client.send(query('api.github.com'), port, '127.0.0.1')
  while (failures.length < 2) await sleep(5)
  t.match(failures, [failing, new RangeError('thrown')])
  socket.send = send
  client.send(query('api.github.com'), port, '127.0.0.1')
  await once(client, 'message')
  t.pass('answers again')
})

void t.test('closing', async (t) => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const server = serveUdp(socket, bench().context)
  server.close()
  t.doesNotThrow(() => server.close(), 'twice is fine')
})
