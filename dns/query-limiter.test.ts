import t from 'tap'
import { QueryLimiter } from './query-limiter.js'

void t.test('one flood, one record a second, the rest counted', (t) => {
  const limiter = new QueryLimiter({ perSecond: 1, burst: 1 })
  t.equal(limiter.take('a', 0), 'pass')
  t.equal(limiter.take('a', 0), 'note')
  t.equal(limiter.take('a', 100), 'drop')
  t.equal(limiter.take('a', 200), 'drop')
  t.equal(limiter.dropped('a'), 2)
  limiter.settle('a', 2)
  t.equal(limiter.dropped('a'), 0)
  t.equal(limiter.take('b', 200), 'pass', 'another sandbox has its own tokens')
  t.end()
})

void t.test('a clock that goes back does not silence the records for good', (t) => {
  const limiter = new QueryLimiter({ perSecond: 1, burst: 1 })
  limiter.take('a', 1e9)
  t.equal(limiter.take('a', 1e9), 'note')
  t.equal(limiter.take('a', 0), 'note')
  t.end()
})

void t.test('a sandbox that is gone takes its own state along, and no other', (t) => {
  const limiter = new QueryLimiter({ perSecond: 1, burst: 1 })
  for (const id of ['a', 'ab']) {
    limiter.take(id, 0)
    limiter.take(id, 0)
    limiter.take(id, 0)
  }
  limiter.prune((sandbox) => sandbox !== 'a')
  t.equal(limiter.dropped('a'), 0)
  t.equal(limiter.take('a', 0), 'pass')
  t.equal(limiter.dropped('ab'), 1)
  t.equal(limiter.take('ab', 0), 'drop')
  t.end()
})
