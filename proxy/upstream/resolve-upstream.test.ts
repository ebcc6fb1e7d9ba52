import { createSocket } from 'node:dgram'
import { Packet } from 'dns2'
import t from 'tap'
import type { UpstreamNames } from '#firewall/contracts/policy.js'
import { directWays } from '#test/fixtures/direct.js'
import { destination } from '#test/fixtures/policy.js'
import type { Recorder } from '../contracts/recorder.js'
import type { ConnectionInfo } from '../contracts/connection.js'
import { OwnPorts } from './own-listeners.js'
import { resolveUpstream } from './resolve-upstream.js'
import { UpstreamResolver } from './resolver.js'

/** What a name is answered with: addresses, or nothing at all for null. */
type Zone = (name: string, type: number) => readonly string[] | null

interface NameServer {
  readonly address: string
  readonly asked: string[]
  close(): void
}

/** A name server on loopback that answers what it is told to. */
async function startNameServer(zone: Zone): Promise<NameServer> {
  const socket = createSocket('udp4')
  const asked: string[] = []
  socket.on('message', (message, peer) => {
    const query = Packet.parse(message)
    const [question] = query.questions
    if (question === undefined) return
    const type = question.type
    asked.push(`${question.name} ${type}`)
    const found = zone(question.name, type)
    if (found === null) return
    const response = Packet.createResponseFromRequest(query)
    for (const address of found.filter((one) => one.includes(':') === (type === Packet.TYPE.AAAA)))
      response.answers.push(Packet.createResourceFromQuestion(question, { address, ttl: 0 }))
    socket.send(response.toBuffer(), peer.port, peer.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    close: () => socket.close(),
  }
}

const names = (parts: Partial<UpstreamNames>): UpstreamNames => ({ hosts: {}, servers: [], ...parts })
const contextWith = (decide = () => Promise.resolve()) =>
  ({ audit: { decide }, now: () => 0, newId: () => '' }) as unknown as Recorder
const peer = { address: '127.0.0.1', port: 1 }
const connection: ConnectionInfo = {
  listener: 'forward',
  sandbox: null,
  peer,
  host: null,
  scheme: null,
  port: null,
}
const origin = (host: string) => ({ scheme: 'https', host, port: 443 }) as const
const to = (allowPrivate: boolean, pattern = 'any.example.com') =>
  destination(`https://${pattern}`, [], { id: 'allow[0]', allowPrivateAddresses: allowPrivate })

async function serve(t: { teardown(close: () => void): void }, zone: Zone) {
  const server = await startNameServer(zone)
  t.teardown(() => server.close())
  const clock = { now: 0 }
  const resolver = new UpstreamResolver(names({ servers: [server.address] }), 900, () => clock.now)
  const pin = (host: string, allowPrivate = false) =>
    resolveUpstream(contextWith(), directWays(resolver), connection, origin(host), to(allowPrivate))
  return { server, clock, resolver, pin }
}

void t.test('public addresses are pinned, all of them', async (t) => {
  const { pin } = await serve(t, () => ['93.184.216.34', '1.1.1.1', '2606:4700::1111'])
  t.match(await pin('api.example.com'), {
    addresses: ['93.184.216.34', '1.1.1.1', '2606:4700::1111'],
    port: 443,
    ca: null,
    origin: { host: 'api.example.com' },
  })
})

void t.test('one family is enough', async (t) => {
  const { pin } = await serve(t, (name) => (name.startsWith('six') ? ['2606:4700::1111'] : ['1.1.1.1']))
  t.match(await pin('six.example.com'), { addresses: ['2606:4700::1111'] })
  t.match(await pin('four.example.com'), { addresses: ['1.1.1.1'] })
})

const ZONE: Readonly<Record<string, readonly string[]>> = {
  'loopback.example.com': ['127.0.0.1'],
  'private.example.com': ['10.0.0.1'],
  'last.example.com': ['1.1.1.1', '8.8.8.8', '192.168.0.1'],
  'first.example.com': ['172.16.0.1', '1.1.1.1'],
  'six.example.com': ['1.1.1.1', 'fd00::1'],
  'metadata.example.com': ['169.254.169.254'],
  'azure.example.com': ['168.63.129.16'],
  'mixed.example.com': ['10.0.0.1', '169.254.169.254'],
  'nat64.example.com': ['64:ff9b::a9fe:a9fe'],
  'zero.example.com': ['0.0.0.0'],
  'multicast.example.com': ['224.0.0.1'],
}

void t.test('one bad address of several refuses all', async (t) => {
  const { pin } = await serve(t, (name) => ZONE[name] ?? [])
  for (const name of Object.keys(ZONE))
    t.match(
      await pin(name),
      { reason: 'address-refused', rule: 'allow[0]', detail: /^the address \S+ is / },
      name,
    )
  for (const name of ['loopback', 'private', 'last', 'first', 'six'])
    t.match(await pin(`${name}.example.com`, true), { port: 443 }, `${name}: with permission`)
  for (const name of ['metadata', 'azure', 'mixed', 'nat64', 'zero', 'multicast'])
    t.match(
      await pin(`${name}.example.com`, true),
      { reason: 'address-refused' },
      `${name}: no permission opens it`,
    )
})

void t.test('no permission makes the gateway its own upstream', async (t) => {
  const own = new OwnPorts()
  const server = await startNameServer((name) => (name.startsWith('loop') ? ['127.0.0.1'] : ['10.0.0.1']))
  t.teardown(() => server.close())
  const hosts = { 'fixed.example.com': { address: '127.0.0.2', port: 9900 } }
  const resolver = new UpstreamResolver(names({ servers: [server.address], hosts }), 900, () => 0, own)
  const pin = (host: string) =>
    resolveUpstream(contextWith(), directWays(resolver), connection, origin(host), to(true))
  for (const host of ['loop.example.com', 'fixed.example.com'])
    t.match(await pin(host), { addresses: [/^127/] }, `${host}: allowed as long as nobody listens`)
  own.add(443)
  own.add(9900)
  for (const host of ['loop.example.com', 'fixed.example.com'])
    t.match(await pin(host), { reason: 'address-refused', detail: /the gateway itself listens/ }, host)
  t.match(await pin('other.example.com'), { addresses: ['10.0.0.1'] }, 'another host at the same port')
})

void t.test('DNS rebinding: what is pinned stays, and the next look is checked again', async (t) => {
  let answer = ['93.184.216.34']
  const { pin, clock, server } = await serve(t, () => answer)
  const first = await pin('rebind.example.com')
  t.match(first, { addresses: ['93.184.216.34'] })
  answer = ['127.0.0.1']
  const asked = server.asked.length
  t.match(
    await pin('rebind.example.com'),
    { addresses: ['93.184.216.34'] },
    'a moment later it is the same answer',
  )
  t.equal(server.asked.length, asked, 'nobody was asked')
  clock.now += 60_000
  t.match(await pin('rebind.example.com'), { reason: 'address-refused' })
  t.match(first, { addresses: ['93.184.216.34'] }, 'and what was pinned before did not change')
  answer = ['1.1.1.1']
  clock.now += 60_000
  t.match(await pin('rebind.example.com'), { addresses: ['1.1.1.1'] })
})

void t.test('the address that a denial names is the one that was refused', async (t) => {
  const { pin } = await serve(t, () => ['93.184.216.34', '1.1.1.1', '10.0.0.8', '169.254.169.254'])
  t.match(await pin('third.example.com'), { detail: 'the address 10.0.0.8 is private' })
  t.match(await pin('third.example.com', true), { detail: /^the address 169\.254\.169\.254 is / })
})

void t.test('an answer that alternates between two calls is refused whenever it is bad', async (t) => {
  let turn = 0
  const { pin, clock } = await serve(t, (_name, type) => {
    if (type !== Packet.TYPE.A) return []
    turn += 1
    return [turn % 2 === 1 ? '1.1.1.1' : '127.0.0.1']
  })
  for (let i = 0; i < 6; i += 1) {
    const result = await pin('flip.example.com')
    if (i % 2 === 0) t.match(result, { addresses: ['1.1.1.1'] })
    else t.match(result, { reason: 'address-refused' })
    clock.now += 60_000
  }
})

void t.test('no address, no answer', async (t) => {
  let answer: readonly string[] | null = []
  const { pin } = await serve(t, () => answer)
  t.match(await pin('empty.example.com'), { reason: 'unresolvable', rule: 'allow[0]', detail: 'ENODATA' })
  answer = ['1.1.1.1']
  t.match(await pin('empty.example.com'), { addresses: ['1.1.1.1'] }, 'a failure is not kept')
})

void t.test('a name server that is silent is given up', async (t) => {
  const { pin } = await serve(t, () => null)
  t.match(await pin('silent.example.com'), { reason: 'unresolvable', detail: /^E/ })
})

void t.test('a fixed address is checked like any other, and may name a port', async (t) => {
  const hosts = {
    'a.example.com': { address: '127.0.0.1', port: 8443 },
    'b.example.com': { address: '1.1.1.1', port: null },
  }
  const resolver = new UpstreamResolver(names({ hosts }), 900, () => 0)
  const pin = (host: string, allowPrivate: boolean) =>
    resolveUpstream(contextWith(), directWays(resolver), connection, origin(host), to(allowPrivate))
  t.match(await pin('a.example.com', true), { addresses: ['127.0.0.1'], port: 8443 })
  t.match(await pin('a.example.com', false), {
    reason: 'address-refused',
    detail: /^the address \S+ is private$/,
  })
  t.match(await pin('b.example.com', false), { addresses: ['1.1.1.1'], port: 443 })
})

void t.test('many who ask at once are one question; names do not fill the memory', async (t) => {
  const { resolver, server } = await serve(t, () => ['1.1.1.1'])
  await Promise.all(Array.from({ length: 50 }, () => resolver.resolve('many.example.com', false)))
  t.equal(server.asked.length, 2, 'A and AAAA')
  for (let i = 0; i < 4_200; i += 100)
    await Promise.all(Array.from({ length: 100 }, (_, j) => resolver.resolve(`h${i + j}.example.com`, false)))
  const before = server.asked.length
  await resolver.resolve('h4199.example.com', false)
  t.equal(server.asked.length, before, 'the last is known')
  await resolver.resolve('many.example.com', false)
  t.equal(server.asked.length, before + 2, 'the first is not any more')
})

void t.test('under a wildcard the sandbox chooses the first look-up of a name, and no other', async (t) => {
  let broken = false
  const { resolver, server, clock } = await serve(t, () => (broken ? [] : ['1.1.1.1']))
  const pin = () =>
    resolveUpstream(
      contextWith(),
      directWays(resolver),
      connection,
      origin('a.example.com'),
      to(false, '*.example.com'),
    )
  /** The seconds at which the name server is asked, when the name is used in some seconds of this time. */
  const askedIn = async (from: number, to: number, isUsed: (second: number) => boolean) => {
    const asked: number[] = []
    for (let second = from; second < to; second += 10) {
      clock.now = second * 1_000
      const before = server.asked.length
      if (isUsed(second)) await pin()
      resolver.refresh()
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (server.asked.length > before) asked.push(second)
    }
    return asked
  }
  t.strictSame(await askedIn(0, 600, () => true), [0])
  t.strictSame(await askedIn(600, 3_700, () => false), [3_600], 'used or not')
  broken = true
  t.strictSame(
    await askedIn(7_150, 8_000, (second) => second % 70 === 0),
    [7_200, 7_210, 7_230, 7_270, 7_350, 7_510, 7_830],
  )
  t.match(await pin(), { addresses: ['1.1.1.1'] }, 'what was found before is used meanwhile')
  clock.now = 86_400_000
  t.equal(resolver.isCached('a.example.com'), false, 'after a day it is a new name, and charged as one')
  resolver.retire()
})

void t.test('the first look-up of a name under a wildcard is at a full second', async (t) => {
  const { resolver, server, clock } = await serve(t, () => ['1.1.1.1'])
  clock.now = 4_600
  const resolution = resolver.resolve('a.example.com', true)
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.strictSame(server.asked, [])
  await resolution
  t.not(server.asked.length, 0)
  clock.now = 4_600
  await resolver.resolve('b.example.com', false)
  t.ok(
    server.asked.some((name) => name.startsWith('b.')),
    'a name that the policy lists is looked up at once',
  )
  resolver.retire()
})

void t.test('a name under a wildcard does not leave before it is in the log', async (t) => {
  const { server, resolver } = await serve(t, () => ['192.0.2.1'])
  let full = true
  let records = 0
  const context = contextWith(() => {
    records += 1
    return full ? Promise.reject(new Error('no space left on device')) : Promise.resolve()
  })
  const pin = (host: string) =>
    resolveUpstream(context, directWays(resolver), connection, origin(host), to(false, '*.example.com'))
  t.match(await pin('data.example.com'), { reason: 'audit-unavailable' })
  t.same(server.asked, [])
  full = false
  await pin('data.example.com')
  await pin('data.example.com')
  t.not(server.asked.length, 0, 'the control is asked for')
  t.equal(records, 2, 'what is held is not looked up again')
})
