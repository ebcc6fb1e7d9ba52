import t from 'tap'
import { QueryLimiter } from './query-limiter.js'

const RATE = { perSecond: 1, burst: 1 }

void t.test('one flood, one record a second, the rest counted', (t) => {
  const limiter = new QueryLimiter()
  t.equal(limiter.take('a', RATE, 0), 'pass')
  t.equal(limiter.take('a', RATE, 0), 'note')
  t.equal(limiter.take('a', RATE, 100), 'drop')
  t.equal(limiter.take('a', RATE, 200), 'drop')
  t.equal(limiter.dropped('a'), 2)
  limiter.settle('a', 2)
  t.equal(limiter.dropped('a'), 0)
  t.equal(limiter.take('b', RATE, 200), 'pass', 'another sandbox has its own tokens')
  t.end()
})

void t.test('a clock that goes back does not silence the records for good', (t) => {
  const limiter = new QueryLimiter()
  limiter.take('a', RATE, 1e9)
  t.equal(limiter.take('a', RATE, 1e9), 'note')
  t.equal(limiter.take('a', RATE, 0), 'note')
  t.end()
})

void t.test('a sandbox that is gone takes its own state along, and no other', (t) => {
  const limiter = new QueryLimiter()
  for (const id of ['a', 'ab']) {
    limiter.take(id, RATE, 0)
    limiter.take(id, RATE, 0)
    limiter.take(id, RATE, 0)
  }
  limiter.prune((sandbox) => sandbox !== 'a')
  t.equal(limiter.dropped('a'), 0)
  t.equal(limiter.take('a', RATE, 0), 'pass')
  t.equal(limiter.dropped('ab'), 1)
  t.equal(limiter.take('ab', RATE, 0), 'drop')
  t.end()
})
