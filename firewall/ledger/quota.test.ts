import t from 'tap'
import { QuotaCounter } from './quota.js'

const HOUR = 3_600_000

void t.test('requests in a window', (t) => {
  const counter = new QuotaCounter()
  const quota = { requests: 2, bytes: null, windowMs: HOUR }
  t.equal(counter.take('sb/jira', quota, 0, 0), 0)
  t.equal(counter.take('sb/jira', quota, 1e12, 1000), 0)
  t.equal(counter.take('sb/jira', quota, 0, 2000), HOUR - 2000)
  t.equal(counter.take('sb/git', quota, 0, 2000), 0, 'another service has its own')
  t.equal(counter.take('sb/jira', quota, 0, HOUR), 0, 'a new window')
  t.end()
})

void t.test('bytes are counted when a request has ended', (t) => {
  const counter = new QuotaCounter()
  const quota = { requests: null, bytes: 100, windowMs: HOUR }
  t.equal(counter.take('sb/s3', quota, 101, 0), HOUR, 'a body that is announced to be too large')
  t.equal(counter.take('sb/s3', quota, 100, 0), 0, 'its control')
  counter.spend('sb/s3', 60, 10)
  t.equal(counter.take('sb/s3', quota, 41, 20), HOUR - 20)
  t.equal(counter.take('sb/s3', quota, 40, 20), 0)
  counter.spend('sb/s3', 1000, 30)
  t.equal(
    counter.take('sb/s3', quota, 0, 40),
    HOUR - 40,
    'what crossed the limit was let through, and is paid for',
  )
  counter.spend('sb/s3', 1000, HOUR + 1)
  t.equal(counter.take('sb/s3', quota, 0, HOUR + 2), 0)
  counter.spend('nobody', 1, 0)
  t.end()
})

void t.test('asking costs nothing, and says what would be', (t) => {
  const counter = new QuotaCounter()
  const quota = { requests: 1, bytes: 10, windowMs: HOUR }
  for (let i = 0; i < 3; i += 1) t.equal(counter.take('sb/a', quota, 0, 0, false), 0)
  counter.spend('sb/a', 100, 1)
  t.equal(counter.take('sb/a', quota, 0, 5), 0, 'no window was opened by asking')
  t.equal(counter.take('sb/a', quota, 0, 10, false), HOUR - 5)
  t.equal(counter.take('sb/a', quota, 0, HOUR + 5, false), 0)
  t.equal(counter.take('sb/a', quota, 0, HOUR + 4), 1, 'and none is ended by it')
  t.end()
})

void t.test('bytes that have reached the limit are all there are', (t) => {
  const counter = new QuotaCounter()
  const quota = { requests: null, bytes: 100, windowMs: HOUR }
  t.equal(counter.take('sb/a', quota, 0, 0), 0)
  counter.spend('sb/a', 99, 0)
  t.equal(counter.take('sb/a', quota, 0, 1), 0, 'one byte is left')
  counter.spend('sb/a', 1, 1)
  t.equal(counter.take('sb/a', quota, 0, 2), HOUR - 2, 'none is, though nothing is announced')
  t.end()
})

void t.test('a window ends at its end, and what comes then belongs to the next one', (t) => {
  const counter = new QuotaCounter()
  const quota = { requests: 1, bytes: 100, windowMs: HOUR }
  t.equal(counter.take('sb/a', quota, 0, 0), 0)
  t.equal(counter.take('sb/a', quota, 0, HOUR - 1), 1)
  counter.spend('sb/a', 100, HOUR)
  t.equal(counter.take('sb/a', quota, 0, HOUR), 0)
  t.equal(counter.take('sb/a', quota, 0, HOUR), HOUR, 'requests count in it')
  counter.spend('sb/a', 100, HOUR + 1)
  t.equal(counter.take('sb/a', { ...quota, requests: null }, 0, HOUR + 2), HOUR - 2, 'and bytes')
  t.end()
})

void t.test('a shorter window after a clock that was set back is not longer than it is', (t) => {
  const counter = new QuotaCounter()
  const daily = { requests: 1, bytes: null, windowMs: 24 * HOUR }
  t.equal(counter.take('sb/a', daily, 0, 0), 0)
  t.equal(counter.take('sb/a', { ...daily, windowMs: HOUR }, 0, 10 * HOUR), HOUR)
  t.equal(
    counter.take('sb/a', daily, 0, 9 * HOUR),
    0,
    'two hours to go in a window of one: the clock was set back',
  )
  t.end()
})

void t.test('windows of those who are still there outlive many others', (t) => {
  const counter = new QuotaCounter()
  const quota = { requests: 1, bytes: null, windowMs: HOUR }
  for (let i = 0; i < 10_000; i += 1) counter.take(`sb${String(i)}/a`, quota, 0, i)
  for (const i of [0, 4_095, 4_096, 9_999]) t.not(counter.take(`sb${String(i)}/a`, quota, 0, 10_000), 0)
  t.end()
})

void t.test('a clock that was set back, and a sandbox that is gone', (t) => {
  const counter = new QuotaCounter()
  const quota = { requests: 1, bytes: null, windowMs: HOUR }
  t.equal(counter.take('sb/a', quota, 0, 10 * HOUR), 0)
  t.equal(counter.take('sb/a', quota, 0, 0), 0, 'nobody waits for eleven hours')
  t.not(counter.take('sb/a', quota, 0, 1), 0)
  counter.prune((key) => key !== 'sb/a')
  t.equal(counter.take('sb/a', quota, 0, 1), 0)
  t.end()
})

void t.test('windows that have ended are dropped', (t) => {
  const counter = new QuotaCounter()
  const quota = { requests: 1, bytes: null, windowMs: 1000 }
  for (let i = 0; i < 5000; i += 1) counter.take(`sb${String(i)}/a`, quota, 0, i)
  t.equal(counter.take('sb4999/a', quota, 0, 5000), 999)
  t.end()
})

void t.test('a new policy with other windows gives nobody a second quota', (t) => {
  const counter = new QuotaCounter()
  const daily = { requests: 2, bytes: null, windowMs: 24 * HOUR }
  const hourly = { ...daily, windowMs: HOUR }
  t.equal(counter.take('sb/a', daily, 0, 0), 0)
  t.equal(counter.take('sb/a', daily, 0, 0), 0)
  t.equal(counter.take('sb/a', hourly, 0, 1000), HOUR, 'what was counted counts on')
  t.equal(counter.take('sb/a', daily, 0, 2000), HOUR - 1000, 'and that window ends once')
  t.equal(counter.take('sb/a', hourly, 0, 1000 + HOUR), 0)
  t.end()
})
