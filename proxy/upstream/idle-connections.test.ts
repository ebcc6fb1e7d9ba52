import t from 'tap'
import { IdleConnections } from './idle-connections.js'

/** Connections that tell `idle` of their end, as a pool does. */
function fill(idle: IdleConnections, sandbox: string, count: number) {
  const closed: number[] = []
  const connections = Array.from({ length: count }, (_, i) => {
    const connection = {
      destroy() {
        closed.push(i)
        idle.delete(sandbox, connection)
      },
    }
    idle.add(sandbox, connection)
    return connection
  })
  return { closed, connections }
}

void t.test('a sandbox keeps a few hundred, over all of its pools, and the oldest are closed', (t) => {
  const idle = new IdleConnections()
  const { closed } = fill(idle, 'a', 300)
  t.strictSame(
    closed,
    Array.from({ length: 44 }, (_, i) => i),
  )
  t.strictSame(fill(idle, 'b', 200).closed, [], 'another one has its own')
  t.end()
})

void t.test('where all keep too many, whoever has most loses its oldest', (t) => {
  const idle = new IdleConnections()
  const large = ['a', 'b', 'c'].map((name) => fill(idle, name, 256))
  const small = fill(idle, 'd', 100)
  const late = fill(idle, 'e', 200)
  t.strictSame(small.closed, [])
  t.strictSame(late.closed, [])
  t.equal(large.flatMap(({ closed }) => closed).length, 3 * 256 + 300 - 1_024)
  t.end()
})

void t.test('one that is used again is not idle', (t) => {
  const idle = new IdleConnections()
  const { closed, connections } = fill(idle, 'a', 256)
  for (const connection of connections) idle.delete('a', connection)
  fill(idle, 'a', 256)
  t.strictSame(closed, [])
  t.end()
})
