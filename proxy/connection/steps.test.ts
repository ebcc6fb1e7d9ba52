import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { DEFAULT_AGENT, type RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Peer } from '#firewall/contracts/peer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { clientHello } from '#test/fixtures/client-hello.js'
import { exchangeBytes, HTTPS_LISTENERS, statuses, type ListenerClient } from '#test/fixtures/client.js'
import { eventually } from '#test/fixtures/eventually.js'
import { SANDBOX, startGateway } from '#test/fixtures/gateway.js'
import { destination, testPolicy } from '#test/fixtures/policy.js'
import { startUpstream } from '#test/fixtures/upstream.js'

// Each step of a connection, judged by what the client gets, what the log has and what the upstream saw.

const KiB = 1024
const ALERT = '\x15\x03\x03\0\x02\x02\x31'
const [TRANSPARENT, BEHIND_CONNECT] = HTTPS_LISTENERS as [ListenerClient, ListenerClient]

type Identify = (peer: Peer) => RegisteredSandbox | null
type Limits = Parameters<typeof testPolicy>[0]['limits']

/** Bugs of ours that a gateway met, for each gateway. */
const failures: (readonly unknown[])[] = []

async function setUp(test: Test, parts: { identify?: Identify; limits?: Limits } = {}) {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(authority, (request, response) => {
    request.resume().on('end', () => response.end('hello'))
  })
  const at = { address: '127.0.0.1', port: upstream.port }
  const policy = (hosts: readonly string[]) =>
    testPolicy({
      destinations: [
        ...hosts.map((host, i) =>
          destination(`https://${host}`, ['allow GET /**'], { id: `allow[${String(i)}]`, ca: authority.pem }),
        ),
        destination('http://plain.example', ['allow GET /**'], { id: 'plain' }),
        destination('https://tunnel.example', [], { id: 'tunnel', mode: 'tunnel' }),
      ],
      hosts: { 'api.example': at, 'other.example': at, 'tunnel.example': at },
      ...(parts.limits === undefined ? {} : { limits: parts.limits }),
    })
  const gateway = await startGateway(policy(['api.example', '*.wild.example']), parts.identify)
  failures.push(gateway.failures)
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, upstream, policy }
}

async function open(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

/** Sends bytes, and collects what comes until the gateway closes; with `until`, until that came. */
async function tell(socket: Socket, bytes: string | Buffer, until?: RegExp): Promise<string> {
  let received = ''
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  if (bytes.length > 0) socket.write(bytes)
  if (until === undefined) await closed
  else await eventually(() => until.test(received))
  socket.destroy()
  return received
}

const connectTo = (target: string, ...hosts: readonly string[]) =>
  `CONNECT ${target} HTTP/1.1\r\n${hosts.map((host) => `Host: ${host}\r\n`).join('')}\r\n`

const ESTABLISHED = 'HTTP/1.1 200 Connection Established\r\n\r\n'

void t.test('what CONNECT may ask for, and with which Host', async (test) => {
  const { gateway } = await setUp(test)
  for (const [target, hosts, outcome] of [
    ['api.example:443', [], 'open'],
    ['api.example:443', ['api.example:443'], 'open'],
    ['api.example:443', ['api.example'], 'open'],
    ['API.Example:443', ['api.EXAMPLE'], 'open'],
    ['api.example:443', ['egress'], 'open'],
    ['api.example:443', ['egress:3128'], 'open'],
    ['plain.example:80', [], 'open'],
    ['tunnel.example:443', [], 'open'],
    ['new.wild.example:443', [], 'open'],
    ['api.example:443', ['other.example:443'], 'host-mismatch'],
    ['api.example:443', ['api.example:80'], 'host-mismatch'],
    ['api.example:443', ['not a host'], 'host-mismatch'],
    ['api.example:443', [''], 'host-mismatch'],
    ['api.example:443', ['api.example', 'api.example'], 'bad-framing'],
    ['api.example:443', ['egress', 'egress'], 'bad-framing'],
    ['api.example', [], 'bad-authority'],
    ['api.example:', [], 'bad-authority'],
    ['api.example:0', [], 'bad-authority'],
    ['api.example:65536', [], 'bad-authority'],
    ['user@api.example:443', [], 'bad-authority'],
    ['127.0.0.1:443', [], 'bad-authority'],
    ['other.example:443', [], 'host-not-listed'],
    ['egress:443', [], 'host-not-listed'],
    ['api.example:80', [], 'port-not-listed'],
    ['api.example:8443', [], 'port-not-listed'],
    ['plain.example:443', [], 'port-not-listed'],
    [`${'k7q2x9w4m1z8'.repeat(4)}.wild.example:443`, [], 'name-looks-encoded'],
  ] as const) {
    const name = `CONNECT ${target} with Host ${JSON.stringify(hosts)}`
    const before = gateway.decisions.length
    const client = await open(gateway.ports.forward)
    if (outcome === 'open') {
      test.equal(await tell(client, connectTo(target, ...hosts), /\r\n\r\n/), ESTABLISHED, name)
      continue
    }
    const told = await tell(client, connectTo(target, ...hosts))
    test.match(told, new RegExp(`^HTTP/1\\.1 4\\d\\d .*"reason":"${outcome}"`, 's'), name)
    test.notMatch(told, 'Established', name)
    const denials = gateway.decisions.slice(before).filter(({ reason }) => reason !== 'tls-handshake')
    test.match(denials, [{ kind: 'connect', verdict: 'deny', reason: outcome, method: 'CONNECT' }], name)
  }
})

void t.test('CONNECT is answered on port 3128 alone, and not inside another one', async (test) => {
  const { gateway } = await setUp(test)
  for (const port of [gateway.ports.http, gateway.ports.reverse])
    test.match(await tell(await open(port), connectTo('api.example:443')), /^HTTP\/1\.1 400 .*3128/s)
  const inPlain = await open(gateway.ports.forward)
  const twice = connectTo('plain.example:80') + connectTo('api.example:443')
  test.match(await tell(inPlain, twice), /^HTTP\/1\.1 200 .*HTTP\/1\.1 400 .*3128/s)
  for (const listener of [TRANSPARENT, BEHIND_CONNECT]) {
    const inTls = await listener.open(gateway, 'api.example')
    test.match(await tell(inTls, connectTo('api.example:443')), /^HTTP\/1\.1 400 .*3128/s, listener.name)
  }
  test.equal(gateway.decisions.length, 5)
  for (const decision of gateway.decisions)
    test.match(decision, { kind: 'connect', verdict: 'deny', reason: 'bad-framing' })
})

void t.test('which server names go on, and what the others are told', async (test) => {
  const { gateway, upstream } = await setUp(test)
  for (const [connectTarget, serverName, outcome] of [
    [null, 'api.example', 'served'],
    ['api.example:443', 'api.example', 'served'],
    [null, 'API.example', 'served'],
    [null, null, 'no-server-name'],
    ['api.example:443', null, 'no-server-name'],
    ['api.example:443', 'a.wild.example', 'host-mismatch'],
    ['a.wild.example:443', 'api.example', 'host-mismatch'],
    ['plain.example:80', 'plain.example', 'port-not-listed'],
    [null, 'other.example', 'host-not-listed'],
    [null, 'plain.example', 'port-not-listed'],
    [null, `${'k7q2x9w4m1z8'.repeat(4)}.wild.example`, 'name-looks-encoded'],
  ] as const) {
    const name = `${String(serverName)} ${connectTarget === null ? 'at 443' : `behind CONNECT ${connectTarget}`}`
    const before = gateway.decisions.length
    const { https, forward } = gateway.ports
    const client = await open(connectTarget === null ? https : forward)
    const prefix = connectTarget === null ? '' : connectTo(connectTarget)
    const sent = Buffer.concat([Buffer.from(prefix), await clientHello(serverName)])
    if (outcome === 'served') {
      // A ServerHello is the answer of one that goes on.
      test.match(await tell(client, sent, /\x16\x03\x03..\x02/s), /\x16\x03\x03..\x02/s, name)
      continue
    }
    test.equal((await tell(client, sent)).replace(ESTABLISHED, ''), ALERT, name)
    const denials = gateway.decisions.slice(before).filter(({ reason }) => reason !== 'tls-handshake')
    const said = serverName === null ? null : `server name ${serverName}`
    test.match(denials, [{ kind: 'tls', verdict: 'deny', reason: outcome, detail: said }], name)
  }
  test.strictSame(upstream.requests, [])
})

void t.test('a hello is read however it is cut, and what comes behind it', async (test) => {
  const { gateway } = await setUp(test)
  const client = await open(gateway.ports.https)
  for (const byte of await clientHello('other.example')) {
    client.write(Buffer.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  test.equal(await tell(client, ''), ALERT)
  test.match(gateway.decisions, [{ kind: 'tls', host: 'other.example', reason: 'host-not-listed' }])
})

void t.test('plain bytes are not taken where TLS is expected', async (test) => {
  const { gateway, upstream } = await setUp(test)
  for (const [bytes, reason, told] of [
    ['GET / HTTP/1.1\r\nHost: api.example\r\n\r\n', 'not-tls', /^HTTP\/1\.1 403 .*"reason":"not-tls"/s],
    ['SSH-2.0-client\r\n', 'not-http', /not-http/],
    ['\0', 'not-http', /^$/],
  ] as const) {
    test.match(await tell(await open(gateway.ports.https), bytes), told)
    test.match(gateway.decisions.pop(), { verdict: 'deny', reason })
  }
  test.strictSame([upstream.requests, gateway.decisions], [[], []])
})

void t.test('a client that is no sandbox gets nothing, and nothing is made for it', async (test) => {
  let known: RegisteredSandbox | null = null
  const { gateway, upstream } = await setUp(test, { identify: () => known })
  const { https, forward, http, reverse } = gateway.ports
  const hello = await clientHello('api.example')
  const request = 'GET / HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n'
  test.equal(await tell(await open(https), hello), ALERT)
  const told = [
    await tell(await open(forward), connectTo('api.example:443')),
    await tell(await open(forward), request.replace('/', 'https://api.example/')),
    await tell(await open(http), request),
    await tell(await open(reverse), request),
  ]
  for (const one of told) test.match(one, /^HTTP\/1\.1 403 .*"reason":"unknown-sandbox"/s)
  test.match(gateway.decisions, Array(5).fill({ verdict: 'deny', reason: 'unknown-sandbox', sandbox: null }))
  test.strictSame([gateway.minted, upstream.requests], [[], []])
  known = SANDBOX
  const fine = await TRANSPARENT.open(gateway, 'api.example')
  test.strictSame(statuses(await exchangeBytes(fine, request)), ['200'], 'the control is served')
})

void t.test(
  'a connection is nobody’s once its sandbox has ended, also when another has its address',
  async (test) => {
    const another = { ...SANDBOX, id: 'sb-another' }
    const again = { ...SANDBOX, placeholders: new Map() }
    const request = 'GET / HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n'
    for (const [later, outcome] of [
      [null, 'denied'],
      [another, 'denied'],
      [SANDBOX, 'served'],
      [again, 'served'],
    ] as const) {
      let who: RegisteredSandbox | null = SANDBOX
      const { gateway, upstream } = await setUp(test, { identify: () => who })
      const inTls = await TRANSPARENT.open(gateway, 'api.example')
      who = later
      const fresh = await open(gateway.ports.forward)
      const served = outcome === 'served'
      test.match(await tell(inTls, request), served ? /^HTTP\/1\.1 200 / : /"reason":"unknown-sandbox"/)
      test.equal(upstream.requests.length, served ? 1 : 0)
      const told = await tell(fresh, connectTo('api.example:443'), /\r\n\r\n/)
      test.match(told, later === null ? /unknown-sandbox/ : ESTABLISHED, 'a new connection is its own')
      test.notMatch(gateway.decisions.at(-1), { verdict: 'allow', sandbox: { id: another.id } })
    }
  },
)

void t.test(
  'CONNECT on a connection from before is bound to who opened it, and to the policy of now',
  async (test) => {
    let who: RegisteredSandbox | null = SANDBOX
    const { gateway, policy } = await setUp(test, { identify: () => who })
    /** A connection that is identified, and on which CONNECT is about to be sent. */
    const begin = async () => {
      const socket = await open(gateway.ports.forward)
      socket.write('CONNECT ')
      await eventually(() => socket.bytesWritten === 8)
      await new Promise((resolve) => setTimeout(resolve, 100))
      return socket
    }
    const rest = (target: string) => `${target} HTTP/1.1\r\n\r\n`

    const [ended, taken, kept] = [await begin(), await begin(), await begin()]
    test.equal(await tell(kept, rest('api.example:443'), /\r\n\r\n/), ESTABLISHED)
    who = null
    test.match(await tell(ended, rest('api.example:443')), /"reason":"unknown-sandbox"/)
    who = { ...SANDBOX, id: 'sb-another' }
    test.match(await tell(taken, rest('api.example:443')), /"reason":"unknown-sandbox"/)

    who = SANDBOX
    const [removed, added] = [await begin(), await begin()]
    await gateway.replace(policy(['other.example']))
    test.match(await tell(removed, rest('api.example:443')), /"reason":"host-not-listed"/)
    test.equal(await tell(added, rest('other.example:443'), /\r\n\r\n/), ESTABLISHED)
  },
)

const byAddress: Identify = ({ address }) => ({
  id: `sb-${address}`,
  agent: DEFAULT_AGENT,
  placeholders: new Map(),
})
const nobody: Identify = () => null

const ASK = 'GET /none HTTP/1.1\r\nHost: egress\r\nConnection: close\r\n\r\n'

for (const [who, identify] of [
  ['a sandbox', byAddress],
  ['an unknown client', nobody],
] as const) {
  void t.test(`${who} has a number of connections, and others have theirs`, async (test) => {
    const { gateway } = await setUp(test, { identify, limits: { connections: { own: 2, all: 3 } } })
    const { reverse, https, forward } = gateway.ports
    const isBusy = /^HTTP\/1\.1 503 .*retry-after: 1\r\n.*"reason":"busy"/s
    const isServed = /^HTTP\/1\.1 40[34] /
    const held = [await open(forward, '127.0.0.2'), await open(https, '127.0.0.2')]
    for (const port of [reverse, forward]) test.match(await tell(await open(port, '127.0.0.2'), ASK), isBusy)
    test.equal(await tell(await open(https, '127.0.0.2'), ''), '', 'TLS has no way to say it')
    test.match(gateway.decisions, Array(3).fill({ kind: 'request', reason: 'busy', status: 503 }))
    test.match(await tell(await open(reverse, '127.0.0.3'), ASK), isServed, 'another one is served')
    held.push(await open(reverse, '127.0.0.3'))
    test.match(await tell(await open(reverse, '127.0.0.4'), ASK), isBusy, 'there is a limit for all together')
    for (const socket of held) socket.destroy()
    const again = async () => isServed.test(await tell(await open(reverse, '127.0.0.2'), ASK))
    let served = false
    for (let i = 0; i < 100 && !served; i += 1) served = await again()
    test.ok(served, 'what was closed is given back')
  })
}

void t.test('what is inside a connection is not counted again, and takes no other’s place', async (test) => {
  const { gateway } = await setUp(test, { limits: { connections: { own: 1, all: 1 } } })
  const request = 'GET / HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n'
  for (const listener of [BEHIND_CONNECT, TRANSPARENT, BEHIND_CONNECT]) {
    let answer = ''
    for (let i = 0; i < 50 && !answer.startsWith('HTTP/1.1 200 '); i += 1) {
      const socket = await listener.open(gateway, 'api.example').catch(() => null)
      answer = socket === null ? '' : await exchangeBytes(socket, request)
    }
    test.match(answer, /^HTTP\/1\.1 200 /, listener.name)
  }
})

void t.test('a connection takes memory of its sandbox, and gives it back', async (test) => {
  const memory = { own: 2 * 48 * KiB, all: 256 * KiB }
  const { gateway } = await setUp(test, { identify: byAddress, limits: { memory } })
  const { reverse, forward } = gateway.ports
  const held = [await open(forward, '127.0.0.2'), await open(forward, '127.0.0.2')]
  test.match(await tell(await open(reverse, '127.0.0.2'), ''), /^HTTP\/1\.1 503 .*"reason":"busy"/s)
  test.equal(gateway.heldBytes(), memory.own)
  for (const socket of held) socket.destroy()
  test.ok(await eventually(() => gateway.heldBytes() === 0))
})

void t.test('a client that does not close after its denial is cut off', async (test) => {
  const { gateway } = await setUp(test, { limits: { connections: { own: 1, all: 9 } } })
  const places: Socket[] = []
  for (const bytes of [await clientHello('other.example'), 'GET / HTTP/1.1\r\n\r\n']) {
    const client = connect({ port: gateway.ports.https, host: '127.0.0.1', allowHalfOpen: true })
    places.push(client.on('error', () => undefined))
    const ended = new Promise((resolve) => client.resume().once('end', resolve))
    client.write(bytes)
    await ended
    let answer = ''
    for (let i = 0; i < 400 && !answer.includes(' 404 '); i += 1) {
      answer = await tell(await open(gateway.ports.reverse), ASK)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    test.match(answer, ' 404 ', 'its place is free')
  }
  for (const client of places) client.destroy()
})

void t.test('what cannot be recorded is not said, and not served', async (test) => {
  const { gateway, upstream } = await setUp(test)
  const { https, forward } = gateway.ports
  gateway.auditFails = true
  test.equal(await tell(await open(https), await clientHello('other.example')), '')
  const told = await tell(await open(forward), connectTo('other.example:443'))
  test.match(told, /^HTTP\/1\.1 503 .*"reason":"audit-unavailable"/s)
  const inTls = await TRANSPARENT.open(gateway, 'api.example')
  test.match(await tell(inTls, ASK.replace('egress', 'api.example')), /^HTTP\/1\.1 503 /)
  test.strictSame(upstream.requests, [])
})

void t.test('none of these was a bug of ours', (test) => {
  test.strictSame(failures.flat(), [])
  test.end()
})
