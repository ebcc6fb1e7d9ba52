import fc from 'fast-check'
import t from 'tap'
import { DEFAULT_BUDGET, LeakBudget, type BudgetLimits } from './leak-budget.js'

const DAY = 86_400_000
const WIDE: BudgetLimits = { names: 1e9, bytes: 1e9, windowMs: 1_000, bytesPerDay: 1e9 }

void t.test('names in a window', (t) => {
  const budget = new LeakBudget({ ...WIDE, names: 2 })
  t.strictSame(budget.spend('sb', '*.x', 'a', 0), { spent: false, namesLeft: 1, bytesLeft: 1e9 - 1 })
  t.match(budget.spend('sb', '*.x', 'b', 10), { spent: false, namesLeft: 0 })
  t.strictSame(budget.spend('sb', '*.x', 'c', 400), { spent: true, limit: 'names', retryMs: 600 })
  t.match(budget.spend('sb', '*.x', 'c', 999), { spent: true })
  t.match(budget.spend('sb', '*.x', 'c', 1_000), { spent: false, namesLeft: 1 }, 'the next window')
  t.end()
})

void t.test('bytes in a window, dots included', (t) => {
  const budget = new LeakBudget({ ...WIDE, bytes: 5 })
  t.match(budget.spend('sb', '*.x', 'a.b', 0), { spent: false, bytesLeft: 2 })
  t.match(budget.spend('sb', '*.x', 'abc', 0), { spent: true, limit: 'bytes' })
  t.match(budget.spend('sb', '*.x', 'ab', 0), { spent: false, bytesLeft: 0 })
  t.match(budget.spend('sb', '*.x', 'c', 0), { spent: true, limit: 'bytes' })
  t.match(budget.spend('sb', '*.x', 'c', 1_000), { spent: false, bytesLeft: 4 })
  t.end()
})

void t.test('bytes in a day', (t) => {
  const budget = new LeakBudget({ ...WIDE, bytesPerDay: 4 })
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
  const budget = new LeakBudget({ ...WIDE, names: 1 })
  budget.spend('sb', '*.x', 'a', 0)
  for (let i = 0; i < 100; i += 1) t.match(budget.spend('sb', '*.x', 'a', i * 100), { spent: false })
  t.end()
})

void t.test('to peek costs nothing', (t) => {
  const budget = new LeakBudget({ ...WIDE, names: 1 })
  for (let i = 0; i < 10; i += 1)
    t.match(budget.peek('sb', '*.x', `n${i}`, 0), { spent: false, namesLeft: 1 })
  t.match(budget.spend('sb', '*.x', 'a', 0), { spent: false })
  t.match(budget.peek('sb', '*.x', 'b', 0), { spent: true })
  t.end()
})

void t.test('every sandbox and wildcard has its own; a sandbox that is gone is forgotten', (t) => {
  const budget = new LeakBudget({ ...WIDE, names: 1 })
  budget.spend('sb', '*.x', 'a', 0)
  t.match(budget.spend('sb', '*.y', 'b', 0), { spent: false })
  t.match(budget.spend('sb2', '*.x', 'b', 0), { spent: false })
  t.match(budget.spend('sb', '*.x', 'b', 0), { spent: true })
  budget.forget('sb')
  t.match(budget.spend('sb', '*.x', 'b', 0), { spent: false })
  t.match(budget.spend('sb2', '*.x', 'c', 0), { spent: true }, 'and no other with it')
  t.end()
})

void t.test('a clock that goes back gives nothing away', (t) => {
  const budget = new LeakBudget({ ...WIDE, names: 1 })
  budget.spend('sb', '*.x', 'a', 1e12)
  t.match(budget.spend('sb', '*.x', 'b', 0), { spent: true })
  t.match(budget.spend('sb', '*.x', 'b', 1e12 + 999), { spent: true })
  t.end()
})

void t.test('whatever is asked, no more passes than the limits say', (t) => {
  const labels = fc.stringMatching(/^[a-z]{1,9}$/)
  const asked = fc.array(fc.tuple(labels, fc.nat(200)), { maxLength: 300 })
  fc.assert(
    fc.property(asked, (queries) => {
      const limits = { names: 5, bytes: 20, windowMs: 1_000, bytesPerDay: 60 }
      const budget = new LeakBudget(limits)
      const passed = new Map<string, number>()
      let now = 0
      for (const [name, wait] of queries) {
        now += wait
        if (!budget.spend('sb', '*.x', name, now).spent && !passed.has(name)) passed.set(name, now)
      }
      const total = [...passed.keys()].join('').length
      const windows = Math.floor(now / limits.windowMs) + 1
      return (
        total <= limits.bytesPerDay &&
        passed.size <= limits.names * windows &&
        total <= limits.bytes * windows
      )
    }),
    { numRuns: 200 },
  )
  t.end()
})

void t.test('a flood does not fill the memory', (t) => {
  const budget = new LeakBudget({ ...WIDE, windowMs: 1 })
  let passed = 0
  for (let i = 0; i < 100_000; i += 1) if (!budget.spend('sb', '*.x', `n${i}`, i * 10).spent) passed += 1
  t.equal(passed, 2048, 'names remembered in a day')
  t.match(budget.spend('sb', '*.x', 'n99999', 1e6), { spent: true, limit: 'bytes-per-day' })
  t.end()
})

void t.test('the default: 256 bytes in ten minutes, 2 KiB a day', (t) => {
  const budget = new LeakBudget(DEFAULT_BUDGET)
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
