import packet from 'dns-packet'
import t from 'tap'
import { addressRecord, answerLimit, ANSWER_TTL, encodeAnswer, NEGATIVE_TTL, OUR_UDP_SIZE } from './answer.js'
import { EDE, RCODE } from './codes.js'
import { opt, query } from './fixtures.js'
import { type DnsQuery, parseQuery } from './wire.js'

const BLOCKED = { code: EDE.BLOCKED, text: 'No.' }

function parsed(bytes: Buffer): DnsQuery {
  const message = parseQuery(bytes)
  if (message === null) throw new Error('not a query')
  return message
}

function encode(
  bytes: Buffer,
  rcode: number,
  address: string | null = null,
  extended: typeof BLOCKED | null = null,
): Buffer {
  const record = address === null ? null : addressRecord(address)
  return encodeAnswer(parsed(bytes), { rcode, address: record, extended }, 512)
}

void t.test('an address, with the question as the client spelled it', (t) => {
  const answer = packet.decode(encode(query('API.gitHub.com'), RCODE.NOERROR, '192.0.2.53'))
  t.match(answer, {
    id: 0x1234,
    rcode: 'NOERROR',
    flag_qr: true,
    flag_aa: true,
    flag_ra: true,
    flag_rd: true,
    flag_tc: false,
    flag_ad: false,
    questions: [{ name: 'API.gitHub.com', type: 'A' }],
    answers: [{ name: 'API.gitHub.com', type: 'A', ttl: ANSWER_TTL, data: '192.0.2.53' }],
    authorities: [],
    additionals: [],
  })
  t.end()
})

void t.test('IPv6 addresses, mapped ones included', (t) => {
  const spelled = {
    '2001:db8::53': '20010db8000000000000000000000053',
    'fd00::1': 'fd000000000000000000000000000001',
    '::ffff:192.0.2.53': '00000000000000000000ffffc0000235',
  }
  for (const [address, hex] of Object.entries(spelled)) {
    const bytes = encode(query('a', { type: 28 }), RCODE.NOERROR, address)
    t.match(packet.decode(bytes).answers, [{ name: 'a', type: 'AAAA' }])
    t.equal(bytes.subarray(-16).toString('hex'), hex, address)
  }
  t.end()
})

void t.test('text that is not an address becomes no record', (t) => {
  for (const text of ['', 'localhost', '127.1', '1.2.3.4.5', '::g', 'fe80::1%'])
    t.throws(() => addressRecord(text), TypeError, text)
  t.end()
})

void t.test('a negative answer has the SOA that makes it cacheable (RFC 2308)', (t) => {
  for (const rcode of [RCODE.NOERROR, RCODE.NXDOMAIN]) {
    t.match(packet.decode(encode(query('a.b'), rcode)), {
      flag_aa: true,
      answers: [],
      authorities: [{ name: '.', type: 'SOA', ttl: NEGATIVE_TTL, data: { minimum: NEGATIVE_TTL } }],
    })
  }
  t.end()
})

void t.test('a REFUSED answer is empty and not authoritative', (t) => {
  for (const rcode of [RCODE.REFUSED, RCODE.FORMERR, RCODE.SERVFAIL, RCODE.NOTIMP]) {
    const bytes = encode(query('a.b'), rcode)
    t.equal(bytes.length, query('a.b').length, 'as long as the query')
    t.match(packet.decode(bytes), { flag_aa: false, answers: [], authorities: [], additionals: [] })
  }
  t.end()
})

void t.test('OPT only for clients that sent one', (t) => {
  const plain = packet.decode(encode(query('a'), RCODE.NXDOMAIN, null, BLOCKED))
  t.strictSame(plain.additionals, [])
  const answer = packet.decode(
    encode(query('a', { rest: opt({ udpSize: 65_535 }) }), RCODE.NXDOMAIN, null, BLOCKED),
  )
  const text = Buffer.concat([Buffer.of(0, EDE.BLOCKED), Buffer.from('No.')])
  t.match(answer.additionals, [
    {
      type: 'OPT',
      udpPayloadSize: OUR_UDP_SIZE,
      extendedRcode: 0,
      ednsVersion: 0,
      flag_do: false,
      options: [{ code: 15, data: text }],
    },
  ])
  t.end()
})

void t.test('BADVERS needs both halves of the rcode (RFC 6891 section 6.1.3)', (t) => {
  const answer = packet.decode(encode(query('a', { rest: opt({ version: 1 }) }), RCODE.BADVERS))
  t.match(answer, { rcode: 'NOERROR', additionals: [{ extendedRcode: 1, ednsVersion: 0 }] })
  t.end()
})

void t.test('an unread question is not echoed, an opcode is', (t) => {
  const bytes = encode(query('a', { flags: 4 << 11 }), RCODE.NOTIMP)
  t.equal(bytes.length, 12)
  t.match(packet.decode(bytes), { opcode: 'NOTIFY', rcode: 'NOTIMP', flag_rd: false, questions: [] })
  t.end()
})

void t.test('the size that the client accepts', (t) => {
  const limit = (udpSize: number): number =>
    answerLimit(parsed(query('a', { rest: opt({ udpSize }) })), 'udp')
  t.equal(answerLimit(parsed(query('a')), 'udp'), 512)
  t.equal(limit(0), 512, 'RFC 6891 section 6.2.3')
  t.equal(limit(1000), 1000)
  t.equal(limit(65_535), OUR_UDP_SIZE, 'never what fragments')
  t.equal(answerLimit(parsed(query('a')), 'tcp'), 65_535)
  t.end()
})

void t.test('an answer that is too long becomes TC, without a partial answer', (t) => {
  const message = parsed(query('a', { rest: opt() }))
  const bytes = encodeAnswer(message, { rcode: RCODE.NXDOMAIN, address: null, extended: BLOCKED }, 40)
  t.ok(bytes.length <= 40)
  t.match(packet.decode(bytes), {
    flag_tc: true,
    answers: [],
    authorities: [],
    additionals: [{ type: 'OPT', options: [] }],
  })
  t.end()
})
