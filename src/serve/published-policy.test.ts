import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { policyRecord } from '../events/records.js'
import { watchResolver } from './published-policy.js'

const record = (sequence: number, action: 'policy-loaded' | 'policy-rejected', hash: string) =>
  `${JSON.stringify(
    policyRecord(
      { time: '2026-01-01T00:00:00.000Z', sequence, observer: 'gateway-test', previous: null },
      { at: 0, action, hash, previousHash: null, problem: null },
    ),
  )}\n`

/** What two runs of `egress reload` are told, of which the second replaced the policy of the first at once. */
async function outcomes(t: Test, action: 'policy-loaded' | 'policy-rejected') {
  const directory = t.testdir({ 'dns.ndjson': '' })
  const file = join(directory, 'dns.ndjson')
  const all = ['first', 'second'].map((hash) => watchResolver(directory, () => 'second')(hash))
  appendFileSync(file, record(0, 'policy-loaded', 'other'))
  appendFileSync(file, record(1, action, 'second'))
  return Promise.all(all)
}

void t.test(
  'a policy that was replaced before the resolver saw it counts as loaded with its successor',
  async (t) => {
    t.strictSame(await outcomes(t, 'policy-loaded'), ['loaded', 'loaded'])
    t.strictSame(await outcomes(t, 'policy-rejected'), ['rejected', 'rejected'])
  },
)
