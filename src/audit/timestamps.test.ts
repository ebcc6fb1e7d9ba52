import fc from 'fast-check'
import t from 'tap'
import { Timestamps } from './timestamps.js'

void t.test('what Date makes of a time, in whatever order times come', (t) => {
  const timestamps = new Timestamps()
  const at = fc.oneof(
    fc.integer({ min: 0, max: 4e12 }),
    fc.integer({ min: 1_699_999_999_990, max: 1_700_000_001_010 }),
    fc.double({ min: 0, max: 4e12, noNaN: true }),
  )
  fc.assert(fc.property(at, (at) => timestamps.format(at) === new Date(at).toISOString()))
  t.end()
})
