import type { Socket } from 'node:net'
import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { exchangeBytes, HTTPS_LISTENERS, statuses } from './fixtures/client.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway } from './fixtures/gateway.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { startRawUpstream } from './fixtures/upstream.js'
import { ACCEPT_OF_UPGRADE, frame, switchProtocols, UPGRADE } from './fixtures/websocket.js'

// An upgrade opens a connection on which bytes pass that no rule sees. What counts is what the upstream was sent.

t.setTimeout(120_000)

const TOKEN = 'real-token-0123456789abcdef'
const DELETE = 'DELETE /admin HTTP/1.1\r\nHost: api.example\r\nContent-Length: 0\r\n\r\n'

interface Teardown {
  teardown(close: () => Promise<void>): void
}

/** @param answer what the upstream sends for the head of each first request */
async function setUp(test: Teardown, answer: (head: string, socket: Socket) => void, trusted = true) {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startRawUpstream(authority, (socket, received, chunk) => {
    if (received === chunk) answer(chunk, socket)
  })
  const ca = trusted ? authority.pem : (await CertificateAuthority.create(Date.now())).pem
  const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
  const at = { address: '127.0.0.1', port: upstream.port }
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('https://api.example', ['allow GET /rest/**'], {
          id: 'services.api',
          service: 'api',
          ca,
        }),
        destination('https://open.example', ['allow GET /rest/**'], { id: 'allow[0]', ca }),
      ],
      services: [service('api', 'https://api.example', credential)],
      hosts: { 'api.example': at, 'open.example': at },
      http: { responseTimeoutMs: 2_000 },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  /** Asks for an upgrade, and sends more behind it at once and again after an answer. */
  const upgrade = async (host: string, more: string, headers: readonly string[] = UPGRADE, quietMs = 150) => {
    const [transparent] = HTTPS_LISTENERS
    const socket = await transparent?.open(gateway, host)
    if (socket === undefined) throw new Error('there is a listener')
    socket.once('data', () => {
      if (more !== '') setImmediate(() => socket.write(Buffer.from(more, 'latin1')))
    })
    const head = [`GET /rest/socket HTTP/1.1`, `Host: ${host}`, ...headers, '', ''].join('\r\n')
    return exchangeBytes(socket, Buffer.from(head + more, 'latin1'), { quietMs })
  }
  return { gateway, upstream, upgrade }
}

const HOSTS = ['api.example', 'open.example'] as const
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\n'
const UPGRADED = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'

const FALSE_ANSWERS: readonly (readonly [name: string, answer: (head: string) => string])[] = [
  ['no accept', () => `${SWITCH}${UPGRADED}\r\n`],
  ['an empty accept', () => `${SWITCH}${UPGRADED}Sec-WebSocket-Accept:\r\n\r\n`],
  [
    'the accept of the client’s own key',
    () => `${SWITCH}${UPGRADED}Sec-WebSocket-Accept: ${ACCEPT_OF_UPGRADE}\r\n\r\n`,
  ],
  [
    'the key itself',
    (head) => `${SWITCH}${UPGRADED}Sec-WebSocket-Accept: ${/key: (.*)/i.exec(head)?.[1] ?? ''}\r\n\r\n`,
  ],
  ['two accepts', (head) => switchProtocols(head, 'Sec-WebSocket-Accept: eA==\r\n')],
  ['no Upgrade', (head) => switchProtocols(head).replace(/^Upgrade:.*\r\n/m, '')],
  ['no Connection', (head) => switchProtocols(head).replace(/^Connection:.*\r\n/m, '')],
  ['another protocol', (head) => switchProtocols(head).replace('Upgrade: websocket', 'Upgrade: h2c')],
  ['an extension', (head) => switchProtocols(head, 'Sec-WebSocket-Extensions: permessage-deflate\r\n')],
  ['a subprotocol', (head) => switchProtocols(head, 'Sec-WebSocket-Protocol: mqtt\r\n')],
]

void t.test('a 101 that proves nothing is 502, and its connection ends', async (test) => {
  for (const [name, answer] of FALSE_ANSWERS) {
    const { gateway, upstream, upgrade } = await setUp(
      test,
      (head, socket) => void socket.write(answer(head)),
    )
    for (const host of HOSTS) {
      const got = await upgrade(host, DELETE)
      test.match(statuses(got).join(), /^50[24]$/, `${host}: ${name}`)
    }
    test.notMatch(upstream.received.join(''), /DELETE/, name)
    test.same(
      gateway.closes.map(({ outcome }) => outcome),
      ['failure', 'failure'],
      name,
    )
  }
})

void t.test('what is not a frame of a client never passes, before or after a true 101', async (test) => {
  const sent = frame('fine', { masked: true })
  for (const [name, bytes] of [
    ['a request', DELETE],
    ['a frame, then a request', sent + DELETE],
    ['a frame without a mask', frame(DELETE)],
    ['a reserved bit', frame(DELETE, { first: 0xc1, masked: true })],
    ['a reserved opcode', frame(DELETE, { first: 0x83, masked: true })],
    ['a reserved control opcode', frame('DELETE', { first: 0x8b, masked: true })],
    ['a control frame in fragments', frame('DELETE', { first: 0x09, masked: true })],
    ['a control frame that is too long', frame(`DELETE${'x'.repeat(120)}`, { first: 0x89, masked: true })],
    ['a fragment of nothing', frame('DELETE', { first: 0x80, masked: true })],
    [
      'a message within a message',
      frame('a', { first: 0x01, masked: true }) + frame('DELETE', { masked: true }),
    ],
    ['a length that is longer than it needs to be', '\x81\xfe\0\x06\0\0\0\0DELETE'],
    [
      'what follows a close frame',
      frame('\x03\xe8', { first: 0x88, masked: true }) + frame('DELETE', { masked: true }),
    ],
  ] as const) {
    const { upstream, upgrade } = await setUp(
      test,
      (head, socket) => void socket.write(switchProtocols(head)),
    )
    for (const host of HOSTS) await upgrade(host, bytes)
    test.notMatch(upstream.received.join(''), /DELETE/, name)
  }
  const { gateway, upstream, upgrade } = await setUp(
    test,
    (head, socket) => void socket.write(switchProtocols(head)),
  )
  for (const host of HOSTS) {
    const got = await upgrade(
      host,
      frame('begin, ', { first: 0x01, masked: true }) +
        frame('?', { first: 0x89, masked: true }) +
        frame('end'.repeat(100), { first: 0x80, masked: true }),
    )
    test.match(got, /^HTTP\/1\.1 101 /, `${host}: the control passes`)
    test.match(got, `sec-websocket-accept: ${ACCEPT_OF_UPGRADE}`)
  }
  await eventually(() => gateway.closes.length === 2)
  test.equal(upstream.received.join('').split('begin, ').length, 5)
  test.equal(upstream.received.join('').split('end'.repeat(100)).length, 5)
})

void t.test('what is not a frame of a server never reaches the client', async (test) => {
  for (const bytes of [
    'HTTP/1.1 200 OK\r\n\r\nEVIL',
    frame('EVIL', { masked: true }),
    frame('EVIL', { first: 0xc1 }),
  ]) {
    const { gateway, upgrade } = await setUp(test, (head, socket) => {
      socket.write(Buffer.from(switchProtocols(head) + frame('fine'), 'latin1'))
      setTimeout(() => socket.write(Buffer.from(bytes, 'latin1')), 100)
    })
    for (const host of HOSTS) {
      const got = await upgrade(host, '', UPGRADE, 400)
      test.match(got, /101[^]*fine/, 'the control passes')
      test.notMatch(got, 'EVIL')
    }
    await eventually(() => gateway.closes.length === 2)
    test.same(
      gateway.closes.map(({ reason }) => reason),
      ['upstream-protocol', 'upstream-protocol'],
    )
  }
})

void t.test(
  'a request that does not ask for a WebSocket exactly is sent without its upgrade',
  async (test) => {
    const [connection, upgrade13, version, key] = UPGRADE
    for (const [name, headers] of [
      ['no key', [connection, upgrade13, version]],
      ['a short key', [connection, upgrade13, version, 'Sec-WebSocket-Key: eA==']],
      [
        'a key with other last bits',
        [connection, upgrade13, version, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=='],
      ],
      ['two keys', [...UPGRADE, key]],
      ['no version', [connection, upgrade13, key]],
      ['an old version', [connection, upgrade13, key, 'Sec-WebSocket-Version: 8']],
      ['another protocol', [connection, 'Upgrade: h2c', version, key]],
      ['TLS', [connection, 'Upgrade: TLS/1.0', version, key]],
      ['two protocols', [connection, 'Upgrade: websocket, h2c', version, key]],
      ['a body', [...UPGRADE, 'Content-Length: 2']],
    ] as const) {
      const { gateway, upstream, upgrade } = await setUp(test, (_head, socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
      for (const host of HOSTS) {
        const got = await upgrade(host, name === 'a body' ? `ok${DELETE}` : DELETE, headers)
        test.equal(statuses(got)[0], '200', `${host}: ${name}`)
      }
      test.notMatch(upstream.received.join(''), /^upgrade:|DELETE/im, name)
      test.same(
        gateway.decisions.filter(({ verdict }) => verdict === 'allow').map(({ kind }) => kind),
        ['request', 'request'],
        name,
      )
    }
  },
)

void t.test('a false 101 to a plain request is 502, and its connection ends', async (test) => {
  const { gateway, upstream, upgrade } = await setUp(test, (_head, socket) => {
    socket.write(`${SWITCH}${UPGRADED}\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL`)
  })
  for (const host of HOSTS) {
    const got = await upgrade(host, DELETE, [])
    test.equal(statuses(got)[0], '502', host)
    test.notMatch(got, 'EVIL')
  }
  test.notMatch(upstream.received.join(''), /DELETE/)
  test.ok(gateway.closes.every(({ reason }) => reason !== null))
})

void t.test(
  'the certificate of a WebSocket upstream is verified before the credential is sent',
  async (test) => {
    const answer = (head: string, socket: Socket) => void socket.write(switchProtocols(head))
    const { gateway, upstream, upgrade } = await setUp(test, answer, false)
    for (const host of HOSTS) test.equal(statuses(await upgrade(host, ''))[0], '502', host)
    test.notMatch(upstream.received.join(''), /GET|Bearer/, 'nothing was written to the wrong server')
    test.same(
      gateway.closes.map(({ reason }) => reason),
      ['upstream-tls', 'upstream-tls'],
    )
    const control = await setUp(test, answer)
    test.equal(statuses(await control.upgrade('api.example', ''))[0], '101')
    test.match(control.upstream.received.join(''), `Bearer ${TOKEN}`)
  },
)

void t.test('interim responses do not put the end of the wait off', async (test) => {
  const timers: NodeJS.Timeout[] = []
  const { gateway, upgrade } = await setUp(test, (_head, socket) => {
    timers.push(setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 300))
  })
  test.teardown(() => {
    for (const timer of timers) clearInterval(timer)
    return Promise.resolve()
  })
  for (const headers of [UPGRADE, []])
    test.equal(statuses(await upgrade('api.example', '', headers)).at(-1), '504')
  test.same(
    gateway.closes.map(({ reason }) => reason),
    ['upstream-timeout', 'upstream-timeout'],
  )
  const flood = await setUp(test, (_head, socket) => {
    socket.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(200))
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  for (const headers of [UPGRADE, []])
    test.equal(statuses(await flood.upgrade('api.example', '', headers)).at(-1), '502', 'too many of them')
  const few = await setUp(test, (_head, socket) => {
    socket.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(3))
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  test.equal(statuses(await few.upgrade('api.example', '', [])).at(-1), '200', 'the control passes')
})
