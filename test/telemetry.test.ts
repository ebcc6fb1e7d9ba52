import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { collect, makeWorkspace, upstreamCa } from './fixtures/run.js'
import { startUpstream } from './fixtures/upstream.js'
import { attributeOf, startCollector, type OtlpSpan } from './servers/otlp.js'

// Traces and logs of a real run, as a collector gets them.

const TOKEN = 'tok-R3alTokenThatNobodyMaySee0123456789'
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

async function setUp(test: Test, more = '') {
  const authority = await upstreamCa()
  const upstream = await startUpstream(authority, (request, response) => {
    request.resume().on('end', () => response.end(`token ${String(request.headers.authorization)}`))
  })
  const collector = await startCollector()
  const space = makeWorkspace(
    `services:
  api:
    url: https://api.example
    credential: { bearer: "\${API_TOKEN}" }
    rules: [{ allow: GET /items }]
    allow_private_addresses: true
    ca: ./upstream-ca.pem
${more}
upstream:
  hosts: { api.example: "127.0.0.1:${String(upstream.port)}" }
`,
    { API_TOKEN: TOKEN, EGRESS_OTLP_ENDPOINT: collector.endpoint },
    { 'upstream-ca.pem': authority.pem },
  )
  test.teardown(async () => {
    space.remove()
    await upstream.close()
    await collector.close()
  })
  const run = (script: string) => collect(space.spawn(['run', '--', 'sh', '-c', script]))
  return { space, run, collector, upstream }
}

const GET = `curl -sS -H 'traceparent: 00-${TRACE}-${PARENT}-01' -H 'tracestate: a=b' https://api.example`

const millisecondsOf = (nanoseconds: string | number) => Number(BigInt(nanoseconds) / 1_000_000n)

void t.test('one tree of spans for each request, linked to what the agent sent', async (test) => {
  const { space, run, collector, upstream } = await setUp(test)
  const { stdout, stderr } = await run(`${GET}/items; echo; ${GET}/denied`)
  test.match(stdout, /^token /)
  test.notMatch(stderr, /Cannot send/)
  test.strictSame(collector.refused, [])
  const { spans, records } = collector
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined)
  const at = (path: string): OtlpSpan[] =>
    roots.filter(
      (one) => attributeOf(one, 'url.path') === path && attributeOf(one, 'http.request.method') === 'GET',
    )
  const [items, ...others] = at('/items')
  test.strictSame(others, [])
  test.ok(items !== undefined)
  if (items === undefined) return
  test.match(
    [items.name, items.kind, attributeOf(items, 'egress.verdict'), attributeOf(items, 'egress.credential')],
    ['GET api', 2, 'allow', 'api/bearer'],
  )
  test.equal(attributeOf(items, 'http.response.status_code'), 200)
  test.ok(Number(attributeOf(items, 'egress.redactions')) > 0, 'the upstream had sent the secret back')
  test.match(items.links, [{ traceId: TRACE, spanId: PARENT }])
  test.not(items.traceId, TRACE, 'the agent does not choose where its request belongs')
  const children = spans.filter(({ parentSpanId }) => parentSpanId === items.spanId)
  test.strictSame(children.map(({ name }) => name).sort(), ['decide', 'upstream'])
  for (const child of children) {
    test.equal(child.traceId, items.traceId)
    test.ok(millisecondsOf(child.startTimeUnixNano) <= millisecondsOf(child.endTimeUnixNano))
  }
  const [denied] = at('/denied')
  test.match(denied?.status, { code: 2, message: 'no-rule' })
  test.equal(denied && attributeOf(denied, 'egress.reason'), 'no-rule')
  const ids = new Set(spans.map(({ traceId, spanId }) => traceId + spanId))
  test.equal(ids.size, spans.length, 'ids are not used twice')

  // The logs are the audit log, line by line, and belong to their spans.
  const bodies = records.map(({ body }) => body.stringValue ?? '')
  const runs = join(space.auditDir, 'runs')
  const lines = readdirSync(runs).flatMap((name) =>
    ['dns', 'http', 'sandbox'].flatMap((role) =>
      readFileSync(join(runs, name, `${role}.ndjson`), 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.includes('"audit-checkpoint"')),
    ),
  )
  test.strictSame(bodies.filter((line) => !line.includes('"audit-checkpoint"')).sort(), lines.sort())
  const own = records.filter(({ traceId }) => traceId === items.traceId)
  test.strictSame(
    own.map(({ body }) => /"action":"([^"]+)"/.exec(body.stringValue ?? '')?.[1]),
    ['http-request', 'http-close'],
  )

  test.equal(upstream.requests.length, 1)
  test.match(upstream.requests[0]?.headers, { traceparent: undefined, tracestate: undefined })
  for (const body of collector.bodies) test.notMatch(body, TOKEN)
})

void t.test('a trace context goes on only where the policy says so', async (test) => {
  const { run, upstream } = await setUp(test, '    pass_headers: [traceparent]')
  await run(`${GET}/items`)
  test.match(upstream.requests[0]?.headers, {
    traceparent: `00-${TRACE}-${PARENT}-01`,
    tracestate: undefined,
  })
})

void t.test('a collector that is away delays no request, and is told once', async (test) => {
  const { space, run, collector, upstream } = await setUp(test)
  await collector.close()
  const { stdout, stderr } = await run(`${GET}/items; ${GET}/items`)
  test.match(stdout, /^token .*token /)
  test.equal(upstream.requests.length, 2)
  test.match(stderr, /Cannot send traces or logs to http:\/\/127\.0\.0\.1:\d+/)
  test.equal(stderr.split('Cannot send').length, 2)
  space.env['EGRESS_OTLP_ENDPOINT'] = 'collector'
  test.match(await space.run(['run', '--', 'true']), {
    code: /./,
    stderr: /Invalid value for EGRESS_OTLP_ENDPOINT\n {2}\S/,
  })
})
