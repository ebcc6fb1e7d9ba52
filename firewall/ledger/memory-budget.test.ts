import t from 'tap'
import { MemoryBudget, MemoryExceeded } from './memory-budget.js'

const LIMIT = { own: 1_000, all: 6_400 }

void t.test('one budget for all that is held of a sandbox', (t) => {
  const memory = new MemoryBudget()
  const [first, second] = [memory.open('a', LIMIT), memory.open('a', LIMIT)]
  first.reserve(600)
  t.throws(() => second.reserve(500), new MemoryExceeded())
  t.equal(second.tryReserve(500), false)
  t.equal(second.tryReserve(400), true)
  memory.open('b', LIMIT).reserve(1_000)
  t.equal(memory.total, 2_000)
  first.release(100)
  t.equal(second.tryReserve(100), true)
  first.release()
  first.release()
  t.equal(memory.total, 1_500, 'nothing is given back twice')
  second.release(9_999)
  t.equal(memory.total, 1_000)
  t.end()
})
