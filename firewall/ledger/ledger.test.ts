import t from 'tap'
import { NAME_PROFILES } from '../names/name-profiles.js'
import { Ledger, UNKNOWN_CLIENTS } from './ledger.js'
import { limitKey } from './limit-key.js'

const RATE = { perSecond: 0.001, burst: 1 }
const QUOTA = { requests: 1, bytes: null, windowMs: 3_600_000 }

/** Uses up everything that is counted over time; says what was still to be had. */
function spendAll(ledger: Ledger, sandbox: string): readonly string[] {
  const key = limitKey(sandbox, 'api')
  const name = { sandbox, wildcard: '*.example.com', wildcardLabels: 'a', now: 0, charge: true }
  const limits = { ...NAME_PROFILES.default.budget, bytesPerDay: 1 }
  const had = [
    ledger.rates.take(key, RATE, 0) === 0 ? 'rate' : '',
    ledger.quotas.take(key, QUOTA, 0, 0) === 0 ? 'quota' : '',
    ledger.names.check({ ...name, wildcardLabels: 'b', limits }).spent ? '' : 'names',
    ledger.queries.take(sandbox, RATE, 0) === 0 ? 'queries' : '',
  ]
  ledger.names.check({ ...name, limits })
  return had.filter((one) => one !== '')
}

const ALL = ['rate', 'quota', 'names', 'queries']

void t.test(
  'what a sandbox used stays used, until the sandbox is dropped: then all of it goes, and nothing else',
  (t) => {
    const ledger = new Ledger()
    for (const sandbox of ['a', 'b']) t.strictSame(spendAll(ledger, sandbox), ALL)
    t.strictSame(spendAll(ledger, 'a'), ['names'], 'a name that was charged is free for a day')
    ledger.drop('a')
    t.strictSame(spendAll(ledger, 'a'), ALL)
    t.strictSame(spendAll(ledger, 'b'), ['names'])
    t.end()
  },
)

void t.test('unknown clients are never forgotten: they would begin anew by being unknown', (t) => {
  const ledger = new Ledger()
  spendAll(ledger, UNKNOWN_CLIENTS)
  ledger.prune(() => false)
  t.strictSame(spendAll(ledger, UNKNOWN_CLIENTS), ['names'])
  t.end()
})
