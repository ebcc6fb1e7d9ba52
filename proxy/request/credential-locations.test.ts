import t from 'tap'
import type { Headers } from '#firewall/contracts/credential.js'
import { secretFields, stripClientCredential } from './credential-locations.js'

void t.test(
  'what stands in a location is removed, however the client spells it; the rest stays as it is',
  (t) => {
    const locations = { headers: ['x-key'], query: ['key', 'a b'], cookies: ['sid'] }
    const headers: Headers = { 'x-key': ['1', '2'], other: 'o', cookie: ['a=1; sid=x;sid = y', 'b=2; Sid=3'] }
    const query = stripClientCredential(
      locations,
      headers,
      '?x=%41&key=1&k%65y=2&key&Key=3&a+b=4&a%20b=5&=6&%zz=7&y',
    )
    t.equal(query, '?x=%41&Key=3&=6&%zz=7&y')
    t.strictSame(headers, { other: 'o', cookie: 'a=1; b=2; Sid=3' })
    t.end()
  },
)

void t.test('nothing is left of a location that held everything', (t) => {
  const headers: Headers = { cookie: 'sid=1' }
  t.equal(stripClientCredential({ query: ['k'], cookies: ['sid'] }, headers, '?k=1'), '')
  t.strictSame(headers, {})
  t.equal(stripClientCredential({}, { a: '1' }, '?'), '?')
  t.end()
})

void t.test('the fields that a credential is in', (t) => {
  t.strictSame(secretFields({}), [])
  t.strictSame(secretFields({ headers: ['authorization'] }), ['authorization'])
  t.strictSame(secretFields({ headers: ['authorization'], path: true }), ['authorization', ':path'])
  t.strictSame(secretFields({ query: ['key'] }), [':path'])
  t.strictSame(secretFields({ path: false, cookies: ['sid'] }), [])
  t.end()
})
