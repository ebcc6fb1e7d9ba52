import t from 'tap'
import { QueryLimiter } from './query-limiter.js'

const RATE = { perSecond: 10, burst: 2 }

const times = (count: number, limiter: QueryLimiter, sandbox: string, now: number) =>
  Array.from({ length: count }, () => limiter.take(sandbox, RATE, now))

void t.test('a burst at once, a second of it late, and the rest not at all', (t) => {
  const limiter = new QueryLimiter()
  t.strictSame(times(2, limiter, 'a', 0), [0, 0])
  t.strictSame(times(10, limiter, 'a', 0), [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000])
  t.strictSame(times(3, limiter, 'a', 0), [null, null, null])
  t.strictSame(times(2, limiter, 'a', 100), [1000, null], 'a denial costs no token')
  t.strictSame(times(2, limiter, 'a', 60_000), [0, 0], 'the debt is paid with time')
  t.end()
})

void t.test('each sandbox has its own tokens', (t) => {
  const limiter = new QueryLimiter()
  times(1_000, limiter, 'a', 0)
  t.equal(limiter.take('a', RATE, 0), null)
  t.equal(limiter.take('b', RATE, 0), 0)
  t.end()
})

void t.test('only so many wait at once, whatever the rate', (t) => {
  const limiter = new QueryLimiter()
  const rate = { perSecond: 1e6, burst: 1 }
  const turns = Array.from({ length: 1_000 }, () => limiter.take('a', rate, 0))
  t.equal(turns.filter((turn) => turn !== null && turn > 0).length, 256)
  t.end()
})

void t.test('a sandbox that is gone takes its own state along, and no other', (t) => {
  const limiter = new QueryLimiter()
  for (const id of ['a', 'ab']) times(20, limiter, id, 0)
  limiter.prune((sandbox) => sandbox !== 'a')
  t.equal(limiter.take('a', RATE, 0), 0)
  t.equal(limiter.take('ab', RATE, 0), null)
  t.end()
})
