import fc from 'fast-check'
import { spawn, spawnSync } from 'node:child_process'
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { growth } from '#test/fixtures/growth.js'
import { MAX_CLIENT_HELLO, parseClientHello, type ClientOffer } from './client-hello.js'

const u16 = (value: number) => Buffer.of(value >> 8, value & 0xff)
const vector = (bytes: Buffer, size: 1 | 2 = 2) =>
  Buffer.concat([size === 1 ? Buffer.of(bytes.length) : u16(bytes.length), bytes])
const extension = (type: number, body: Buffer) => Buffer.concat([u16(type), vector(body)])
const serverNames = (...names: readonly (readonly [type: number, name: string])[]) =>
  extension(
    0,
    vector(
      Buffer.concat(
        names.map(([type, name]) => Buffer.concat([Buffer.of(type), vector(Buffer.from(name, 'latin1'))])),
      ),
    ),
  )

function handshake(extensions: Buffer | null, rest = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([
    Buffer.of(3, 3),
    Buffer.alloc(32, 7),
    vector(Buffer.alloc(32), 1),
    vector(Buffer.of(0x13, 1)),
    vector(Buffer.of(0), 1),
    extensions === null ? Buffer.alloc(0) : vector(extensions),
    rest,
  ])
  return Buffer.concat([Buffer.of(1, 0), u16(body.length), body])
}

/** Splits handshake bytes into records of one size. */
function records(bytes: Buffer, size = 16_384): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size)
    parts.push(Buffer.of(22, 3, 1), vector(bytes.subarray(at, at + size)))
  return Buffer.concat(parts)
}

const hello = (...extensions: readonly Buffer[]) => records(handshake(Buffer.concat(extensions)))

/** The first bytes that a client sends. */
async function firstFlight(start: (port: number) => () => void): Promise<Buffer> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bytes = new Promise<Buffer>((resolve) =>
    server.once('connection', (socket) => {
      let all = Buffer.alloc(0)
      socket.on('error', () => undefined)
      socket.on('data', (chunk: Buffer) => {
        all = Buffer.concat([all, chunk])
        if (parseClientHello(all).kind === 'incomplete') return
        resolve(all)
        socket.destroy()
      })
    }),
  )
  const stop = start((server.address() as AddressInfo).port)
  const result = await bytes
  stop()
  server.close()
  return result
}

function ofNode(options: ConnectionOptions): Promise<Buffer> {
  return firstFlight((port) => {
    const socket = connectTls({ ...options, socket: connectTcp(port, '127.0.0.1') })
    socket.on('error', () => undefined)
    return () => socket.destroy()
  })
}

function ofOpenssl(words: readonly string[]): Promise<Buffer> {
  return firstFlight((port) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...words], {
      stdio: 'ignore',
    })
    return () => child.kill()
  })
}

async function realHellos(): Promise<Record<string, readonly [bytes: Buffer, name: string | null]>> {
  const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.example`
  const hellos: Record<string, readonly [Buffer, string | null]> = {
    'node, TLS 1.3': [await ofNode({ servername: 'api.example.com' }), 'api.example.com'],
    'node, TLS 1.2': [
      await ofNode({ servername: 'Api.Example.com', maxVersion: 'TLSv1.2' }),
      'api.example.com',
    ],
    'node, ALPN': [
      await ofNode({ servername: 'a_b.example', ALPNProtocols: ['h2', 'http/1.1'] }),
      'a_b.example',
    ],
    'node, a long name': [await ofNode({ servername: long }), long],
    'node, no name': [await ofNode({}), null],
  }
  if (spawnSync('openssl', ['version']).status !== 0) return hellos
  return {
    ...hellos,
    openssl: [await ofOpenssl(['-servername', 'api.example.com']), 'api.example.com'],
    'openssl, no name': [await ofOpenssl(['-noservername']), null],
    'openssl, TLS 1.2': [await ofOpenssl(['-tls1_2', '-servername', 'x.example']), 'x.example'],
    'openssl, an address for a name': [await ofOpenssl(['-servername', '127.0.0.1']), null],
  }
}

/** What some of them say beside the name. */
const OFFERS: Readonly<Record<string, Partial<ClientOffer>>> = {
  'node, TLS 1.3': { alpn: [], versions: ['TLS 1.3', 'TLS 1.2'], hasHttp2Cipher: true },
  'node, TLS 1.2': { alpn: [], versions: ['TLS 1.2'], hasHttp2Cipher: true },
  'node, ALPN': { alpn: ['h2', 'http/1.1'], versions: ['TLS 1.3', 'TLS 1.2'] },
}

void t.test('hellos of real clients, split at every byte and into records of every size', async (t) => {
  for (const [client, [bytes, name]] of Object.entries(await realHellos())) {
    const expected = parseClientHello(bytes)
    t.match(expected, { kind: 'hello', serverName: name, ...OFFERS[client] }, client)
    let early = 0
    for (let at = 0; at < bytes.length; at += 1)
      if (parseClientHello(bytes.subarray(0, at)).kind !== 'incomplete') early += 1
    t.equal(early, 0, `${client}: no verdict before the last byte`)
    const message = bytes.subarray(5)
    const wrong: unknown[] = []
    for (const size of [1, 2, 3, 4, 5, 7, 100, 255, 511]) {
      const split = records(message, size)
      const next = Buffer.concat([split, Buffer.of(20, 3, 3, 0, 1, 1)])
      for (const [what, hello, parsed] of [
        ['whole', split, expected],
        ['all but a byte', split.subarray(0, -1), { kind: 'incomplete' }],
        ['with something behind it', next, expected],
      ] as const) {
        const found = parseClientHello(hello)
        if (!isDeepStrictEqual(found, parsed)) wrong.push({ size, what, found })
      }
    }
    t.strictSame(wrong, [], `${client}: over records of every size`)
  }
})

void t.test('server names', (t) => {
  for (const [name, expected] of [
    ['api.example', 'api.example'],
    ['API.example.', 'api.example'],
    ['127.0.0.1', null],
    ['[::1]', null],
    ['api.example\0.evil.test', null],
    ['api.example:443', null],
    ['*.example', null],
    ['b\xfccher.example', null],
    [`${'a'.repeat(64)}.example`, null],
    ['', null],
  ] as const)
    t.strictSame(parseClientHello(hello(serverNames([0, name]))), plain(expected), name)
  t.strictSame(parseClientHello(records(handshake(null))), plain(null), 'no extensions at all')
  t.strictSame(parseClientHello(hello()), plain(null), 'an empty list of extensions')
  t.end()
})

const plain = (serverName: string | null) => ({
  kind: 'hello',
  serverName,
  alpn: [],
  versions: ['TLS 1.2'],
  hasHttp2Cipher: false,
})

void t.test('what else a client offers', (t) => {
  const name = (text: string) => vector(Buffer.from(text, 'latin1'), 1)
  const alpn = (...names: string[]) => extension(16, vector(Buffer.concat(names.map(name))))
  const versions = (...numbers: number[]) => extension(43, vector(Buffer.concat(numbers.map(u16)), 1))
  t.match(parseClientHello(hello(alpn('h2'), versions(0x3a3a, 0x0304, 0x0302))), {
    kind: 'hello',
    alpn: ['h2'],
    versions: ['TLS 1.3', 'TLS 1.1'],
    hasHttp2Cipher: true,
  })
  t.match(parseClientHello(hello(alpn('a\n"b', 'x'.repeat(200)))), { alpn: ['a?"b', 'x'.repeat(32)] })
  t.match(parseClientHello(hello(alpn(...Array<string>(50).fill('p')))), { alpn: Array(8).fill('p') })
  // It is told, and decides nothing: one that makes no sense is OpenSSL's to refuse.
  t.match(
    parseClientHello(
      hello(extension(16, Buffer.alloc(9)), serverNames([0, 'a.b']), extension(43, Buffer.alloc(3))),
    ),
    { kind: 'hello', serverName: 'a.b', alpn: [], versions: [] },
  )
  t.end()
})

void t.test('ambiguous hellos, and anything that is not a hello', (t) => {
  const one = serverNames([0, 'a.example'])
  const whole = hello(one)
  const changed = (at: number, value: number) =>
    Buffer.from(whole.map((byte, i) => (i === at ? value : byte)))
  for (const [what, bytes] of Object.entries({
    'two server name extensions': hello(one, serverNames([0, 'b.example'])),
    'the same extension twice': hello(one, one),
    'two names in one': hello(serverNames([0, 'a.example'], [0, 'b.example'])),
    'a name of another type': hello(serverNames([1, 'a.example'])),
    'a second name of another type': hello(serverNames([0, 'a.example'], [1, 'x'])),
    'an empty list of names': hello(extension(0, u16(0))),
    'an empty extension': hello(extension(0, Buffer.alloc(0))),
    'bytes after the list of names': hello(
      extension(
        0,
        Buffer.concat([vector(Buffer.concat([Buffer.of(0), vector(Buffer.from('a.b'))])), Buffer.of(0)]),
      ),
    ),
    'a name longer than its list': hello(
      extension(0, vector(Buffer.concat([Buffer.of(0), u16(9), Buffer.from('a.b')]))),
    ),
    'a list longer than its extension': hello(
      extension(0, Buffer.concat([u16(99), Buffer.of(0), vector(Buffer.from('a.b'))])),
    ),
    'an extension longer than the rest': hello(Buffer.concat([u16(0), u16(99), Buffer.from('abc')])),
    'half an extension': hello(Buffer.of(0, 0, 0)),
    'bytes after the extensions': records(handshake(one, Buffer.of(0))),
    'plain HTTP': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    SSH: Buffer.from('SSH-2.0-x\r\n'),
    SSLv2: Buffer.of(0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0),
    'an alert': Buffer.of(21, 3, 3, 0, 2, 2, 40),
    'application data': Buffer.of(23, 3, 3, 0, 1, 0),
    'a server hello': changed(5, 2),
    'another major version': changed(1, 2),
    'an empty record': Buffer.of(22, 3, 1, 0, 0),
    'a record that is too long': Buffer.concat([Buffer.of(22, 3, 1), u16(MAX_CLIENT_HELLO + 1)]),
    'a message that is too long': Buffer.concat([Buffer.of(22, 3, 1, 0, 4, 1, 1, 0, 0)]),
    'an alert between two records': Buffer.concat([
      records(handshake(one).subarray(0, 20)),
      Buffer.of(21, 3, 3, 0, 2, 2, 40),
    ]),
  }))
    t.strictSame(parseClientHello(bytes), { kind: 'malformed' }, what)
  t.strictSame(parseClientHello(Buffer.alloc(0)), { kind: 'incomplete' })
  t.end()
})

void t.test('a hello with wrong lengths never yields a name', (t) => {
  const whole = hello(serverNames([0, 'good.example']))
  for (let at = 5; at < whole.length - 14; at += 1) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const bytes = Buffer.from(whole)
      bytes[at] = value
      const parsed = parseClientHello(bytes)
      if (parsed.kind === 'hello' && parsed.serverName !== null && parsed.serverName !== 'good.example')
        t.fail(`byte ${at} as ${value} yields ${parsed.serverName}`)
    }
  }
  t.pass('none does')
  t.end()
})

void t.test('it never throws', (t) => {
  const prefix = Buffer.of(22, 3, 1)
  const random = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
  const kinds = new Set(['malformed', 'incomplete', 'hello'])
  fc.assert(
    fc.property(random, (bytes) => kinds.has(parseClientHello(bytes).kind)),
    { numRuns: 3_000 },
  )
  fc.assert(
    fc.property(random, fc.integer({ min: 1, max: 40 }), (bytes, size) =>
      kinds.has(
        parseClientHello(records(Buffer.concat([Buffer.of(1, 0), u16(bytes.length), bytes]), size)).kind,
      ),
    ),
    { numRuns: 3_000 },
  )
  fc.assert(
    fc.property(random, (bytes) => kinds.has(parseClientHello(records(handshake(bytes))).kind)),
    { numRuns: 3_000 },
  )
  fc.assert(fc.property(random, (bytes) => kinds.has(parseClientHello(Buffer.concat([prefix, bytes])).kind)))
  t.end()
})

void t.test('a hello in as many records as possible is read in linear time', (t) => {
  const message = handshake(Buffer.alloc(0)).subarray(0, 4)
  message.writeUIntBE(16_000, 1, 3)
  const first = records(message)
  const parse = (count: number) => {
    const bytes = Buffer.concat([first, records(Buffer.alloc(count), 1)])
    return () => parseClientHello(bytes)
  }
  const times = growth(parse(600), parse(4_800))
  t.ok(times < 30, `${times.toFixed(1)} times as long for eight times as many records`)
  t.end()
})
