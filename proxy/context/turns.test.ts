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

void t.test('what waits is done in its turn, and what was used up is forgotten with the turns', async (t) => {
  const { done, work, turns } = clocked()
  t.notOk(turns.isBehind('a'))
  // Exactly a slice: the next one waits.
  for (const name of ['first', 'second']) work('b', name, 0.1)
  work('a', 'whole slice', 1)
  work('a', 'waits', 1)
  work('a', 'waits too', 1)
  t.ok(turns.isBehind('a'))
  t.strictSame(done, ['first', 'second', 'whole slice'])
  await turnOfTheLoop()
  t.strictSame(done.slice(3), ['waits'], 'a slice for each turn')
  await turnOfTheLoop()
  t.strictSame(done.slice(3), ['waits', 'waits too'])
  t.notOk(turns.isBehind('a'), 'nothing is left')
  for (let i = 0; i < 3; i += 1) await turnOfTheLoop()
  work('a', 'at once', 1)
  t.equal(done.at(-1), 'at once', 'no debt is left')
})

void t.test('work that its own work adds is done within it, unless something waits before it', async (t) => {
  const { done, work, turns } = clocked()
  work('b', 'other', 0)
  turns.do('a', () => {
    turns.charge('a', 100)
    work('a', 'inner', 0)
    done.push('outer')
  })
  t.strictSame(done, ['other', 'inner', 'outer'])
  const behind = clocked()
  behind.work('b', 'other', 0)
  behind.work('a', 'long', 2)
  behind.work('a', 'waits', 0)
  behind.turns.do('b', () => behind.work('a', 'later', 0))
  t.strictSame(behind.done, ['other', 'long'])
  for (let i = 0; i < 4; i += 1) await turnOfTheLoop()
  t.strictSame(behind.done, ['other', 'long', 'waits', 'later'])
})

void t.test('what fails leaves the turn to others', (t) => {
  const { turns, work, done } = clocked()
  t.throws(() =>
    turns.do('a', () => {
      throw new Error('a bug')
    }),
  )
  work('a', 'next', 0)
  t.strictSame(done, ['next'])
  t.end()
})

void t.test('a sandbox counts as alone a second after the last of another', (t) => {
  for (const [at, most] of [
    [900, 2],
    [999.5, 2],
    [1_000, 20],
  ] as const) {
    let now = 0
    let done = 0
    const turns = new Turns(() => now)
    turns.do('b', () => undefined)
    turns.do('a', () => undefined)
    // The clock stands still while it is asked how long the other one is gone.
    const pieces = Array.from({ length: 30 }, () => () => {
      turns.charge('a', 0.5)
      done += 1
    })
    now = at
    for (const piece of pieces) turns.do('a', piece)
    t.equal(done, most, String(at))
  }
  t.end()
})

void t.test('turns in which a sandbox does nothing earn it nothing', async (t) => {
  const { done, work, turns } = clocked()
  work('b', 'other', 0.1)
  turns.charge('a', 0.4)
  for (let i = 0; i < 6; i += 1) await turnOfTheLoop()
  work('b', 'still there', 0.1)
  done.length = 0
  for (const name of ['a0', 'a1', 'a2', 'a3']) work('a', name, 0.5)
  t.strictSame(done, ['a0', 'a1'])
  await turnOfTheLoop()
  t.strictSame(done, ['a0', 'a1', 'a2', 'a3'])
})

void t.test('what a piece adds comes behind the pieces that wait already', async (t) => {
  const { done, work, turns } = clocked()
  work('b', 'other', 0)
  work('a', 'long', 1)
  turns.do('a', () => {
    done.push('piece')
    work('a', 'added', 0)
  })
  work('a', 'before it', 0)
  for (let i = 0; i < 4; i += 1) await turnOfTheLoop()
  t.strictSame(done, ['other', 'long', 'piece', 'before it', 'added'])
})
