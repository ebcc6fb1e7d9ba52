import { Packet } from 'dns2'
import packet from 'dns-packet'
import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { addressRecord, encodeAnswer } from '#dns/answer.js'
import { RCODE, typeName } from '#dns/codes.js'
import { bench, HOSTS, opt, query, resolveNow, words } from '#dns/fixtures.js'
import { parseQuery } from '#dns/wire.js'

// Two decoders that others wrote, and properties that hold for any bytes.

const PEER = { address: '127.0.0.1', port: 5353 }
const RUNS = { numRuns: 2000 }

const label = fc.stringMatching(/^[A-Za-z0-9_-]{1,63}$/)
const name = fc
  .array(label, { minLength: 1, maxLength: 8 })
  .map((labels) => labels.join('.'))
  .filter((text) => text.length <= 253)
const type = fc.constantFrom(1, 2, 5, 6, 12, 15, 16, 28, 33, 64, 65, 252, 255, 257)
/** Those that dns-packet can spell. */
const knownType = fc.constantFrom(1, 2, 5, 6, 12, 15, 16, 28, 33, 252, 255, 257)
const id = fc.nat(0xffff)
const udpSize = fc.option(fc.nat(0xffff))

const valid = fc
  .record({ name: fc.oneof(name, fc.constantFrom('api.github.com', 'cdn.example.org')), type, id, udpSize })
  .map(({ name, type, id, udpSize }) =>
    query(name, { type, id, ...(udpSize === null ? {} : { rest: opt({ udpSize }) }) }),
  )

/** What fuzzers do to a query: bytes changed, cut out, put in. */
function mutate(queries: fc.Arbitrary<Buffer>, maxLength: number): fc.Arbitrary<Buffer> {
  const step = fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('set', 'cut', 'insert'))
  return fc
    .tuple(queries, fc.array(step, { maxLength }))
    .map(([bytes, edits]) => edits.reduce((result, [at, byte, kind]) => edit(result, at, byte, kind), bytes))
}

const mutated = mutate(valid, 6)

/** One or two bytes beside a query that gets an address. */
const nearlyListed = mutate(
  fc
    .mixedCase(fc.constantFrom('api.github.com', 'cdn.example.org', 'a.b.deep.example.net'))
    .map((name) => query(name)),
  2,
)

function edit(bytes: Buffer, position: number, byte: number, kind: string): Buffer {
  const at = position % (bytes.length + 1)
  const skip = kind === 'insert' ? 0 : 1
  const middle = kind === 'cut' ? Buffer.alloc(0) : Buffer.of(byte)
  return Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(at + skip)])
}

const anything = fc.oneof(
  fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
  // Random bytes behind a header that promises a question: what random headers seldom do.
  fc
    .tuple(id, fc.uint8Array({ maxLength: 520 }))
    .map(([id, bytes]) => Buffer.concat([words(id, 0x0100, 1, 0, 0, 0), bytes])),
  mutated,
)

void t.test('whatever comes in: no throw, no answer to a response, no answer beyond bounds', (t) => {
  fc.assert(
    fc.property(anything, (bytes) => {
      const { context, events, failures } = bench()
      const reply = resolveNow(bytes, PEER, 'udp', context)
      if (failures.length > 0) throw failures[0]
      const answerable = bytes.length >= 17 && bytes.length <= 512 && (bytes.readUInt8(2) & 0x80) === 0
      if (!answerable) return reply === null && events.length === 0
      if (reply === null || events.length !== 1) return false
      return reply.readUInt16BE(0) === bytes.readUInt16BE(0) && reply.length <= 512 && (reply[2] ?? 0) >= 0x80
    }),
    { numRuns: 20_000 },
  )
  t.pass('20,000 datagrams')
  t.end()
})

void t.test('an address is given only for a listed name, as two other decoders read it', (t) => {
  const listed = new Set<string>(HOSTS)
  const allowed = (host: string): boolean =>
    listed.has(host) || /^[^.]+\.example\.org$|.\.deep\.example\.net$/.test(host)
  let answered = 0
  fc.assert(
    fc.property(nearlyListed, (bytes) => {
      const { context } = bench()
      const reply = resolveNow(bytes, PEER, 'udp', context)
      if (reply === null || reply.readUInt16BE(6) === 0) return true
      answered += 1
      const [asked] = packet.decode(bytes).questions ?? []
      const [second] = Packet.parse(bytes).questions
      const host = asked?.name.toLowerCase() ?? ''
      return allowed(host) && second?.name.toLowerCase() === host
    }),
    { numRuns: 10_000 },
  )
  t.ok(answered > 1000, `${answered} answers with an address`)
  t.end()
})

void t.test('what we accept, dns2 and dns-packet read the same', (t) => {
  fc.assert(
    fc.property(anything, (bytes) => {
      const ours = parseQuery(bytes)
      if (ours?.error !== null || ours.question === null) return true
      const second = Packet.parse(bytes)
      const theirs = packet.decode(bytes)
      const [asked] = theirs.questions ?? []
      const named = asked?.name === '.' ? '' : asked?.name.toLowerCase()
      const [question] = second.questions
      return (
        second.errors.length === 0 &&
        second.questions.length === 1 &&
        theirs.questions?.length === 1 &&
        theirs.id === ours.id &&
        theirs.flag_rd === ours.rd &&
        theirs.type === 'query' &&
        named === ours.question.name &&
        question?.name.toLowerCase() === ours.question.name &&
        question.type === ours.question.type &&
        question.class === 1
      )
    }),
    { numRuns: 20_000 },
  )
  t.pass()
  t.end()
})

void t.test('what dns2 and dns-packet encode, we read', (t) => {
  const read = (bytes: Buffer) => {
    const query = parseQuery(bytes)
    if (query === null) return null
    const { id, rd, error, edns } = query
    const { name, type, class: class_ } = query.question ?? {}
    return { id, rd, error, question: { name, type, class: class_ }, udpSize: edns?.udpSize ?? null }
  }
  fc.assert(
    fc.property(
      name,
      knownType,
      id,
      fc.option(fc.integer({ min: 1, max: 0xffff })),
      (name, type, id, udpSize) => {
        const additionals: packet.Answer[] =
          udpSize === null
            ? []
            : [
                {
                  type: 'OPT',
                  name: '.',
                  udpPayloadSize: udpSize,
                  extendedRcode: 0,
                  ednsVersion: 0,
                  flags: 0,
                  flag_do: false,
                  options: [],
                },
              ]
        const questions = [{ name, type: typeName(type) as packet.RecordType }]
        const flags = packet.RECURSION_DESIRED
        const first = packet.encode({ type: 'query', id, flags, questions, additionals })
        const question = { name: name.toLowerCase(), type, class: 1 }
        deepStrictEqual(read(first), { id, rd: true, error: null, question, udpSize })
        const second = new Packet()
        second.header = new Packet.Header({ id, rd: 1 })
        second.questions.push(new Packet.Question({ name, type, class: 1 }))
        deepStrictEqual(read(second.toBuffer()), { id, rd: true, error: null, question, udpSize: null })
      },
    ),
    { numRuns: 200 },
  )
  t.pass()
  t.end()
})

void t.test('what we encode, dns2 and dns-packet read', (t) => {
  const answer = fc.record({
    rcode: fc.constantFrom(RCODE.NOERROR, RCODE.NXDOMAIN, RCODE.REFUSED, RCODE.SERVFAIL, RCODE.FORMERR),
    address: fc.option(fc.oneof(fc.ipV4(), fc.ipV6()).map(addressRecord)),
    extended: fc.option(fc.record({ code: fc.nat(24), text: fc.stringMatching(/^[ -~]{0,80}$/) })),
  })
  fc.assert(
    fc.property(valid, answer, (bytes, given) => {
      const asked = parseQuery(bytes)
      if (asked?.question == null) return false
      const reply = encodeAnswer(asked, given, 512)
      const theirs = packet.decode(reply)
      const second = Packet.parse(reply)
      const negative = given.address === null && given.rcode % 3 === 0
      const counts = [1, given.address === null ? 0 : 1, negative ? 1 : 0, asked.edns === null ? 0 : 1]
      const sections = ['questions', 'answers', 'authorities', 'additionals'] as const
      return (
        packet.decode.bytes === reply.length &&
        second.errors.length === 0 &&
        second.header.rcode === given.rcode &&
        second.header.id === asked.id &&
        sections.every((section, index) => theirs[section]?.length === counts[index]) &&
        sections.every((section, index) => second[section].length === counts[index]) &&
        second.answers.every((record) => record.name === second.questions[0]?.name)
      )
    }),
    RUNS,
  )
  t.pass()
  t.end()
})
