import t from 'tap'
import { flipPolicies, NAMES, QUOTA } from './fixtures/policy-flips.js'

t.setTimeout(120_000)

const SANDBOXES = 5
const FLIPS = 20

void t.test('requests, queries, streams, limits: all of them outlive twenty changes of policy', async (t) => {
  const result = await flipPolicies({
    sandboxes: SANDBOXES,
    requestsPerSecond: 100,
    flips: FLIPS,
    pauseMs: 200,
  })
  t.equal(result.loaded, FLIPS)
  t.equal(result.rejected, FLIPS, 'a broken policy between any two')
  t.strictSame(result.dropped, [], 'everything was answered')
  t.strictSame(result.disagreeing, [], 'by a policy that was in force')
  t.ok(result.requests > 100, `${String(result.requests)} requests`)
  t.ok(result.decisive > 20, `${String(result.decisive)} answers that only one policy gives`)
  t.equal(result.quotaUsed, SANDBOXES * QUOTA, 'no quota began anew')
  t.equal(result.namesUsed, SANDBOXES * NAMES, 'no budget did')
  t.equal(result.streams.open, SANDBOXES)
  t.equal(result.streams.gaps, 0, `${String(result.streams.ticks)} events`)
})
