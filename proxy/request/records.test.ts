import { createHash } from 'node:crypto'
import t from 'tap'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { deny } from '../contracts/denial.js'
import type { HttpClose, HttpDecision } from '../contracts/events.js'
import { connectionDecision } from '../records/connection-decision.js'
import { Shutdown } from '../contracts/shutdown.js'
import { Flow, runFlow } from '../records/flow.js'
import { Tally } from '../redaction/tally.js'
import type { Exchange, ForwardResult } from './exchange.js'
import { decisionOf, endOf, headBytes, redactionsOf } from './records.js'

const sandbox = { id: 'sb', agent: 'default', placeholders: new Map() }
const connection = {
  listener: 'forward' as const,
  sandbox,
  peer: { address: '10.0.0.2', port: 4711 },
  host: null,
  scheme: null,
  port: null,
  checkedName: null,
}

function newFlow(now: () => number) {
  const decisions: HttpDecision[] = []
  const closes: HttpClose[] = []
  const audit = {
    decide: (event: HttpDecision) => Promise.resolve(void decisions.push(event)),
    close: (event: HttpClose) => void closes.push(event),
  }
  return { flow: new Flow({ audit, now, newId: () => 'id-1' }), decisions, closes }
}

function exchange(parts: Partial<Exchange>): Exchange {
  return {
    flow: newFlow(() => 1_000).flow,
    connection,
    method: 'GET',
    headers: {},
    downstream: { upgrade: null },
    sandbox,
    origin: null,
    target: null,
    service: null,
    path: null,
    graphql: null,
    verdict: null,
    credential: null,
    upstream: null,
    outgoing: {},
    ...parts,
  } as unknown as Exchange
}

function pathOf(target: string) {
  const path = parseRequestTarget(target)
  if (typeof path === 'string') throw new Error(path)
  return path
}

void t.test('an allowed request', (t) => {
  const rule = { id: 'services.api.rules[0]' }
  const decision = decisionOf(
    exchange({
      origin: { scheme: 'https', host: 'api.example', port: 443 },
      target: '/%61?q=1',
      path: pathOf('/%61?q=1'),
      service: 'api',
      verdict: { allowed: true, rule } as Exchange['verdict'],
      credential: { id: 'api/bearer' } as Exchange['credential'],
      injects: true,
      approval: 'ap-1',
      upstream: { addresses: ['1.1.1.1', '8.8.8.8'] } as unknown as Exchange['upstream'],
    }),
    2_000,
    null,
  )
  t.strictSame(decision, {
    at: 2_000,
    id: 'id-1',
    sandbox,
    peer: connection.peer,
    listener: 'forward',
    kind: 'request',
    method: 'GET',
    scheme: 'https',
    host: 'api.example',
    port: 443,
    path: '/a',
    query: '?q=1',
    target: null,
    verdict: 'allow',
    reason: null,
    detail: null,
    rule: 'services.api.rules[0]',
    status: null,
    service: 'api',
    credential: 'api/bearer',
    traceparent: null,
    approval: 'ap-1',
    address: '1.1.1.1',
  })
  t.end()
})

void t.test('a denied one tells what was asked, and no credential', (t) => {
  const denied = decisionOf(
    exchange({
      target: '/a/../b?x=../y',
      credential: { id: 'api/bearer' } as Exchange['credential'],
      downstream: { upgrade: {} } as unknown as Exchange['downstream'],
    }),
    0,
    deny('path-dot-segment', { rule: 'r', detail: 'd' }),
  )
  t.match(denied, {
    kind: 'upgrade',
    verdict: 'deny',
    reason: 'path-dot-segment',
    rule: 'r',
    detail: 'd',
    status: 400,
    path: '/a/../b',
    query: '?x=../y',
    credential: null,
  })
  t.match(decisionOf(exchange({}), 0, deny('bad-framing')), {
    path: null,
    query: null,
    host: null,
    rule: null,
  })
  t.match(
    decisionOf(
      exchange({ connection: { ...connection, host: 'h', scheme: 'https', port: 443 } }),
      0,
      deny('bad-framing'),
    ),
    {
      host: 'h',
      scheme: 'https',
      port: 443,
    },
  )
  t.end()
})

void t.test('what the sandbox made is cut, and the cut is marked', (t) => {
  const { path, query } = decisionOf(
    exchange({ target: `/${'a'.repeat(9_000)}?${'b'.repeat(9_000)}` }),
    0,
    deny('path-form'),
  )
  for (const text of [path, query]) {
    t.match(text, /^[/?](.)\1{94,95}…\1{96}$/)
  }
  t.equal(decisionOf(exchange({ target: `/${'a'.repeat(2_047)}` }), 0, deny('path-form')).path?.length, 2_048)
  t.end()
})

void t.test('connections', (t) => {
  t.match(
    connectionDecision(
      { ...connection, host: 'h', port: 443 },
      { at: 1, id: 'i', kind: 'connect', reason: 'bad-authority' },
    ),
    {
      method: 'CONNECT',
      verdict: 'deny',
      status: 400,
      host: 'h',
      reason: 'bad-authority',
    },
  )
  t.match(connectionDecision(connection, { at: 1, id: 'i', kind: 'tunnel', rule: 'r', address: '1.1.1.1' }), {
    method: null,
    verdict: 'allow',
    status: null,
    reason: null,
    address: '1.1.1.1',
  })
  t.end()
})

void t.test('how a request ended', (t) => {
  const outcome: ForwardResult = {
    denial: null,
    aborted: null,
    status: 200,
    requestBytes: 1,
    responseBytes: 2,
    redactions: [{ credential: 'jira/bearer', count: 3 }],
    detail: null,
  }
  t.strictSame(endOf(outcome), {
    outcome: 'success',
    reason: null,
    detail: null,
    status: 200,
    requestBytes: 1,
    responseBytes: 2,
    redactions: [{ credential: 'jira/bearer', count: 3 }],
  })
  t.match(endOf({ ...outcome, aborted: 'client-abort' }), {
    outcome: 'failure',
    reason: 'client-abort',
  })
  t.match(endOf({ ...outcome, denial: deny('too-large', { detail: 'd' }) }), {
    outcome: 'failure',
    reason: 'too-large',
    detail: 'd',
  })
  t.end()
})

void t.test('what was allowed has one end, what was denied none', async (t) => {
  let now = 1_000
  const end = endOf({
    denial: null,
    aborted: null,
    status: 200,
    requestBytes: 1,
    responseBytes: 2,
    redactions: [],
    detail: null,
  })
  const allowed = newFlow(() => now)
  allowed.flow.close(end)
  t.strictSame(allowed.closes, [], 'nothing was decided yet')
  await allowed.flow.decide(decisionOf(exchange({ flow: allowed.flow }), now, null))
  t.ok(allowed.flow.isOpen)
  now = 1_250
  allowed.flow.close(end)
  allowed.flow.close({ ...end, status: 500 })
  const named = { host: null, service: null, credential: null }
  const times = { at: 1_250, durationMs: 250, timing: { decisionMs: 0, upstreamMs: null } }
  t.strictSame(allowed.closes, [{ ...named, ...end, ...times, id: 'id-1', sandbox }])
  t.notOk(allowed.flow.isOpen)

  const denied = newFlow(() => now)
  await denied.flow.decide(decisionOf(exchange({}), now, deny('no-rule')))
  denied.flow.close(end)
  t.strictSame(denied.closes, [])

  const broken = newFlow(() => now)
  const shutdown = new Shutdown()
  const bug = runFlow(shutdown, broken.flow, async (flow) => {
    await flow.decide(decisionOf(exchange({ flow }), now, null))
    throw new Error('a bug')
  })
  await t.rejects(bug, /a bug/)
  t.match(broken.closes, [{ outcome: 'failure', reason: 'internal' }])
  await shutdown.waitForIdle(60_000)
})

void t.test('a long target is shortened, and identified as a whole', (t) => {
  const decide = (target: string) => decisionOf(exchange({ target, path: pathOf(target) }), 0, null)
  const hidden = `/api?pad=${'a'.repeat(3_000)}&action=delete&data=${'d'.repeat(30_000)}&more=1`
  const { path, query, target } = decide(hidden)
  t.equal(path, '/api')
  t.match(query, /^\?pad=a{96}…a{96}&action=delete&data=d{96}…d{96}&more=1$/)
  t.strictSame(target, {
    bytes: hidden.length,
    sha256: createHash('sha256').update(hidden).digest('hex'),
  })
  const deep = `/${'a'.repeat(2_500)}/delete/everything`
  t.match(decide(deep).path, /^\/a{96}…a{96}\/delete\/everything$/)
  const many = `/x?${'k=v&'.repeat(10_000)}end=1`
  t.equal(decide(many).query?.length, 16_385)
  t.match(decide(many).query, /^\?k=v&.*….*&end=1$/)
  t.notSame(decide(`${many}2`).target, decide(many).target)
  t.equal(decide('/api?action=list').target, null)
  t.end()
})

void t.test('the bytes of a head, each line of each name', (t) => {
  const bytes = (headers: Exchange['headers']) => headBytes(exchange({ requestTarget: '/abc', headers }))
  t.equal(bytes({}), 'GET /abc HTTP/1.1\r\n'.length + 2)
  t.equal(bytes({ ab: 'cd' }) - bytes({}), 'ab: cd\r\n'.length)
  t.equal(bytes({ ab: ['c', 'de'] }) - bytes({}), 'ab: c\r\nab: de\r\n'.length)
  t.end()
})

void t.test('an allowed request that names other methods says so', (t) => {
  const detail = (headers: Exchange['headers'], denial: Parameters<typeof decisionOf>[2] = null) =>
    decisionOf(exchange({ headers }), 0, denial).detail
  t.equal(detail({ 'x-http-method-override': 'PUT, get' }), 'a header names PUT')
  t.equal(detail({ 'x-http-method-override': 'GET' }), null)
  t.equal(detail({ 'x-http-method-override': 'PUT' }, deny('no-rule')), null)
  t.end()
})

void t.test('a target that was not read is shown as it came', (t) => {
  const shown = (target: string | null) => {
    const { path, query } = decisionOf(exchange({ target }), 0, deny('path-form'))
    return [path, query]
  }
  t.strictSame(shown('/a?b?c'), ['/a', '?b?c'])
  t.strictSame(shown('/a'), ['/a', null])
  t.strictSame(shown(null), [null, null])
  t.end()
})

void t.test('redactions by their credential', (t) => {
  const tally = new Tally()
  for (const [owner, times] of [
    ['api/bearer', 2],
    ['git/basic', 1],
    [null, 3],
  ] as const)
    for (let i = 0; i < times; i += 1) tally.add(owner)
  const credential = { id: 'api/bearer' } as Exchange['credential']
  t.strictSame(redactionsOf(tally, credential), [
    { credential: 'api/bearer', count: 5 },
    { credential: 'git/basic', count: 1 },
  ])
  t.strictSame(redactionsOf(tally, null).at(-1), { credential: 'unknown', count: 3 })
  t.strictSame(redactionsOf(new Tally(), credential), [])
  t.end()
})
