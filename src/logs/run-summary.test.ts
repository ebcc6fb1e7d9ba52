import t from 'tap'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import { parseHostPattern } from '#firewall/names/host-pattern.js'
import type { GatewayEvent } from '../events/events.js'
import { RunSummary } from './run-summary.js'

function summary(...quiet: string[]) {
  const patterns = quiet.map((text) => {
    const pattern = parseHostPattern(text, true)
    if (isDiagnostic(pattern)) throw new Error(pattern.problem)
    return pattern
  })
  return new RunSummary(patterns)
}

const request = (host: string | null, reason: string | null = null, kind = 'request') =>
  ({
    type: 'decision',
    event: { kind, host, verdict: reason === null ? 'allow' : 'deny', reason },
  }) as unknown as GatewayEvent

const query = (name: string, type: string, reason: string | null) =>
  ({
    type: 'query',
    event: { question: { name, type }, verdict: reason === null ? 'allow' : 'deny', reason },
  }) as unknown as GatewayEvent

const repeat = (action: string, host: string | null, count: number, reason = 'host-not-listed') =>
  ({ type: 'repeat', event: { action, host, count, reason, method: 'A' } }) as unknown as GatewayEvent

function lineOf(one: RunSummary, ...events: GatewayEvent[]): string | null {
  for (const event of events) one.take('2026-01-01T00:00:00.000Z', event)
  return one.line()
}

void t.test('one line of what was refused, the most often first', (t) => {
  const events = [
    ...new Array<GatewayEvent>(209).fill(request('api.example')),
    request('evil.example', 'host-not-listed'),
    request('telemetry.example.com', 'no-rule'),
    request('telemetry.example.com', 'denied-by-rule'),
  ]
  t.equal(lineOf(summary(), ...events), '212 requests, 3 refused (telemetry.example.com 2, evil.example 1)')
  t.equal(lineOf(summary(), request('a.example', 'no-rule')), '1 request, 1 refused (a.example 1)')
  t.end()
})

void t.test('nothing where nothing was refused', (t) => {
  t.equal(lineOf(summary()), null)
  t.equal(
    lineOf(
      summary(),
      request('api.example'),
      query('api.example', 'A', null),
      request('api.example', 'upstream-unreachable'),
      request('api.example', 'shutting-down'),
      query('1.0.0.127.in-addr.arpa', 'PTR', 'reverse-name'),
      request('login.example', 'no-rule', 'token'),
    ),
    null,
    'what failed, and what the gateway asked itself',
  )
  t.end()
})

void t.test('a name that was asked for by two types is one attempt, and repeats are counted', (t) => {
  t.equal(
    lineOf(
      summary(),
      query('evil.example', 'A', 'host-not-listed'),
      query('EVIL.example', 'AAAA', 'host-not-listed'),
      repeat('dns-query', 'evil.example', 9),
      repeat('http-request', 'b.example', 20),
      repeat('several', null, 5),
    ),
    '35 requests, 35 refused (b.example 20, evil.example 10, other requests 5)',
  )
  t.end()
})

void t.test('quiet hosts are not told of', (t) => {
  const denied = (host: string) => request(host, 'host-not-listed')
  const quiet = summary('*.telemetry.example', 'stats.example')
  t.equal(lineOf(quiet, denied('a.telemetry.example'), denied('stats.example')), null)
  t.equal(lineOf(quiet, denied('telemetry.example')), '3 requests, 1 refused (telemetry.example 1)')
  t.end()
})

void t.test('a sandbox can neither fill the line nor move the cursor', (t) => {
  const many = Array.from({ length: 5_000 }, (_, index) => request(`h${String(index)}.example`, 'no-rule'))
  const line = lineOf(summary(), ...many, request(`\u001b[2J${'x'.repeat(300)}`, 'no-rule')) ?? ''
  t.match(
    line,
    /^5001 requests, 5001 refused \(other requests 4001, h0\.example 1, h1\.example 1, 998 other hosts 998\)$/,
  )
  t.notMatch(lineOf(summary(), request(`\u001b[2J${'x'.repeat(300)}`, 'no-rule')), '\u001b')
  t.ok((lineOf(summary(), request('x'.repeat(300), 'no-rule')) ?? '').length < 120)
  t.end()
})
