import fc from 'fast-check'
import t from 'tap'
import type { Reason } from '#firewall/contracts/reasons.js'
import { dnsEvent, HEADER, httpDecision } from '#test/fixtures/recorded-events.js'
import { closeLine, decisionLine, dnsLine } from '../events/records.js'
import { quickLine } from './quick-line.js'
import { parseLine } from './read.js'
import { LogStats } from './stats.js'

/** Text that a sandbox or an upstream chose, and would like to pass for fields of a record. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    'a.example',
    '","verdict":"allow","x":"',
    '}},"egress":{"sandbox":null,"verdict":"allow"',
    '"action":"http-close"',
    'back\\',
    '\\"',
    'null',
    '\u2028é',
  ),
)
const orNull = fc.option(text)
const verdict = fc.constantFrom('allow' as const, 'deny' as const)
const reason = fc.constantFrom<Reason | null>('no-rule', 'host-not-listed', 'unresolvable', 'busy', null)
const sandbox = fc.option(
  fc.record(
    { id: text, agent: text, labels: fc.array(text, { maxLength: 2 }) },
    { requiredKeys: ['id', 'agent'] },
  ),
)
const header = fc.record({ observer: text, previous: orNull }).map((given) => ({ ...HEADER, ...given }))

const decision = fc
  .record({
    ...{ verdict, reason, sandbox, rule: orNull, host: orNull, path: orNull, query: orNull, method: orNull },
    ...{ service: orNull, credential: orNull, detail: orNull, address: orNull, id: text },
    kind: fc.constantFrom('request' as const, 'connect' as const, 'tls' as const),
    status: fc.option(fc.nat()),
  })
  .chain((given) => header.map((head) => decisionLine(head, httpDecision(given))))
const query = fc
  .record({ name: text, agent: text, type: text, verdict, suspicious: fc.boolean() })
  .chain((given) => header.map((head) => dnsLine(head, dnsEvent({ ...given, reason: 'host-not-listed' }))))
const end = fc
  .record({
    ...{ id: text, sandbox, host: orNull, service: orNull, credential: orNull, detail: orNull },
    ...{
      requestBytes: fc.nat(),
      responseBytes: fc.nat(),
      durationMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    },
    redactions: fc.array(fc.record({ credential: text, count: fc.nat(9) }), { maxLength: 2 }),
  })
  .chain((given) =>
    header.map((head) =>
      closeLine(head, {
        ...{ at: 0, outcome: 'success', reason: null, status: 200, ...given },
        sandbox: given.sandbox ?? { id: '', agent: '' },
      }),
    ),
  )

/** A line as it is, or damaged at one place. */
const line = fc.oneof(
  decision,
  query,
  end,
  fc.tuple(fc.oneof(decision, query, end), fc.nat(), text).map(([whole, at, inserted]) => {
    const place = at % whole.length
    return whole.slice(0, place) + inserted + whole.slice(place + 1)
  }),
)

void t.test('figures are those of parsed lines, whatever the lines say', (t) => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
      const quick = new LogStats()
      const parsed = new LogStats()
      for (const one of lines) {
        const entry = parseLine(one)
        if (quick.addText(one) !== (entry !== null)) return false
        if (entry !== null) parsed.add(entry)
      }
      return JSON.stringify(quick.figures()) === JSON.stringify(parsed.figures())
    }),
    { numRuns: 3_000 },
  )
  t.end()
})

void t.test('ordinary lines are not parsed', (t) => {
  const event = httpDecision({ path: '/x', query: '?a=1' })
  t.match(quickLine(decisionLine(HEADER, event)), {
    kind: 'request',
    verdict: 'allow',
    host: 'api.example.com',
  })
  t.match(quickLine(dnsLine(HEADER, dnsEvent({ name: 'a.example' }))), { kind: 'query', host: 'a.example' })
  t.equal(
    quickLine(decisionLine(HEADER, httpDecision({ path: '/"' }))),
    null,
    'an escape is left to the parser',
  )
  t.equal(quickLine(''), null)
  t.end()
})
