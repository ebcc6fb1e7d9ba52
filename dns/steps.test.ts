import packet from 'dns-packet'
import t from 'tap'
import { addressesOf } from './answer.js'
import { EDE, RCODE } from './codes.js'
import type { DnsEvent } from './events.js'
import { bench, type BenchOverrides, opt, query, type QueryParts, resolveNow, SANDBOX } from './fixtures.js'
import type { ResolverContext } from './flow.js'
import type { Peer } from '#firewall/contracts/peer.js'
import { resolveQuery } from './resolver.js'
import { QUERY_STEPS } from './steps.js'

const PEER = { address: '127.0.0.1', port: 5353 }
const BASE32 = 'mzxw6ytboi4dsmrrgu3tqmbsgm2dkojvmzxw6ytboi4dsmrr'

function ask(
  name: string | readonly string[],
  parts: Partial<QueryParts> = {},
  overrides: BenchOverrides = {},
): { reply: Buffer | null; event: DnsEvent | undefined; events: DnsEvent[]; failures: unknown[] } {
  const { context, events, failures } = bench(overrides)
  const reply = resolveNow(query(name, parts), PEER, 'udp', context)
  return { reply, event: events[0], events, failures }
}

function decode(reply: Buffer | null): packet.DecodedPacket {
  if (reply === null) throw new Error('no reply')
  return packet.decode(reply)
}

/** The info code of the Extended DNS Error, or null. */
function extendedError(reply: Buffer | null): number | null {
  const [record] = decode(reply).additionals ?? []
  if (record?.type !== 'OPT') return null
  const option = record.options.find(({ code }) => (code as number) === 15)
  return option?.data?.readUInt16BE(0) ?? null
}

void t.test('the array is the documentation', (t) => {
  t.strictSame(
    QUERY_STEPS.map(({ name }) => name),
    [
      'identify the sandbox',
      'limit its query rate',
      'reject unknown clients',
      'one question, class IN, host-name bytes',
      'names that need no policy',
      'check the name: listed, features, budget',
      'wait for a turn',
      'record',
      'answer',
    ],
  )
  t.end()
})

void t.test('a listed name gets the address of the gateway', (t) => {
  const { reply, event } = ask('API.github.com')
  t.match(decode(reply), { rcode: 'NOERROR', answers: [{ type: 'A', data: '192.0.2.53' }] })
  t.strictSame(event, {
    time: 1_700_000_000_000,
    sandbox: SANDBOX,
    client: PEER,
    transport: 'udp',
    id: 0x1234,
    question: { name: 'api.github.com', type: 'A', class: 'IN' },
    verdict: 'allow',
    reason: null,
    rule: 'allow[0]',
    wildcard: null,
    features: { length: 14, entropy: event?.features?.entropy, signal: null },
    suspicious: false,
    rcode: 'NOERROR',
    answers: ['192.0.2.53'],
    budget: null,
  })
  t.end()
})

void t.test('types of a listed name', (t) => {
  for (const type of [2, 5, 6, 10, 12, 15, 16, 25, 28, 33, 64, 65, 251, 252, 257, 0, 65_535]) {
    const { reply, event } = ask('github.com', { type })
    t.match(
      decode(reply),
      { rcode: 'NOERROR', flag_aa: true, answers: [], authorities: [{ type: 'SOA', name: '.' }] },
      `type ${type} is empty`,
    )
    t.match(event, { verdict: 'allow', rcode: 'NOERROR', answers: [] })
  }
  t.match(decode(ask('github.com', { type: 255 }).reply).answers, [{ type: 'A' }], 'ANY (RFC 8482)')
  const addressOf = () => addressesOf('2001:db8::53')
  const six = decode(ask('github.com', { type: 28 }, { addressOf }).reply)
  t.match(six, { answers: [{ type: 'AAAA', data: '2001:db8::53' }], authorities: [] })
  t.end()
})

void t.test('an unlisted name does not exist', (t) => {
  for (const type of [1, 28, 16, 65, 255]) {
    const { reply, event } = ask('pastebin.com', { type, rest: opt() })
    t.match(decode(reply), { rcode: 'NXDOMAIN', authorities: [{ type: 'SOA' }], answers: [] })
    t.equal(extendedError(reply), EDE.BLOCKED)
    t.match(event, { verdict: 'deny', reason: 'host-not-listed', rule: null, suspicious: false })
  }
  t.end()
})

void t.test('names on the wire that no policy can list', (t) => {
  for (const name of [
    '127.0.0.1',
    '169.254.169.254',
    '1.2.3.0x7f',
    '-a.example.org',
    'a-.example.org',
    'x.0',
  ]) {
    const { reply, event } = ask(name)
    t.match(decode(reply), { rcode: 'NXDOMAIN' }, name)
    t.match(event, { reason: 'host-not-listed', features: { length: name.length } })
  }
  t.end()
})

void t.test('a name that looks like encoded data is denied', (t) => {
  const { reply, event } = ask(`${BASE32}.example.org`, { rest: opt() })
  t.match(decode(reply), { rcode: 'REFUSED', authorities: [] })
  t.equal(extendedError(reply), EDE.FILTERED)
  t.match(event, {
    reason: 'name-looks-encoded',
    rule: 'allow[2]',
    wildcard: '*.example.org',
    features: { length: 48, signal: 'label-length' },
    suspicious: true,
  })
  t.match(ask(`${BASE32}.evil.example`).event, { reason: 'host-not-listed', suspicious: true })
  t.equal(ask('cdn.example.org').event?.verdict, 'allow', 'the control is allowed')
  t.end()
})

void t.test('a wildcard has a budget', (t) => {
  const { context, events } = bench()
  const rcodes = Array.from({ length: 20 }, (_, index) =>
    decode(resolveNow(query(`h${index}.example.org`, { rest: opt() }), PEER, 'udp', context)),
  ).map((answer) => (answer as { rcode?: string }).rcode)
  t.strictSame(rcodes, [...Array<string>(16).fill('NOERROR'), ...Array<string>(4).fill('REFUSED')])
  t.match(events[0], { wildcard: '*.example.org', budget: { spent: false, namesLeft: 15 } })
  t.match(events[16], {
    reason: 'name-budget',
    wildcard: '*.example.org',
    budget: { spent: true, limit: 'names' },
    suspicious: false,
  })
  const again = resolveNow(query('H0.example.org', { type: 65 }), PEER, 'udp', context)
  t.match(decode(again), { rcode: 'NOERROR' }, 'a name is charged once, whatever its type and case')
  const refused = resolveNow(query('h99.example.org', { rest: opt() }), PEER, 'udp', context)
  t.equal(extendedError(refused), EDE.FILTERED)
  t.end()
})

void t.test('bytes that are invalid in a host name are denied, and marked suspicious', (t) => {
  const dotted = ask(['api.github', 'com'], { rest: opt() })
  t.match(decode(dotted.reply), { rcode: 'REFUSED', answers: [] }, 'although api.github.com is listed')
  t.equal(extendedError(dotted.reply), EDE.FILTERED)
  t.match(dotted.event, {
    question: { name: 'api\\046github.com' },
    reason: 'name-bytes',
    features: { length: 14, signal: 'bytes' },
    suspicious: true,
  })
  t.match(ask([`0eaba82-Y\xbe\xe5\xf6`, 'example', 'org']).event, { reason: 'name-bytes', suspicious: true })
  t.end()
})

void t.test('anything but one question of class IN', (t) => {
  const cases: [string, Buffer, string, string, number | null][] = [
    ['malformed', query('a', { counts: [2, 0, 0, 0] }), 'FORMERR', 'malformed-query', null],
    ['class CH', query('version.bind', { class: 3, rest: opt() }), 'REFUSED', 'class', EDE.NOT_SUPPORTED],
    ['NOTIFY', query('a', { flags: 4 << 11 }), 'NOTIMP', 'opcode', null],
    ['EDNS version 1', query('github.com', { rest: opt({ version: 1 }) }), 'NOERROR', 'edns-version', null],
  ]
  for (const [what, bytes, rcode, reason, extended] of cases) {
    const { context, events } = bench()
    const reply = resolveNow(bytes, PEER, 'udp', context)
    t.match(decode(reply), { rcode, answers: [], authorities: [] }, what)
    t.match(events, [{ verdict: 'deny', reason, answers: [] }])
    t.equal(extendedError(reply), extended)
  }
  for (const hidden of [{ class: 3 }, { rest: opt({ version: 1 }) }, { counts: [1, 1, 0, 0] as const }]) {
    t.match(ask(['raw\xff', 'example', 'org'], hidden).event, { verdict: 'deny', suspicious: true })
  }
  const badvers = decode(ask('github.com', { rest: opt({ version: 1 }) }).reply)
  t.match(badvers.additionals, [{ type: 'OPT', extendedRcode: 1 }], 'NOERROR and 1 << 4 are BADVERS')
  t.equal(ask('github.com', { rest: opt({ version: 1 }) }).event?.rcode, 'BADVERS')
  t.equal(ask('', { counts: [0, 0, 0, 0] }).event?.question, null)
  t.end()
})

void t.test('a response leaves neither answer nor record', (t) => {
  const { reply, events } = ask('github.com', { flags: 0x8180 })
  t.equal(reply, null)
  t.strictSame(events, [])
  t.end()
})

void t.test('names that need no policy', (t) => {
  const data = (name: string, type: number): unknown => decode(ask(name, { type }).reply).answers
  t.match(data('localhost', 1), [{ data: '127.0.0.1' }])
  t.match(data('db.LOCALHOST', 28), [{ data: '::1' }])
  t.strictSame(data('localhost', 16), [])
  t.match(ask('localhost').event, { verdict: 'allow', rule: 'RFC 6761 section 6.3' })
  t.match(decode(ask('', { type: 2 }).reply), {
    rcode: 'NOERROR',
    answers: [],
    authorities: [{ type: 'SOA' }],
  })
  const nibbles = '8.b.d.0.1.0.0.2.'.repeat(4)
  for (const name of ['53.2.0.192.in-addr.arpa', `${nibbles}ip6.arpa`]) {
    const { reply, event } = ask(name, { type: 12 })
    t.match(decode(reply), { rcode: 'NXDOMAIN' })
    t.match(event, { verdict: 'deny', reason: 'reverse-name', suspicious: false })
  }
  const hidden = ask(`${BASE32}.${BASE32}.in-addr.arpa`, { type: 12 })
  t.match(hidden.event, { reason: 'host-not-listed', suspicious: true }, 'but not data in front of it')
  t.match(ask('localhost.evil.example').event, { reason: 'host-not-listed' })
  t.end()
})

void t.test('unknown clients are refused', (t) => {
  const { reply, event } = ask('api.github.com', { rest: opt() }, { identify: () => null })
  t.match(decode(reply), { rcode: 'REFUSED', answers: [] })
  t.equal(extendedError(reply), EDE.PROHIBITED)
  t.match(event, { sandbox: null, reason: 'unknown-sandbox', features: null })
  t.end()
})

void t.test(
  'over its rate a sandbox gets its answers later, and then denials; every one is recorded',
  async (t) => {
    const { context, events } = bench({ now: () => 0, rate: { perSecond: 20, burst: 2 } })
    const send = (sandbox = PEER): Promise<Buffer | null> =>
      new Promise((resolve) =>
        resolveQuery(query('github.com', { rest: opt() }), sandbox, 'udp', context, resolve),
      )
    const replies = await Promise.all(Array.from({ length: 100 }, () => send()))
    const rcodes = replies.map((reply) => (reply?.[3] ?? 0) & 15)
    t.strictSame(
      [
        rcodes.filter((rcode) => rcode === RCODE.NOERROR).length,
        rcodes.filter((rcode) => rcode === RCODE.REFUSED).length,
      ],
      [22, 78],
    )
    t.equal(extendedError(replies.at(-1) ?? null), EDE.PROHIBITED)
    t.equal(events.filter(({ verdict }) => verdict === 'allow').length, 22)
    t.equal(events.filter(({ reason }) => reason === 'rate-limited').length, 78)
    t.end()
  },
)

void t.test('a flood of one sandbox costs another nothing of its rate', (t) => {
  const identify = ({ address }: Peer) => ({ id: `sb-${address}`, agent: 'default' })
  const { context } = bench({ now: () => 0, rate: { perSecond: 1, burst: 2 }, identify })
  const send = (address: string): Buffer | null =>
    resolveNow(query('github.com'), { address, port: 53 }, 'udp', context)
  for (let i = 0; i < 50; i += 1) resolveQuery(query('github.com'), PEER, 'udp', context, () => undefined)
  t.match(decode(send(PEER.address)), { rcode: 'REFUSED' })
  t.match(decode(send('10.9.9.9')), { rcode: 'NOERROR' })
  t.end()
})

void t.test('no record, no answer', (t) => {
  const full = new Error('ENOSPC')
  const record: ResolverContext['record'] = (_event, done) => done(full)
  for (const name of ['api.github.com', 'pastebin.com', 'localhost', 'x\xff.com']) {
    const { reply, failures } = ask(name, { rest: opt() }, { record })
    t.match(decode(reply), { rcode: 'SERVFAIL', answers: [], authorities: [] }, name)
    t.equal(extendedError(reply), EDE.NOT_READY)
    t.strictSame(failures, [full])
  }
  t.end()
})

void t.test('a bug is reported, recorded and answered with SERVFAIL', (t) => {
  const bug = new Error('bug')
  const identify = (): never => {
    throw bug
  }
  const { reply, event, failures } = ask('api.github.com', { rest: opt() }, { identify })
  t.match(decode(reply), { rcode: 'SERVFAIL', answers: [] })
  t.equal(extendedError(reply), EDE.OTHER)
  t.match(event, { reason: 'internal', rcode: 'SERVFAIL' })
  t.strictSame(failures, [bug])
  const broken = { text: '::', bytes: null as unknown as Buffer }
  const addressOf = () => ({ ipv4: null, ipv6: broken })
  const late = ask('api.github.com', { type: 28 }, { addressOf })
  t.match(decode(late.reply), { rcode: 'SERVFAIL' }, 'in the encoder too')
  t.equal(late.events.length, 2)
  t.end()
})

void t.test('a name in dns.hosts gets its own address, whatever the rest of the policy says', (t) => {
  const hosts = new Map([
    ['db.internal.example', addressesOf('10.0.0.5')],
    ['six.internal.example', addressesOf('fd00::5')],
  ])
  const four = ask('DB.internal.example', {}, { hosts })
  t.match(decode(four.reply).answers, [{ type: 'A', data: '10.0.0.5' }])
  t.match(four.event, { verdict: 'allow', rule: 'dns.hosts', answers: ['10.0.0.5'] })
  t.match(decode(ask('db.internal.example', { type: 28 }, { hosts }).reply), {
    rcode: 'NOERROR',
    answers: [],
  })
  t.match(decode(ask('six.internal.example', { type: 28 }, { hosts }).reply).answers, [{ data: 'fd00::5' }])
  t.match(decode(ask('six.internal.example', {}, { hosts }).reply), { rcode: 'NOERROR', answers: [] })
  t.match(decode(ask('x.db.internal.example', {}, { hosts }).reply), { rcode: 'NXDOMAIN' })
  for (const name of ['constructor', '__proto__', 'toString'])
    t.match(decode(ask(name, {}, { hosts }).reply), { rcode: 'NXDOMAIN' }, name)
  t.end()
})

void t.test('the address plan is called for each sandbox and name', (t) => {
  const asked: string[] = []
  const addressOf: ResolverContext['addressOf'] = ({ id }, name) => {
    asked.push(`${id} ${name}`)
    return addressesOf('192.0.2.7')
  }
  t.match(decode(ask('API.github.com', {}, { addressOf }).reply).answers, [{ data: '192.0.2.7' }])
  t.strictSame(asked, ['sandbox-1 api.github.com'])
  t.end()
})
