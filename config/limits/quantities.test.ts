import t from 'tap'
import { parseDuration, parseSize } from './quantities.js'

void t.test('durations and sizes', (t) => {
  t.equal(parseDuration('250ms'), 250)
  t.equal(parseDuration('1.5h'), 5_400_000)
  t.equal(parseSize('5GiB'), 5_368_709_120)
  t.equal(parseSize('10 MB'), 10_000_000)
  for (const text of ['', '10', '-1s', '1e3s', '1 fortnight', '1constructor', '10gb', 's']) {
    t.equal(parseDuration(text), null, text)
    t.equal(parseSize(text), null, text)
  }
  t.end()
})
