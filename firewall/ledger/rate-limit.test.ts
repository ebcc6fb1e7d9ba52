import fc from 'fast-check'
import t from 'tap'
import { RateLimiter } from './rate-limit.js'

void t.test('a burst, then one token at a time', (t) => {
  const limiter = new RateLimiter()
  const limit = { perSecond: 2, burst: 3 }
  t.strictSame(
    [0, 0, 0, 0].map((now) => limiter.take('a', limit, now)),
    [0, 0, 0, 500],
  )
  t.equal(limiter.take('a', limit, 250), 250, 'a refusal costs nothing')
  t.equal(limiter.take('a', limit, 500), 0)
  t.equal(limiter.take('a', limit, 500), 500)
  t.strictSame(
    [0, 0, 0, 0].map(() => limiter.take('a', limit, 1e9)),
    [0, 0, 0, 500],
    'no more than the burst is saved up',
  )
  t.end()
})

void t.test('less than one in a second', (t) => {
  const limiter = new RateLimiter()
  const limit = { perSecond: 0.1, burst: 1 }
  t.equal(limiter.take('a', limit, 0), 0)
  t.equal(limiter.take('a', limit, 0), 10_000)
  t.equal(limiter.take('a', limit, 10_000), 0)
  t.end()
})

void t.test('keys are apart, and what is gone is forgotten', (t) => {
  const limiter = new RateLimiter()
  const limit = { perSecond: 1, burst: 1 }
  t.equal(limiter.take('sb-1/api', limit, 0), 0)
  t.equal(limiter.take('sb-1/jira', limit, 0), 0)
  t.equal(limiter.take('sb-12/api', limit, 0), 0)
  limiter.prune((key) => !key.startsWith('sb-1/'))
  t.equal(limiter.take('sb-1/api', limit, 0), 0)
  t.ok(limiter.take('sb-12/api', limit, 0) > 0)
  t.end()
})

void t.test('a clock that goes back locks nobody out', (t) => {
  const limiter = new RateLimiter()
  const limit = { perSecond: 1, burst: 1 }
  limiter.take('a', limit, 1e12)
  t.equal(limiter.take('a', limit, 0), 1_000)
  t.equal(limiter.take('a', limit, 1_000), 0)
  t.end()
})

void t.test('over any time, at most the burst and what came in', (t) => {
  const limits = fc.record({
    perSecond: fc.integer({ min: 1, max: 50 }),
    burst: fc.integer({ min: 1, max: 20 }),
  })
  fc.assert(
    fc.property(limits, fc.array(fc.nat(300), { maxLength: 200 }), (limit, waits) => {
      const limiter = new RateLimiter()
      let now = 0
      let passed = 0
      for (const wait of waits) {
        now += wait
        const retry = limiter.take('a', limit, now)
        if (retry === 0) passed += 1
        else if (retry < 0 || retry > 1_000 / limit.perSecond + 1) return false
      }
      return passed <= limit.burst + (now / 1_000) * limit.perSecond + 1e-6
    }),
  )
  t.end()
})

void t.test('asking takes nothing, and saves nothing up', (t) => {
  const limiter = new RateLimiter()
  const limit = { perSecond: 1, burst: 2 }
  for (let i = 0; i < 5; i += 1) t.equal(limiter.take('a', limit, 0, false), 0)
  t.strictSame(
    [0, 0, 0].map((now) => limiter.take('a', limit, now)),
    [0, 0, 1_000],
  )
  t.equal(limiter.take('a', limit, 400, false), 600)
  t.equal(limiter.take('a', limit, 400), 600)
  t.end()
})

void t.test('tokens ahead, up to a debt', (t) => {
  const limiter = new RateLimiter()
  const limit = { perSecond: 2, burst: 2 }
  const ahead = () => limiter.takeAhead('a', limit, 0, 3)
  t.strictSame([ahead(), ahead(), ahead(), ahead(), ahead(), ahead()], [0, 0, 500, 1_000, 1_500, null])
  t.equal(limiter.takeAhead('a', limit, 500, 3), 1_500, 'a denial costs nothing')
  t.equal(limiter.take('a', limit, 500), 2_000)
  t.equal(limiter.takeAhead('a', limit, 1e9, 0), 0)
  t.equal(limiter.takeAhead('a', limit, 1e9, 0), 0)
  t.equal(limiter.takeAhead('a', limit, 1e9, 0), null, 'no more than the burst is saved up')
  t.end()
})

void t.test('what was used is drawn, whether it is there or not', (t) => {
  const limiter = new RateLimiter()
  const limit = { perSecond: 10, burst: 100 }
  limiter.draw('a', limit, 40, 0)
  t.equal(limiter.take('a', limit, 0, false), 0, 'sixty are left')
  limiter.draw('a', limit, 100, 0)
  t.equal(limiter.take('a', limit, 0), 4_100)
  limiter.draw('a', limit, 10, 4_000)
  t.equal(limiter.take('a', limit, 4_000), 1_100, 'what came in meanwhile counts')
  limiter.draw('a', limit, 0, 3_000)
  t.equal(limiter.take('a', limit, 3_000), 1_100, 'and no time that did not pass')
  limiter.draw('a', limit, 100, 1e9)
  t.equal(limiter.take('a', limit, 1e9), 100, 'no more than the burst is saved up')
  t.end()
})

void t.test('only full buckets are dropped, for a new one is the same', (t) => {
  const limit = { perSecond: 1, burst: 2 }
  for (const [now, waitMs] of [
    [0, 1_000],
    [500, 500],
    [1_000, 1_000],
  ] as const) {
    const limiter = new RateLimiter()
    limiter.draw('a', limit, 2, 0)
    limiter.forgetFull(limit, now)
    if (now === 1_000) limiter.draw('a', limit, 1, now)
    t.equal(limiter.take('a', limit, now), waitMs)
  }
  // One that would fill up under another limit is not full under its own.
  const limiter = new RateLimiter()
  limiter.draw('full', limit, 2, 0)
  limiter.forgetFull(limit, 2_000)
  t.equal(limiter.take('full', { perSecond: 1, burst: 5 }, 2_000), 0)
  t.equal(limiter.take('full', { perSecond: 1, burst: 5 }, 2_000), 0)
  t.equal(
    limiter.take('full', { perSecond: 1, burst: 5 }, 2_000),
    0,
    'it was forgotten, and begins with a burst',
  )
  t.end()
})
