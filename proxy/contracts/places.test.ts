import t from 'tap'
import { Places } from './places.js'

void t.test('a place that was left is taken by the next one', (t) => {
  const places = new Places<{ readonly name: string }>()
  const [a, b, c] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }]
  const first = places.take(a)
  const second = places.take(b)
  t.strictSame(places.all(), [a, b])
  places.leave(first)
  t.equal(places.size, 1)
  t.notOk(places.has(first, a))
  t.equal(places.take(c), first)
  t.ok(places.has(first, c))
  t.ok(places.has(second, b))
  t.strictSame([places.all(), places.size], [[c, b], 2])
  t.end()
})

void t.test('whoever is told of may leave meanwhile', (t) => {
  const places = new Places<object>()
  const taken = [{}, {}, {}].map((one) => places.take(one))
  places.all().forEach(() => places.leave(taken.pop() ?? -1))
  t.strictSame([places.all(), places.size], [[], 0])
  t.end()
})
