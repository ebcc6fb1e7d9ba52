import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import type { ProxyContext } from '#proxy/context/context.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { eventually } from '#test/fixtures/eventually.js'
import { startGateway } from '#test/fixtures/gateway.js'
import { destination, testPolicy } from '#test/fixtures/policy.js'
import { startRawUpstream } from '#test/fixtures/upstream.js'
import type { Protocol } from './protocol.js'
import { PROTOCOLS } from './protocols.js'
import { tunnel } from './tunnel.js'

// A tunnel is bytes that nobody reads: what is said about it is in its two records, and what ends it comes from outside.

type Policy = Parameters<typeof testPolicy>[0]

async function setUp(
  test: Test,
  parts: Partial<Policy> = {},
  before: (context: ProxyContext) => void = () => undefined,
) {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startRawUpstream(authority, (socket, _all, chunk) => socket.write(`echo ${chunk}`))
  const policy = (mode: 'tunnel' | 'intercept', allowPrivateAddresses = true) =>
    testPolicy({
      destinations: [
        destination('https://t.example', mode === 'tunnel' ? [] : ['allow GET /**'], {
          id: 'allow[0]',
          mode,
          allowPrivateAddresses,
        }),
      ],
      hosts: { 't.example': { address: '127.0.0.1', port: upstream.port } },
      ...parts,
    })
  const contexts: ProxyContext[] = []
  const watched: Protocol = {
    ...tunnel,
    serve(connection, tools) {
      contexts.push(tools.context)
      before(tools.context)
      return tunnel.serve(connection, tools)
    },
  }
  const protocols = PROTOCOLS.map((protocol) => (protocol === tunnel ? watched : protocol))
  const gateway = await startGateway(policy('tunnel'), undefined, Date.now, protocols)
  let closed = false
  const close = async () => {
    if (!closed) await gateway.close()
    closed = true
  }
  test.teardown(async () => {
    await close()
    await upstream.close()
  })
  const open = async (): Promise<TLSSocket> => {
    const under: Socket = connectTcp(gateway.ports.https, '127.0.0.1').on('error', () => undefined)
    const socket = connectTls({ socket: under, servername: 't.example', ca: authority.pem })
    socket.on('error', () => undefined)
    await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]).catch(() => undefined)
    return socket
  }
  const ask = async (socket: TLSSocket, text: string): Promise<string> => {
    socket.write(text)
    const [answer] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as unknown[]
    return String(answer)
  }
  return { gateway, upstream, policy, contexts, open, ask, close }
}

void t.test('TLS passes from end to end, between its two records', async (test) => {
  const { gateway, open, ask } = await setUp(test)
  const socket = await open()
  test.ok(socket.authorized, 'the certificate is the upstream’s own')
  test.equal(await ask(socket, 'hello'), 'echo hello')
  test.strictSame([gateway.minted, gateway.closes], [[], []])
  test.match(gateway.decisions, [
    {
      kind: 'tunnel',
      verdict: 'allow',
      scheme: 'https',
      host: 't.example',
      port: 443,
      rule: 'allow[0]',
      address: '127.0.0.1',
      credential: null,
      status: null,
    },
  ])
  socket.end()
  test.ok(await eventually(() => gateway.closes.length === 1))
  const [close] = gateway.closes
  test.match(close, {
    outcome: 'success',
    reason: null,
    id: gateway.decisions[0]?.id,
    status: null,
    redactions: [],
  })
  test.ok(
    (close?.requestBytes ?? 0) > 200 && (close?.responseBytes ?? 0) > 500,
    'both directions are counted',
  )
})

void t.test('an address that the policy does not allow is never dialled', async (test) => {
  const { gateway, upstream, policy, open } = await setUp(test)
  await gateway.replace(policy('tunnel', false))
  const socket = await open()
  test.not(socket.authorized, true)
  test.match(gateway.decisions, [
    { kind: 'tls', verdict: 'deny', reason: 'address-refused', rule: 'allow[0]' },
  ])
  test.strictSame([upstream.received, gateway.closes], [[], []])
})

void t.test('an upstream that is not there is a failure with its record', async (test) => {
  const { gateway, upstream, open } = await setUp(test)
  await upstream.close()
  await open()
  test.ok(await eventually(() => gateway.closes.length === 1))
  test.match(gateway.closes, [{ outcome: 'failure', reason: 'upstream-unreachable', detail: 'ECONNREFUSED' }])
})

void t.test('without its record no tunnel begins', async (test) => {
  const { gateway, upstream, open, ask } = await setUp(test)
  gateway.auditFails = 'tunnel'
  const socket = await open()
  test.ok(socket.destroyed)
  test.strictSame([upstream.received, gateway.closes, gateway.decisions], [[], [], []])
  gateway.auditFails = false
  test.equal(await ask(await open(), 'hello'), 'echo hello', 'the control passes')
})

void t.test('a tunnel has its place among the open requests of its sandbox', async (test) => {
  const limits = { requests: { own: 1, all: 9 } }
  const { gateway, open, ask } = await setUp(test, { limits })
  const first = await open()
  test.equal(await ask(first, 'one'), 'echo one')
  const second = await open()
  test.not(second.authorized, true)
  test.match(gateway.decisions.at(-1), { kind: 'tls', verdict: 'deny', reason: 'busy' })
  test.equal(gateway.decisions.length, 2)
  first.destroy()
  test.ok(await eventually(() => gateway.closes.length === 1))
  test.equal(await ask(await open(), 'three'), 'echo three', 'the place is given back')
})

void t.test('a new policy ends a tunnel whose host it forbids, or wants to read', async (test) => {
  const { gateway, policy, contexts, open, ask } = await setUp(test)
  for (const [next, outcome] of [
    [policy('tunnel'), 'stays'],
    [policy('intercept'), 'ends'],
    [testPolicy({ destinations: [] }), 'ends'],
  ] as const) {
    await gateway.replace(policy('tunnel'))
    const closes = gateway.closes.length
    const socket = await open()
    await ask(socket, 'hello')
    await gateway.replace(next)
    const [context] = contexts
    context?.streams.replaced(context.snapshot())
    if (outcome === 'stays') {
      test.equal(await ask(socket, 'again'), 'echo again')
      socket.destroy()
      test.ok(await eventually(() => gateway.closes.length === closes + 1))
      continue
    }
    await once(socket, 'close')
    test.ok(await eventually(() => gateway.closes.length === closes + 1))
    test.match(gateway.closes.at(-1), { outcome: 'failure', reason: 'policy-changed' })
  }
  // What is over is not held, and a policy from now on finds nothing to end.
  const count = gateway.closes.length
  contexts[0]?.streams.replaced(contexts[0].snapshot())
  test.equal(gateway.closes.length, count)
})

void t.test('a gateway that ends closes its tunnels, and begins no other', async (test) => {
  const { gateway, open, ask, close } = await setUp(test)
  const socket = await open()
  await ask(socket, 'hello')
  await close()
  test.match(gateway.closes, [{ outcome: 'failure', reason: 'shutting-down' }])

  const ending = await setUp(test, {}, ({ shutdown }) => shutdown.start())
  const late = await ending.open()
  test.not(late.authorized, true)
  test.match(ending.gateway.decisions, [{ kind: 'tls', verdict: 'deny', reason: 'shutting-down' }])
  test.strictSame([ending.upstream.received, ending.gateway.closes], [[], []])
})

void t.test('only TLS to a host that is passed through is a tunnel', (test) => {
  const tls = { kind: 'tls', offer: { serverName: 't.example', alpn: [], versions: [] } } as const
  const plain = { kind: 'plain', first: Buffer.from('GET / HTTP/1.1') } as const
  const other = { kind: 'plain', first: Buffer.of(0) } as const
  const passed = destination('https://t.example', [], { id: 'a', mode: 'tunnel' })
  const read = destination('https://t.example', [], { id: 'b' })
  const chosen = (opening: unknown, to: unknown, expects: string) =>
    PROTOCOLS.find((one) => one.recognises({ opening, destination: to, expects } as never))?.name ?? null
  for (const [opening, to, expects, name] of [
    [tls, passed, 'tls', 'tunnel'],
    [tls, read, 'tls', 'tls'],
    [tls, null, 'tls', null],
    [plain, passed, 'tls', null],
    [plain, passed, 'any', 'http'],
    [plain, read, 'any', 'http'],
    [plain, null, 'tls', null],
    [other, read, 'any', null],
    [{ kind: 'silent' }, read, 'any', null],
    [{ kind: 'unread' }, null, 'http', 'http'],
    [{ kind: 'unread' }, passed, 'http', 'http'],
  ] as const)
    test.equal(chosen(opening, to, expects), name, `${opening.kind} ${to?.mode ?? 'nowhere'} ${expects}`)
  test.end()
})
