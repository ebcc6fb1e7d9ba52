import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import type { HttpDecision } from '#proxy/contracts/events.js'
import { eventually } from '#test/fixtures/eventually.js'
import { AlertSink } from './alert-sink.js'

const SECRET = 'secret-of-the-receiver'

const decision = (id: string, reason: HttpDecision['reason'], sandbox = 'sb-1'): HttpDecision => ({
  ...{
    at: 0,
    id,
    sandbox: { id: sandbox, agent: 'ci', labels: ['task=1'] },
    peer: { address: '10.0.0.1', port: 1 },
  },
  ...{
    listener: 'forward',
    kind: 'request',
    method: 'POST',
    scheme: 'https',
    host: 'evil.example',
    port: 443,
  },
  ...{ path: '/x', query: null, verdict: 'deny', reason, detail: null, rule: null, status: 403 },
  ...{ service: null, credential: null, address: null },
})

void t.test('alerts are signed, repeated until they are taken, and few', async (t) => {
  const got: { reason: string; request: string | null; suppressed: number; sandbox: { id: string } }[] = []
  let failures = 1
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const [, time = '', hex = ''] =
        /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(request.headers['egress-signature'])) ?? []
      t.equal(hex, createHmac('sha256', SECRET).update(`${time}.${body}`).digest('hex'), 'it is signed')
      if (failures > 0) {
        failures -= 1
        response.writeHead(500).end()
        return
      }
      got.push(JSON.parse(body) as (typeof got)[0])
      response.writeHead(200).end()
    })
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  let now = Date.now()
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`
  const warnings: string[] = []
  const sink = new AlertSink({
    ...{ url, secret: new Secret('S', SECRET), now: () => now },
    warn: (message) => warnings.push(message),
  })
  t.teardown(() => sink.end())
  const take = (event: HttpDecision) => sink.take('2026-01-01T00:00:00.000Z', { type: 'decision', event })
  take(decision('other', 'host-not-listed'))
  take(decision('first', 'placeholder-misplaced'))
  for (let index = 0; index < 10_000; index += 1) take(decision('again', 'placeholder-misplaced'))
  take(decision('neighbour', 'placeholder-misplaced', 'sb-2'))
  t.ok(await eventually(() => got.length === 2))
  t.match(got, [
    {
      reason: 'placeholder-misplaced',
      request: 'first',
      sandbox: { id: 'sb-1', labels: ['task=1'] },
      suppressed: 0,
    },
    { request: 'neighbour', sandbox: { id: 'sb-2' } },
  ])
  now += 60_000
  take(decision('later', 'placeholder-misplaced'))
  t.ok(await eventually(() => got.length === 3))
  t.match(got[2], { request: 'later', suppressed: 10_000 }, 'what was not sent is counted')
  // What another process has recorded.
  sink.takeRecorded({
    ...{
      time: '2026-01-01T00:00:01.000Z',
      sandbox: 'sb-3',
      agent: 'ci',
      labels: [],
      reason: 'host-not-listed',
    },
    ...{ service: null, credential: null, request: null, text: '' },
    shown: {
      type: 'query',
      event: {
        ...{ question: { name: 'data.evil.example', type: 'A', class: 'IN' }, verdict: 'deny', rule: null },
        ...{ reason: 'host-not-listed', rcode: 'NXDOMAIN', answers: [], suspicious: true },
      },
    },
  })
  t.ok(await eventually(() => got.length === 4))
  t.match(got[3], { reason: 'name-looks-encoded', host: 'data.evil.example', sandbox: { id: 'sb-3' } })
  t.strictSame(warnings, [])
})
