import { flipPolicies, NAMES, QUOTA } from '#test/fixtures/policy-flips.js'
import { table } from './workers/statistics.js'

// A hundred changes of policy under load: nothing may be dropped, decided by a mixture of two policies, or begin anew.

const SANDBOXES = 15
const FLIPS = 100

const result = await flipPolicies({
  sandboxes: SANDBOXES,
  requestsPerSecond: 500,
  flips: FLIPS,
  pauseMs: 250,
})
const rows = [
  ['policies loaded, rejected', `${String(result.loaded)}, ${String(result.rejected)}`],
  ['requests, queries', `${String(result.requests)}, ${String(result.queries)}`],
  ['dropped', String(result.dropped.length)],
  ['answers that only one policy gives', String(result.decisive)],
  ['answers that no policy in force gives', String(result.disagreeing.length)],
  ['requests within quota', `${String(result.quotaUsed)} of ${String(SANDBOXES * QUOTA)}`],
  ['names within budget', `${String(result.namesUsed)} of ${String(SANDBOXES * NAMES)}`],
  ['streams still open', `${String(result.streams.open)} of ${String(SANDBOXES)}`],
  ['events of streams, missing', `${String(result.streams.ticks)}, ${String(result.streams.gaps)}`],
  ['request, p50 and p99, ms', `${result.p50.toFixed(1)}, ${result.p99.toFixed(1)}`],
  ['longest turn of the loop, ms', result.longestTurn.toFixed(0)],
]
process.stdout.write(table(['', ''], rows))
for (const line of [...result.dropped, ...result.disagreeing].slice(0, 20)) process.stdout.write(`${line}\n`)
const sound =
  result.loaded === FLIPS &&
  result.rejected === FLIPS &&
  result.dropped.length === 0 &&
  result.disagreeing.length === 0 &&
  result.quotaUsed === SANDBOXES * QUOTA &&
  result.namesUsed === SANDBOXES * NAMES &&
  result.streams.open === SANDBOXES &&
  result.streams.gaps === 0
process.exitCode = sound ? 0 : 1
