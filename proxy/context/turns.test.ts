import t from 'tap'
import { Turns } from './turns.js'

const turnOfTheLoop = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Work that takes so many milliseconds of a clock that nothing else moves. */
function clocked() {
  let now = 0
  const done: string[] = []
  const turns = new Turns(() => now)
  const work = (sandbox: string, name: string, milliseconds: number) =>
    turns.do(sandbox, () => {
      now += milliseconds
      done.push(name)
    })
  return { turns, done, work }
}

void t.test(
  'what a sandbox has beyond its slice waits, in order, and nobody else waits for it',
  async (t) => {
    const { done, work } = clocked()
    work('b', 'first', 0.1)
    work('a', 'first', 0)
    done.length = 0
    for (let i = 0; i < 6; i += 1) work('a', `a${String(i)}`, 0.4)
    work('b', 'b0', 0.4)
    t.strictSame(done, ['a0', 'a1', 'a2', 'b0'])
    await turnOfTheLoop()
    work('b', 'b1', 0.4)
    t.ok(done.indexOf('b1') < 8)
    for (let i = 0; i < 6; i += 1) await turnOfTheLoop()
    t.strictSame(
      done.filter((name) => name.startsWith('a')),
      ['a0', 'a1', 'a2', 'a3', 'a4', 'a5'],
    )
  },
)

void t.test('one long piece is paid for with the turns that follow', async (t) => {
  const { done, work, turns } = clocked()
  work('b', 'first', 0.1)
  await turnOfTheLoop()
  done.length = 0
  work('a', 'long', 4.5)
  work('a', 'next', 0.1)
  for (let i = 0; i < 3; i += 1) {
    await turnOfTheLoop()
    t.notOk(done.includes('next'))
    work('b', `b${String(i)}`, 0.1)
  }
  t.ok(turns.isBehind('a'))
  for (let i = 0; i < 3; i += 1) await turnOfTheLoop()
  t.strictSame(done, ['long', 'b0', 'b1', 'b2', 'next'])
  turns.charge('a', 3)
  work('a', 'after a handshake', 0.1)
  t.notOk(done.includes('after a handshake'))
})

void t.test('work within work is not counted twice; its result and its failure are passed on', async (t) => {
  const { turns } = clocked()
  t.equal(await turns.enter('a', () => turns.enter('a', () => Promise.resolve('inner'))), 'inner')
  await t.rejects(
    turns.enter('a', () => Promise.reject(new Error('no'))),
    { message: 'no' },
  )
})

void t.test('a sandbox alone has more of a turn, until another one comes', (t) => {
  const { done, work } = clocked()
  for (let i = 0; i < 30; i += 1) work('a', `a${String(i)}`, 0.4)
  t.equal(done.length, 25)
  work('b', 'b0', 0.1)
  t.equal(done.at(-1), 'b0')
  for (const name of ['c0', 'c1', 'c2']) work('c', name, 0.9)
  t.strictSame(done.slice(-2), ['c0', 'c1'])
  t.end()
})
