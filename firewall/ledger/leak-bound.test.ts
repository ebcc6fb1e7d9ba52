import t from 'tap'
import { NAME_PROFILES } from '../names/name-profiles.js'
import { leakBoundBits } from './leak-bound.js'

const DAY_MS = 86_400_000
const budget = (names: number, bytes: number) => ({ names, bytes, bytesPerDay: bytes, windowMs: DAY_MS })

void t.test('the bound counts what can be told apart', (t) => {
  // One name of one character: 39 names at 86,400 seconds, or none at all.
  t.equal(leakBoundBits(budget(1, 1)), Math.ceil(Math.log2(39 * 86_401)))
  // Two characters: one name of two, or two of one each, in this order.
  const one = 39 ** 2 * 86_401
  const two = 39 ** 2 * ((86_402 * 86_401) / 2)
  t.ok(leakBoundBits(budget(2, 2)) >= Math.log2(two))
  t.ok(two > one)
  t.equal(leakBoundBits(budget(0, 10)), 0)
  t.end()
})

void t.test('what the documentation says', (t) => {
  t.strictSame(
    Object.fromEntries(Object.entries(NAME_PROFILES).map(([name, one]) => [name, leakBoundBits(one.budget)])),
    { default: 24_927, strict: 7_232, 'random-labels': 13_459 },
  )
  t.end()
})
