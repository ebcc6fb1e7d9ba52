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

let nextName = 0

/** Each thing that is counted over time: uses all of it, and says whether there was any. */
const COUNTED: Readonly<Record<string, (ledger: Ledger, sandbox: string) => boolean>> = {
  rates: ({ rates }, sandbox) => rates.take(limitKey(sandbox, 'api'), RATE, 0) === 0,
  quotas: ({ quotas }, sandbox) => quotas.take(limitKey(sandbox, null), QUOTA, 0, 0) === 0,
  queries: ({ queries }, sandbox) => queries.take(sandbox, RATE, 0) === 0,
  certificates: ({ certificates }, sandbox) => certificates.take(sandbox, RATE, 0) === 0,
  names({ names }, sandbox) {
    const limits = { ...NAME_PROFILES.default.budget, bytesPerDay: 1 }
    // Another name each time: the same one is free for a day.
    const wildcardLabels = String.fromCharCode(97 + (nextName++ % 26))
    return !names.check({ sandbox, wildcard: '*.a.example', wildcardLabels, limits, now: 0, charge: true })
      .spent
  },
}

for (const [name, use] of Object.entries(COUNTED)) {
  void t.test(`${name}: kept for who is active and for unknown clients, and for no other`, (t) => {
    const ledger = new Ledger()
    for (const sandbox of ['a', 'ab', 'b', UNKNOWN_CLIENTS]) t.ok(use(ledger, sandbox))
    for (const sandbox of ['a', 'ab', 'b', UNKNOWN_CLIENTS]) t.notOk(use(ledger, sandbox), 'used up')
    ledger.drop('a')
    t.strictSame(
      ['a', 'ab', 'b', UNKNOWN_CLIENTS].map((sandbox) => use(ledger, sandbox)),
      [true, false, false, false],
    )
    ledger.prune((sandbox) => sandbox === 'b')
    t.strictSame(
      ['a', 'ab', 'b', UNKNOWN_CLIENTS].map((sandbox) => use(ledger, sandbox)),
      [true, true, false, false],
    )
    t.end()
  })
}
