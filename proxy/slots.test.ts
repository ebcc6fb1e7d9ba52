import t from 'tap'
import type { Headers } from '#firewall/credential.js'
import { emptySlots } from './slots.js'

void t.test(
  'what stands in a slot is removed, however the client spells it; the rest stays as it is',
  (t) => {
    const slots = { headers: ['x-key'], query: ['key', 'a b'], cookies: ['sid'] }
    const headers: Headers = { 'x-key': ['1', '2'], other: 'o', cookie: ['a=1; sid=x;sid = y', 'b=2; Sid=3'] }
    const query = emptySlots(slots, headers, '?x=%41&key=1&k%65y=2&key&Key=3&a+b=4&a%20b=5&=6&%zz=7&y')
    t.equal(query, '?x=%41&Key=3&=6&%zz=7&y')
    t.strictSame(headers, { other: 'o', cookie: 'a=1; b=2; Sid=3' })
    t.end()
  },
)

void t.test('nothing is left of a slot that held everything', (t) => {
  const headers: Headers = { cookie: 'sid=1' }
  t.equal(emptySlots({ query: ['k'], cookies: ['sid'] }, headers, '?k=1'), '')
  t.strictSame(headers, {})
  t.equal(emptySlots({}, { a: '1' }, '?'), '?')
  t.end()
})
