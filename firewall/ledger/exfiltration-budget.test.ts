import fc from 'fast-check'
import t from 'tap'
import { ExfiltrationBudget } from './exfiltration-budget.js'
import type { BudgetLimits } from '../contracts/limits.js'
import { DEFAULT_NAMES } from '../names/name-profiles.js'

const DAY = 86_400_000
const WIDE: BudgetLimits = { names: 1e9, bytes: 1e9, windowMs: 1_000, bytesPerDay: 1e9 }

/** A budget whose every wildcard has the same limits. */
function limited(limits: BudgetLimits) {
  const budget = new ExfiltrationBudget()
  return {
    spend: (sandbox: string, wildcard: string, open: string, now: number) =>
      budget.check({ sandbox, wildcard, wildcardLabels: open, limits, now, charge: true }),
    peek: (sandbox: string, wildcard: string, open: string, now: number) =>
      budget.check({ sandbox, wildcard, wildcardLabels: open, limits, now, charge: false }),
    prune: (isActive: (sandbox: string) => boolean) => budget.prune(isActive),
  }
}

void t.test('names in a window', (t) => {
  const budget = limited({ ...WIDE, names: 2 })
  t.strictSame(budget.spend('sb', '*.x', 'a', 0), { spent: false, namesLeft: 1, bytesLeft: 1e9 - 1 })
  t.match(budget.spend('sb', '*.x', 'b', 10), { spent: false, namesLeft: 0 })
  t.strictSame(budget.spend('sb', '*.x', 'c', 400), { spent: true, limit: 'names', retryMs: 600 })
  t.match(budget.spend('sb', '*.x', 'c', 999), { spent: true })
  t.match(budget.spend('sb', '*.x', 'c', 1_000), { spent: false, namesLeft: 0 }, 'the first is a window old')
  t.match(budget.spend('sb', '*.x', 'd', 1_009), { spent: true, retryMs: 1 }, 'and the second is not')
  t.match(budget.spend('sb', '*.x', 'd', 1_010), { spent: false })
  t.end()
})

void t.test('bytes in a window, dots included', (t) => {
  const budget = limited({ ...WIDE, bytes: 5 })
  t.match(budget.spend('sb', '*.x', 'a.b', 0), { spent: false, bytesLeft: 2 })
  t.match(budget.spend('sb', '*.x', 'abc', 0), { spent: true, limit: 'bytes' })
  t.match(budget.spend('sb', '*.x', 'ab', 0), { spent: false, bytesLeft: 0 })
  t.match(budget.spend('sb', '*.x', 'c', 0), { spent: true, limit: 'bytes' })
  t.match(budget.spend('sb', '*.x', 'c', 1_000), { spent: false, bytesLeft: 4 })
  t.end()
})

void t.test('bytes in a day', (t) => {
  const budget = limited({ ...WIDE, bytesPerDay: 4 })
  t.match(budget.spend('sb', '*.x', 'aaa', 0), { spent: false })
  t.strictSame(budget.spend('sb', '*.x', 'bb', 5_000), {
    spent: true,
    limit: 'bytes-per-day',
    retryMs: DAY - 5_000,
  })
  t.match(budget.spend('sb', '*.x', 'b', 5_000), { spent: false })
  t.match(budget.spend('sb', '*.x', 'aaa', DAY - 1), { spent: false }, 'what was paid for is free all day')
  t.match(budget.spend('sb', '*.x', 'bb', DAY), { spent: false }, 'the next day')
  t.match(budget.spend('sb', '*.x', 'aaa', DAY), { spent: true }, 'yesterday counts no more')
  t.end()
})

void t.test('a known name is free, also when nothing is left', (t) => {
  const budget = limited({ ...WIDE, names: 1 })
  budget.spend('sb', '*.x', 'a', 0)
  for (let i = 0; i < 100; i += 1) t.match(budget.spend('sb', '*.x', 'a', i * 100), { spent: false })
  t.end()
})

void t.test('to peek costs nothing', (t) => {
  const budget = limited({ ...WIDE, names: 1 })
  for (let i = 0; i < 10; i += 1)
    t.match(budget.peek('sb', '*.x', `n${i}`, 0), { spent: false, namesLeft: 1 })
  t.match(budget.spend('sb', '*.x', 'a', 0), { spent: false })
  t.match(budget.peek('sb', '*.x', 'b', 0), { spent: true })
  t.end()
})

void t.test('every sandbox and wildcard has its own; a sandbox that is gone is forgotten', (t) => {
  const budget = limited({ ...WIDE, names: 1 })
  budget.spend('sb', '*.x', 'a', 0)
  t.match(budget.spend('sb', '*.y', 'b', 0), { spent: false })
  t.match(budget.spend('sb2', '*.x', 'b', 0), { spent: false })
  t.match(budget.spend('sb', '*.x', 'b', 0), { spent: true })
  budget.prune((sandbox) => sandbox !== 'sb')
  t.match(budget.spend('sb', '*.x', 'b', 0), { spent: false })
  t.match(budget.spend('sb2', '*.x', 'c', 0), { spent: true }, 'and no other with it')
  t.end()
})

void t.test('a clock that goes back gives nothing away', (t) => {
  const budget = limited({ ...WIDE, names: 1 })
  budget.spend('sb', '*.x', 'a', 1e12)
  t.match(budget.spend('sb', '*.x', 'b', 0), { spent: true })
  t.match(budget.spend('sb', '*.x', 'b', 1e12 + 999), { spent: true })
  t.end()
})

void t.test(
  'whatever is asked, no more passes in any window than the limits say, however it is laid',
  (t) => {
    const labels = fc.stringMatching(/^[a-z]{1,9}$/)
    const asked = fc.array(fc.tuple(labels, fc.nat(400)), { maxLength: 300 })
    fc.assert(
      fc.property(asked, (queries) => {
        const limits = { names: 5, bytes: 20, windowMs: 1_000, bytesPerDay: 60 }
        const budget = limited(limits)
        const passed = new Map<string, number>()
        let now = 0
        for (const [name, wait] of queries) {
          now += wait
          if (!budget.spend('sb', '*.x', name, now).spent && !passed.has(name)) passed.set(name, now)
        }
        const within = (begin: number, span: number) =>
          [...passed].filter(([, at]) => at >= begin && at < begin + span).map(([name]) => name)
        return [...passed.values()].every(
          (begin) =>
            within(begin, limits.windowMs).length <= limits.names &&
            within(begin, limits.windowMs).join('').length <= limits.bytes &&
            within(begin, DAY).join('').length <= limits.bytesPerDay,
        )
      }),
      { numRuns: 200 },
    )
    t.end()
  },
)

void t.test('the time to wait is the time until it passes', (t) => {
  const limits = { names: 4, bytes: 12, windowMs: 1_000, bytesPerDay: 1e9 }
  const asked = fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,12}$/), fc.nat(300)), { maxLength: 60 })
  fc.assert(
    fc.property(asked, (queries) => {
      const budget = limited(limits)
      let now = 0
      return queries.every(([name, wait]) => {
        now += wait
        const verdict = budget.spend('sb', '*.x', name, now)
        if (!verdict.spent) return true
        now += verdict.retryMs
        return budget.peek('sb', '*.x', name, now - 1).spent && !budget.peek('sb', '*.x', name, now).spent
      })
    }),
    { numRuns: 200 },
  )
  t.end()
})

void t.test('a flood does not fill the memory', (t) => {
  const budget = limited({ ...WIDE, windowMs: 1 })
  let passed = 0
  for (let i = 0; i < 100_000; i += 1) if (!budget.spend('sb', '*.x', `n${i}`, i * 10).spent) passed += 1
  t.equal(passed, 2048, 'names remembered in a day')
  t.match(budget.spend('sb', '*.x', 'n99999', 1e6), { spent: true, limit: 'bytes-per-day' })
  t.end()
})

void t.test('the default: 256 bytes in ten minutes, 2 KiB a day', (t) => {
  const budget = limited(DEFAULT_NAMES.budget)
  let bytes = 0
  let first = 0
  for (let second = 0; second < 86_400; second += 1) {
    const name = second.toString(36).padStart(16, '_')
    if (!budget.spend('sb', '*.x', name, second * 1_000).spent) bytes += name.length
    if (second === 599) first = bytes
  }
  t.equal(first, 256)
  t.equal(bytes, 2_048)
  t.end()
})
