import t from 'tap'
import type { GatewayEvent } from '../events/events.js'
import { RunSummaries } from './run-summaries.js'
import { summaryLine } from './run-summary.js'

const AT = '2026-01-01T00:00:00.000Z'

const denied = (id: string, host: string) =>
  ({
    type: 'decision',
    event: {
      kind: 'request',
      host,
      verdict: 'deny',
      reason: 'host-not-listed',
      sandbox: { id, agent: 'default' },
    },
  }) as unknown as GatewayEvent

void t.test('each sandbox has its own, also after its end', (t) => {
  const summaries = new RunSummaries()
  summaries.take(AT, denied('a', 'evil.example'))
  summaries.take(AT, denied('b', 'other.example'))
  summaries.take(AT, denied('a', 'evil.example'))
  summaries.take(AT, {
    type: 'sandbox',
    event: { action: 'sandbox-end', sandbox: { id: 'a' } },
  } as unknown as GatewayEvent)
  summaries.take(AT, {
    type: 'decision',
    event: { kind: 'request', sandbox: null },
  } as unknown as GatewayEvent)
  t.strictSame(summaries.of('a'), { allowed: 0, refused: [{ host: 'evil.example', count: 2 }] })
  t.strictSame(summaries.of('b').refused, [{ host: 'other.example', count: 1 }])
  t.strictSame(summaries.of('c'), { allowed: 0, refused: [] })
  t.end()
})

void t.test('a gateway that runs for months does not remember all', (t) => {
  const summaries = new RunSummaries()
  for (let index = 0; index < 2000; index += 1)
    summaries.take(AT, denied(`sb-${String(index)}`, 'evil.example'))
  t.strictSame(summaries.of('sb-0').refused, [])
  t.equal(summaries.of('sb-1999').refused.length, 1)
  t.end()
})

void t.test('both roles make one line', (t) => {
  const proxy = { allowed: 3, refused: [{ host: 'evil.example', count: 1 }] }
  const dns = {
    allowed: 0,
    refused: [
      { host: 'evil.example', count: 2 },
      { host: 'b.example', count: 1 },
    ],
  }
  t.equal(summaryLine([proxy, dns], []), '7 requests, 4 refused (evil.example 3, b.example 1)')
  t.equal(summaryLine([{ allowed: 3, refused: [] }], []), null)
  t.end()
})
