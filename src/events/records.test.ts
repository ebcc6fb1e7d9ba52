import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import t from 'tap'
import type { SecretRotationEvent } from '#config/secrets/secret-refresher.js'
import { replyTo, type DnsReason } from '#dns/replies.js'
import type { DnsEvent } from '#dns/events.js'
import { REASONS, type Reason } from '#firewall/contracts/reasons.js'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'
import type {
  ApprovalEvent,
  CheckpointEvent,
  GatewayEvent,
  OperatorEvent,
  PolicyEvent,
  ProcessEvent,
  ReopenedEvent,
  RepeatEvent,
  SandboxEvent,
} from './events.js'
import { OPERATOR_ACTIONS } from './events.js'
import { readRecord } from './read-record.js'
import * as records from './records.js'

type Json = { readonly [key: string]: Json } & { readonly description?: string }
const schema = JSON.parse(readFileSync('docs/audit.schema.json', 'utf8')) as Json
const validate = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: true }).compile(schema)

const REASON_NAMES = Object.keys(REASONS) as Reason[]
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', 'a.example', '\x1b[31m', '"}\n{'),
)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null })
const count = fc.nat({ max: 1e9 })
const at = fc.integer({ min: 0, max: 4e12 })
const sandbox = fc.record({
  id: text,
  agent: text,
  labels: fc.array(fc.constantFrom('task=123', 'team=a "b"'), { maxLength: 2 }),
})
const peer = fc.record({ address: text, port: fc.nat(65_535) })
const time = at.map((at) => new Date(at).toISOString())
const digest = fc.string({ unit: fc.constantFrom('0', '9', 'a', 'f'), minLength: 64, maxLength: 64 })
const header = fc.record({ time, sequence: count, observer: text, previous: maybe(digest) })
const verdict = fc.constantFrom('allow', 'deny')

const DNS_REASONS: readonly DnsReason[] = [
  ...REASON_NAMES,
  'malformed-query',
  'opcode',
  'class',
  'name-bytes',
  'edns-version',
  'reverse-name',
]
const dnsEvents: fc.Arbitrary<DnsEvent> = fc.record({
  time: at,
  sandbox: maybe(sandbox),
  client: peer,
  transport: fc.constantFrom('udp', 'tcp'),
  id: fc.nat(65_535),
  question: maybe(fc.record({ name: text, type: text, class: text })),
  verdict,
  reason: maybe(fc.constantFrom(...DNS_REASONS)),
  rule: maybe(text),
  wildcard: maybe(text),
  features: maybe(
    fc.record({
      length: count,
      entropy: fc.double({ min: 0, max: 8, noNaN: true }),
      signal: fc.constantFrom('bytes', 'length', 'label-length', 'entropy', null),
    }),
  ),
  suspicious: fc.boolean(),
  rcode: maybe(text),
  answers: fc.array(text),
  budget: maybe(
    fc.oneof(
      fc.record({ spent: fc.constant(false as const), namesLeft: count, bytesLeft: count }),
      fc.record({
        spent: fc.constant(true as const),
        limit: fc.constantFrom('names', 'bytes', 'bytes-per-day'),
        retryMs: count,
      }),
    ),
  ),
})

const decisions: fc.Arbitrary<HttpDecision> = fc.record({
  at,
  id: fc.uuid(),
  sandbox: maybe(sandbox),
  peer,
  listener: fc.constantFrom('transparent', 'forward', 'reverse'),
  kind: fc.constantFrom('request', 'upgrade', 'connect', 'tls', 'tunnel', 'lookup', 'token'),
  method: maybe(text),
  scheme: maybe(fc.constantFrom('http', 'https')),
  host: maybe(text),
  port: maybe(fc.nat(65_535)),
  path: maybe(text),
  query: maybe(text.map((rest) => `?${rest}`)),
  verdict,
  reason: maybe(fc.constantFrom(...REASON_NAMES)),
  detail: maybe(text),
  rule: maybe(text),
  status: maybe(fc.integer({ min: 400, max: 599 })),
  service: maybe(text),
  credential: maybe(text),
  address: maybe(text),
})

const closes: fc.Arbitrary<HttpClose> = fc.record({
  at,
  id: fc.uuid(),
  sandbox,
  host: maybe(text),
  service: maybe(text),
  credential: maybe(text),
  outcome: fc.constantFrom('success', 'failure'),
  reason: maybe(fc.constantFrom(...REASON_NAMES, 'client-abort', 'upstream-abort')),
  detail: maybe(text),
  status: maybe(fc.integer({ min: 100, max: 599 })),
  requestBytes: count,
  responseBytes: count,
  durationMs: count,
  redactions: fc.array(fc.record({ credential: text, count: fc.integer({ min: 1, max: 1e9 }) }), {
    maxLength: 3,
  }),
})

const sandboxEvents: fc.Arbitrary<SandboxEvent> = fc.record({
  at,
  sandbox,
  action: fc.constantFrom('sandbox-start', 'sandbox-end'),
  command: text,
  exitCode: maybe(fc.nat(255)),
  start: fc.record({
    user: text,
    image: maybe(text),
    directory: text,
    commandLine: text,
    policyHash: maybe(digest),
  }),
})
const processes: fc.Arbitrary<ProcessEvent> = fc.record({
  at,
  action: fc.constantFrom('gateway-start', 'gateway-stop'),
  version: text,
  policyHash: maybe(digest),
})

const parsed = (line: string) => JSON.parse(line) as records.AuditRecord
const dnsRecord = (head: records.Header, event: DnsEvent) => parsed(records.dnsLine(head, event))
const decisionRecord = (head: records.Header, event: HttpDecision) =>
  parsed(records.decisionLine(head, event))
const closeRecord = (head: records.Header, event: HttpClose) => parsed(records.closeLine(head, event))
const rotations: fc.Arbitrary<SecretRotationEvent> = fc.record({
  at,
  secret: text,
  source: fc.constantFrom('file', 'command', 'vault', 'aws_secret'),
  problem: maybe(text),
  fix: maybe(text),
})

const hash = maybe(digest)
const policies: fc.Arbitrary<PolicyEvent> = fc.record({
  at,
  action: fc.constantFrom('policy-loaded', 'policy-rejected'),
  hash,
  previousHash: hash,
  problem: maybe(text),
})
const gaps = fc.record({ at, lost: fc.integer({ min: 1, max: 1e9 }) })

const operators: fc.Arbitrary<OperatorEvent> = fc.record({
  at,
  action: fc.constantFrom(...OPERATOR_ACTIONS),
  sandbox: maybe(sandbox),
  agent: maybe(text),
  access: fc.constantFrom('socket', 'token', 'file'),
})

const repeats: fc.Arbitrary<RepeatEvent> = fc.record({
  at,
  sandbox: maybe(sandbox),
  action: fc.constantFrom('dns-query', 'http-request', 'http-tls', 'several'),
  verdict: fc.constant('deny'),
  reason: maybe(fc.constantFrom(...DNS_REASONS)),
  rule: maybe(text),
  host: maybe(text),
  method: maybe(text),
  count: fc.integer({ min: 1, max: 1e9 }),
  first: at,
  last: at,
})
const checkpoints: fc.Arbitrary<CheckpointEvent> = fc.record({
  at,
  role: fc.constantFrom('dns', 'http', 'sandbox'),
  cause: fc.constantFrom('start', 'interval', 'rotation', 'end'),
  torn: maybe(digest),
  key: text,
  others: fc.array(
    fc.record({ role: fc.constantFrom('dns', 'http', 'sandbox'), sequence: count, hash: digest }),
    { maxLength: 2 },
  ),
  signature: text,
})
const approvals: fc.Arbitrary<ApprovalEvent> = fc.record({
  at,
  action: fc.constantFrom('approval-requested', 'approval-granted', 'approval-denied', 'approval-expired'),
  id: text,
  request: fc.uuid(),
  sandbox,
  method: text,
  scheme: fc.constantFrom('http', 'https'),
  host: text,
  port: fc.nat(65_535),
  path: text,
  query: maybe(text.map((rest) => `?${rest}`)),
  body: fc.record({ bytes: count, sha256: digest }),
  digest,
  rule: text,
  service: maybe(text),
  credential: maybe(text),
  expires: at,
  scope: fc.constantFrom('once', 'repeated', null),
  by: maybe(fc.record({ via: fc.constantFrom('socket', 'token'), name: maybe(text), uid: maybe(count) })),
  reason: fc.constantFrom('timed-out', 'unused', 'policy-changed', 'sandbox-ended', null),
})
const reopenings: fc.Arbitrary<ReopenedEvent> = fc.record({ at, problem: text })

const KINDS: Readonly<
  Record<Exclude<keyof typeof records, 'recordLine'>, fc.Arbitrary<records.AuditRecord>>
> = {
  dnsLine: fc.tuple(header, dnsEvents).map(([head, event]) => dnsRecord(head, event)),
  decisionLine: fc.tuple(header, decisions).map(([head, event]) => decisionRecord(head, event)),
  closeLine: fc.tuple(header, closes).map(([head, event]) => closeRecord(head, event)),
  sandboxRecord: fc.tuple(header, sandboxEvents).map(([head, event]) => records.sandboxRecord(head, event)),
  processRecord: fc.tuple(header, processes).map(([head, event]) => records.processRecord(head, event)),
  rotationRecord: fc.tuple(header, rotations).map(([head, event]) => records.rotationRecord(head, event)),
  policyRecord: fc.tuple(header, policies).map(([head, event]) => records.policyRecord(head, event)),
  operatorRecord: fc.tuple(header, operators).map(([head, event]) => records.operatorRecord(head, event)),
  approvalRecord: fc.tuple(header, approvals).map(([head, event]) => records.approvalRecord(head, event)),
  repeatRecord: fc.tuple(header, repeats).map(([head, event]) => records.repeatRecord(head, event)),
  reopenedRecord: fc.tuple(header, reopenings).map(([head, event]) => records.reopenedRecord(head, event)),
  checkpointRecord: fc
    .tuple(header, checkpoints)
    .map(([head, event]) => records.checkpointRecord(head, event)),
  gapRecord: fc.tuple(header, gaps).map(([head, event]) => records.gapRecord(head, event)),
}

const written = (record: records.AuditRecord) => JSON.parse(JSON.stringify(record)) as Record<string, unknown>

/** Every object of a value, with its path. */
function* objectsOf(value: unknown, path = ''): Generator<[path: string, object: Record<string, unknown>]> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield [path, value as Record<string, unknown>]
  for (const [key, inner] of Object.entries(value)) yield* objectsOf(inner, `${path}/${key}`)
}

for (const [kind, arbitrary] of Object.entries(KINDS)) {
  void t.test(`${kind}: whatever happened, the record fits the schema and is one line`, (t) => {
    fc.assert(
      fc.property(arbitrary, (record) => {
        const line = JSON.stringify(record)
        if (!validate(JSON.parse(line))) throw new Error(JSON.stringify(validate.errors?.slice(0, 3)))
        return !/[\n\r\x00-\x1f]/.test(line)
      }),
      { numRuns: 200 },
    )
    t.end()
  })

  void t.test(`${kind}: nothing may be added to it, and nothing left out`, (t) => {
    const passed: string[] = []
    for (const record of fc.sample(arbitrary, 2)) {
      t.ok(validate(written(record)))
      for (const [path, object] of objectsOf(written(record))) {
        if (path.includes('/type/') || path.includes('/category/')) continue
        for (const key of Object.keys(object)) {
          const without = written(record)
          const place = [...objectsOf(without)].find(([other]) => other === path)?.[1] ?? {}
          delete place[key]
          if (validate(without)) passed.push(`${path} without ${key}`)
        }
        const more = written(record)
        const place = [...objectsOf(more)].find(([other]) => other === path)?.[1] ?? {}
        place['secret'] = 'x'
        if (validate(more)) passed.push(`${path} with more`)
      }
    }
    t.strictSame(passed, [])
    t.end()
  })
}

void t.test('the schema', (t) => {
  t.equal(schema['$schema'], 'https://json-schema.org/draft/2020-12/schema')
  const kinds = (schema['oneOf'] as unknown as { $ref: string }[]).map(({ $ref }) => $ref)
  t.equal(kinds.length, Object.keys(KINDS).length, 'one kind for each function that builds a record')
  let fields = 0
  const open: string[] = []
  const undescribed: string[] = []
  for (const [path, object] of objectsOf(schema)) {
    if (object['type'] === 'object' && object['additionalProperties'] !== false) open.push(path)
    const { properties } = object as { properties?: Record<string, { description?: string; $ref?: string }> }
    for (const [name, field] of Object.entries(properties ?? {})) {
      fields += 1
      const described =
        field.$ref === undefined
          ? field
          : ([...objectsOf(schema)].find(([at]) => `#${at}` === field.$ref)?.[1] ?? {})
      const { description } = described as { description?: unknown }
      if (typeof description !== 'string' || !description.endsWith('.')) undescribed.push(`${path}/${name}`)
    }
  }
  t.strictSame(open, [], 'every object is closed')
  t.strictSame(undescribed, [], 'every field is described')
  t.ok(fields > 60, `${fields} fields`)
  const reasons = (kind: string) =>
    (
      schema as unknown as {
        $defs: Record<string, { properties: { event: { properties: { reason: { enum: string[] } } } } }>
      }
    ).$defs[kind]?.properties.event.properties.reason.enum ?? []
  t.strictSame(reasons('httpDecision'), ['observed', ...REASON_NAMES, null])
  t.strictSame(reasons('dnsQuery'), ['observed', ...DNS_REASONS, null])
  const answers: readonly unknown[] = DNS_REASONS.map((reason) => replyTo(reason))
  t.notOk(answers.includes(undefined), 'every reason has its answer')
  t.end()
})

void t.test('what is not in an event by name gets into no record', (t) => {
  const secret = 'hunter2-do-not-print'
  const header = { time: '', sequence: 0, observer: 'g', previous: null, token: secret }
  const builders: readonly (readonly [
    build: (header: records.Header, event: never) => records.AuditRecord,
    events: fc.Arbitrary<object>,
  ])[] = [
    [dnsRecord, dnsEvents],
    [decisionRecord, decisions],
    [closeRecord, closes],
    [records.sandboxRecord, sandboxEvents],
    [records.processRecord, processes],
    [records.rotationRecord, rotations],
    [records.policyRecord, policies],
    [records.operatorRecord, operators],
    [records.approvalRecord, approvals],
    [records.repeatRecord, repeats],
    [records.reopenedRecord, reopenings],
    [records.checkpointRecord, checkpoints],
  ]
  for (const [build, events] of builders) {
    const built = fc.sample(events, 10).map((event) => {
      const more: Record<string, unknown> = { ...event, authorization: secret, headers: { secret } }
      if (more['sandbox'] != null) more['sandbox'] = { ...more['sandbox'], placeholders: { secret } }
      return JSON.stringify(build(header, more as never))
    })
    t.strictSame(
      built.filter((line) => line.includes(secret)),
      [],
      build.name,
    )
  }
  t.end()
})

void t.test('dnsLine: what JSON.stringify would write, for any name', (t) => {
  fc.assert(
    fc.property(header, dnsEvents, (head, event) => {
      const line = records.dnsLine(head, event)
      const { client, transport, question, sandbox, verdict, wildcard, features, suspicious, budget } = event
      const parts = {
        '@timestamp': head.time,
        observer: { name: head.observer, type: 'firewall' },
        rule: { name: event.rule },
        source: { ip: client.address, port: client.port },
        network: { protocol: 'dns', transport },
        dns: {
          id: String(event.id),
          type: 'query',
          question,
          response_code: event.rcode,
          resolved_ip: event.answers,
        },
        egress: {
          sandbox,
          verdict,
          wildcard,
          features,
          suspicious,
          budget,
          previous: head.previous,
        },
      }
      const record = JSON.parse(line) as Record<string, unknown>
      const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
      const wrong = Object.entries(parts).filter(([key, part]) => !same(record[key], part))
      return JSON.stringify(record) === line && wrong.length === 0
    }),
    { numRuns: 1000 },
  )
  t.end()
})

void t.test('decisionLine and closeLine: what JSON.stringify would write, whatever was asked for', (t) => {
  const same = (line: string, fields: readonly (readonly [path: string, value: unknown])[]) => {
    const record: unknown = JSON.parse(line)
    const at = (path: string) =>
      path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], record)
    const wrong = fields.filter(([path, value]) => JSON.stringify(at(path)) !== JSON.stringify(value))
    if (wrong.length > 0) throw new Error(wrong.map(([path]) => path).join())
    return JSON.stringify(record) === line
  }
  fc.assert(
    fc.property(header, decisions, (head, event) =>
      same(records.decisionLine(head, event), [
        ['event.reason', event.reason],
        ['rule.name', event.rule],
        ['source', { ip: event.peer.address, port: event.peer.port }],
        ['destination.ip', event.address],
        [
          'url',
          {
            scheme: event.scheme,
            domain: event.host,
            port: event.port,
            path: event.path,
            query: event.query === null ? null : event.query.slice(1),
          },
        ],
        [
          'http',
          { request: { id: event.id, method: event.method }, response: { status_code: event.status } },
        ],
        ['egress.sandbox', event.sandbox],
        ['egress.service', event.service],
        ['egress.credential', event.credential],
        ['egress.detail', event.detail],
      ]),
    ),
    { numRuns: 1000 },
  )
  fc.assert(
    fc.property(header, closes, (head, event) =>
      same(records.closeLine(head, event), [
        ['event.reason', event.reason],
        ['http.request', { id: event.id, bytes: event.requestBytes }],
        ['http.response', { status_code: event.status, bytes: event.responseBytes }],
        ['observer', { name: head.observer, type: 'firewall' }],
        ['egress.sandbox', event.sandbox],
        ['egress.detail', event.detail],
        ['egress.redacted', event.redactions],
      ]),
    ),
    { numRuns: 1000 },
  )
  t.end()
})

/** Events as they happen, with nothing in them that JSON cannot hold. */
const events: fc.Arbitrary<GatewayEvent> = fc.oneof(
  dnsEvents.map((event) => ({ type: 'query', event }) as const),
  decisions.map((event) => ({ type: 'decision', event }) as const),
  closes.map((event) => ({ type: 'close', event }) as const),
  sandboxEvents.map((event) => ({ type: 'sandbox', event }) as const),
  rotations.map((event) => ({ type: 'rotation', event }) as const),
  policies.map((event) => ({ type: 'policy', event }) as const),
  operators.map((event) => ({ type: 'operator', event }) as const),
  gaps.map((event) => ({ type: 'gap', event }) as const),
  repeats.map((event) => ({ type: 'repeat', event }) as const),
  approvals.map((event) => ({ type: 'approval', event }) as const),
  reopenings.map((event) => ({ type: 'reopened', event }) as const),
)

void t.test('what is read back of a record is what happened, and no less than people are shown', (t) => {
  fc.assert(
    fc.property(header, events, (head, happened) => {
      const entry = readRecord(records.recordLine(head, happened))
      if (entry?.time !== head.time) throw new Error('the time')
      const { type, event } = entry.shown
      if (type === 'unknown' || type !== happened.type) throw new Error(type)
      const wrong = Object.entries(event).filter(([key, value]) => {
        const real = (happened.event as unknown as Record<string, unknown>)[key]
        if (key === 'question') {
          const [read, asked] = [value, real] as { name: string; type: string }[]
          return read?.name !== asked?.name || read?.type !== asked?.type
        }
        const sum = (list: unknown) =>
          (list as { count: number }[]).reduce((all, { count }) => all + count, 0)
        if (key === 'redactions') return sum(value) !== sum(real)
        return JSON.stringify(value) !== JSON.stringify(real)
      })
      if (wrong.length > 0) throw new Error(wrong.map(([key]) => `${type}.${key}`).join())
    }),
    { numRuns: 1000 },
  )
  t.end()
})

void t.test('a log of before the present names is read, too', (t) => {
  const old = {
    '@timestamp': '2025-01-01T00:00:00.000Z',
    ecs: { version: '8.17.0' },
    event: { action: 'secret-renewal', reason: null, sequence: 0 },
    egress: { gateway: 'g', sandbox: null, secret: { name: 'TOKEN', source: 'file' }, previous: null },
  }
  t.match(readRecord(JSON.stringify(old)), {
    sandbox: null,
    shown: { type: 'rotation', event: { secret: 'TOKEN', source: 'file', problem: null } },
  })
  const decision = {
    '@timestamp': '2025-01-01T00:00:00.000Z',
    event: { action: 'http-request', reason: 'no-rule' },
    url: { scheme: 'https', domain: 'a.example', port: 443, path: '/x', query: null },
    http: { request: { id: 'id', method: 'GET' }, response: { status_code: 403 } },
    egress: { gateway: 'g', sandbox: { id: 'sb', agent: 'a' }, verdict: 'deny', door: 'routes' },
  }
  t.match(readRecord(JSON.stringify(decision)), {
    sandbox: 'sb',
    shown: {
      type: 'decision',
      event: { host: 'a.example', status: 403, reason: 'no-rule', verdict: 'deny' },
    },
  })
  t.match(readRecord('{"@timestamp":"x","event":{"action":"from-tomorrow"},"egress":{}}'), {
    shown: { type: 'unknown', event: { action: 'from-tomorrow' } },
  })
  t.end()
})

void t.test('figures', (t) => {
  const [close] = fc.sample(closes, 1)
  t.match(
    closeRecord(
      { time: '1970-01-01T00:00:00.000Z', sequence: 7, observer: 'g', previous: null },
      { ...(close as HttpClose), durationMs: 12, status: 200 },
    ),
    {
      '@timestamp': '1970-01-01T00:00:00.000Z',
      event: { duration: 12_000_000, sequence: 7 },
      http: { response: { status_code: 200 } },
    },
  )
  const [decision] = fc.sample(decisions, 1)
  t.match(
    decisionRecord(
      { time: '', sequence: 0, observer: 'g', previous: null },
      { ...(decision as HttpDecision), query: '?a=?' },
    ),
    {
      url: { query: 'a=?' },
    },
  )
  t.end()
})
