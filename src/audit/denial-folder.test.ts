import fc from 'fast-check'
import t from 'tap'
import { DenialFolder, type Denied } from './denial-folder.js'

const BUDGET = { lines: { perSecond: 10, burst: 3 }, bytes: { perSecond: 1_000, burst: 1_000 } }

const denied = (parts: Partial<Denied> = {}): Denied => ({
  at: 0,
  sandbox: { id: 'a', agent: 'default' },
  action: 'http-request',
  reason: 'no-rule',
  rule: null,
  host: 'x.example',
  method: 'GET',
  ...parts,
})

void t.test('within the budget each has its own record, beyond it they are counted', (t) => {
  const folder = new DenialFolder(BUDGET)
  t.strictSame(
    [0, 0, 0, 5, 6].map((at) => folder.fold(denied({ at }))),
    [false, false, false, true, true],
  )
  t.equal(folder.fold(denied({ sandbox: { id: 'b', agent: 'default' } })), false, 'of another sandbox')
  t.equal(folder.fold(denied({ at: 7, host: 'y.example' })), true)
  t.match(folder.take(), [
    { host: 'x.example', method: 'GET', reason: 'no-rule', count: 2, first: 5, last: 6 },
    { host: 'y.example', count: 1, first: 7, last: 7 },
  ])
  t.strictSame(folder.take(), [], 'each is told once')
  t.equal(folder.fold(denied({ at: 1_000 })), false, 'time brings the budget back')
  t.end()
})

void t.test('bytes count as well as lines', (t) => {
  const folder = new DenialFolder(BUDGET)
  t.equal(folder.fold(denied()), false)
  folder.spend(denied().sandbox, 3_000, 0)
  t.equal(folder.fold(denied()), true)
  t.equal(folder.fold(denied({ at: 1_900 })), true)
  t.equal(folder.fold(denied({ at: 2_100 })), false)
  t.end()
})

void t.test('what is kept is bounded, and every denial is counted once', (t) => {
  const names = fc.stringMatching(/^[a-z]{1,2}$/)
  const arbitrary = fc.array(
    fc.record({
      host: names,
      action: fc.constantFrom('http-request', 'http-tls', 'dns-query'),
      reason: fc.constantFrom('no-rule', 'host-not-listed', 'bad-framing', 'class'),
    }),
    { minLength: 500, maxLength: 2_000 },
  )
  fc.assert(
    fc.property(arbitrary, (all) => {
      const folder = new DenialFolder(BUDGET)
      const own = all.filter((parts) => !folder.fold(denied(parts as Partial<Denied>))).length
      const repeats = folder.take()
      const counted = repeats.reduce((sum, { count }) => sum + count, 0)
      return own + counted === all.length && repeats.length <= 2 * 32 + 1
    }),
    { numRuns: 50 },
  )
  t.end()
})

void t.test('a sandbox at a time; nothing of one that is quiet is kept', (t) => {
  const folder = new DenialFolder(BUDGET)
  const b = { id: 'b', agent: 'default' }
  for (let i = 0; i < 9; i += 1) {
    folder.fold(denied())
    folder.fold(denied({ sandbox: b }))
  }
  t.match(folder.take('b'), [{ sandbox: b, count: 6 }])
  t.match(folder.take(), [{ sandbox: { id: 'a' }, count: 6 }])
  folder.forgetIdle(60_000)
  t.equal(folder.fold(denied({ at: 60_000 })), false)
  t.end()
})
