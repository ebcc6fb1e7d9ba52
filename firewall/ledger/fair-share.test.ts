import fc from 'fast-check'
import t from 'tap'
import { FairShare } from './fair-share.js'

const LIMIT = { own: 100, all: 640 }

/** Takes one at a time until it is denied; says how many that were. */
function takeAll(share: FairShare, sandbox: string, limit = LIMIT): number {
  let count = 0
  while (share.take(sandbox, 1, limit)) count += 1
  return count
}

void t.test('a sandbox has its limit, and gets back what it gives back', (t) => {
  const share = new FairShare()
  t.equal(takeAll(share, 'a'), 100)
  share.giveBack('a', 40)
  t.equal(share.of('a'), 60)
  t.equal(share.take('a', 41, LIMIT), false, 'all of it or nothing')
  t.equal(share.of('a'), 60)
  t.equal(share.take('a', 40, LIMIT), true)
  t.equal(share.total, 100)
  t.end()
})

void t.test('whatever others hold, a newcomer gets some', (t) => {
  const share = new FairShare()
  const limit = { own: 1_000, all: 640 }
  const got = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((sandbox) => takeAll(share, sandbox, limit))
  t.strictSame(got.slice(0, 4), [320, 160, 80, 40])
  for (const count of got) t.ok(count >= 10)
  t.ok(takeAll(share, 'newcomer', limit) >= 10)
  t.end()
})

void t.test('what is counted is what is held, and never more than twice the whole', (t) => {
  const step = fc.record({ sandbox: fc.nat(99), amount: fc.nat(50), gives: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const share = new FairShare()
      const held = new Map<string, number>()
      for (const { sandbox: number, amount, gives } of steps) {
        const sandbox = String(number)
        const has = held.get(sandbox) ?? 0
        if (gives) {
          const back = Math.min(has, amount)
          share.giveBack(sandbox, back)
          held.set(sandbox, has - back)
        } else if (share.take(sandbox, amount, LIMIT)) held.set(sandbox, has + amount)
      }
      const total = [...held.values()].reduce((sum, one) => sum + one, 0)
      return (
        share.total === total &&
        total <= 2 * LIMIT.all &&
        [...held].every(([sandbox, count]) => share.of(sandbox) === count && count <= LIMIT.own)
      )
    }),
  )
  t.end()
})

void t.test('each limit to the last one, and not one more', (t) => {
  const limit = { own: 1_000, all: 640 }
  t.equal(takeAll(new FairShare(), 'a', { own: 1_000, all: 5 }), 3, 'of an odd whole, the larger half')
  const own = new FairShare()
  t.equal(own.take('a', 11, { own: 10, all: 640 }), false)
  t.equal(own.take('a', 10, { own: 10, all: 640 }), true)
  const small = new FairShare()
  for (let i = 0; i < 128; i += 1)
    t.equal(small.take(`s${String(i)}`, 10, limit), true, 'small parts, up to twice the whole')
  t.equal(small.take('more', 1, limit), false)
  t.equal(small.total, 1_280)
  small.giveBack('s0', 10)
  t.equal(small.take('more', 10, limit), true)
  small.giveBack('more', 1)
  t.equal(small.take('more', 2, limit), false, 'eleven is no small part')
  t.end()
})
