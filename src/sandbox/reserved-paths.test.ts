import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { ReservedPath } from './plan.js'
import { reserve as reserveAll, sweepReserved } from './reserved-paths.js'

const reserve = (
  reserved: ReservedPath[],
  state: string,
  id: string,
  readOnly: ReservedPath[] = [],
  pinned: string[] = [],
) => reserveAll({ reserved, readOnly, pinned }, state, id)

void t.test('reserved names exist until the last run ends, and are removed after a crash', (t) => {
  const root = t.testdir({ state: {}, work: {} })
  const work = join(root, 'work')
  const state = join(root, 'state')
  const paths = [
    { path: join(work, 'egress.yaml'), kind: 'file' as const, content: '' },
    { path: join(work, 'commondir'), kind: 'file' as const, content: '.\n' },
    { path: join(work, '.git'), kind: 'directory' as const, content: '' },
  ]
  const first = reserve(paths, state, 'a')
  t.strictSame(readdirSync(work).sort(), ['.git', 'commondir', 'egress.yaml'])
  const second = reserve(paths, state, 'b')
  first()
  t.strictSame(readdirSync(work).length, 3, 'another run still needs them')
  second()
  t.strictSame(readdirSync(work), [])

  const creates = reserve(paths, state, 'a')
  const finds = reserve([], state, 'b', paths.slice(0, 2), [join(work, '.git')])
  creates()
  t.strictSame(
    readdirSync(work).length,
    3,
    'a run that has found them and mounted something over them still needs them',
  )
  finds()
  t.strictSame(readdirSync(work), [])

  reserve(paths, state, 'c')
  const list = join(state, 'c.json')
  writeFileSync(list, readFileSync(list, 'utf8').replace(/"owner":"[^"]*\/(\d+)"/, '"owner":"gone/1/1/1"'))
  writeFileSync(join(work, 'egress.yaml'), 'allow: []\n')
  sweepReserved(state)
  t.strictSame(readdirSync(work), ['egress.yaml'], 'what the user has written stays')
  t.notOk(existsSync(list))

  const third = reserve(paths, state, 'd')
  third()
  t.strictSame(readdirSync(work), ['egress.yaml'])
  t.throws(() => reserve([{ path: join(work, 'no/such/x'), kind: 'file', content: '' }], state, 'e'), {
    code: 'EGRESS_SANDBOX_RESERVE',
  })
  t.strictSame(readdirSync(state), [])
  t.end()
})
