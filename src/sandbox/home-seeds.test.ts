import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { withSeeds } from './home-seeds.js'

void t.test('without seeds the command is as it was', (t) => {
  t.strictSame(withSeeds(['a', 'b'], {}), { command: ['a', 'b'], files: {} })
  t.end()
})

void t.test('seeds are copied where nothing is, and through no link', (t) => {
  const root = t.testdir({ home: { kept: 'mine', old: 'before' }, victim: 'untouched', from: {} })
  const home = join(root, 'home')
  symlinkSync(join(root, 'victim'), join(home, 'link'))
  symlinkSync(join(root, 'made'), join(home, 'dangling'))
  symlinkSync(join(root, 'victim'), join(home, 'replaced'))
  const contents = { 'new file': 'one', 'deep/er/file': 'two', kept: 'no', link: 'no', dangling: 'no' }
  const { command, files } = withSeeds(['sh', '-c', 'echo "$1:$HOME"; exit 7', '--', 'it is'], contents, [
    { path: 'old', from: '/seed/old', replace: true },
    { path: 'replaced', from: '/seed/old', replace: true },
  ])
  t.strictSame(Object.values(files).sort(), ['no', 'no', 'no', 'one', 'two'])
  const place = (path: string) => join(root, 'from', path)
  for (const [path, content] of Object.entries({ ...files, '/seed/old': 'after' })) {
    mkdirSync(join(place(path), '..'), { recursive: true })
    writeFileSync(place(path), content)
  }
  const [program = '', ...words] = command.map((word) =>
    word in files || word === '/seed/old' ? place(word) : word,
  )
  const { status, stdout, stderr } = spawnSync(program, words, {
    env: { HOME: home, PATH: process.env['PATH'] },
    encoding: 'utf8',
  })
  t.equal(stderr, '')
  t.equal(stdout, `it is:${home}\n`)
  t.equal(status, 7, 'the command is what runs in the end')
  const text = (name: string) => readFileSync(join(home, name), 'utf8')
  t.equal(text('new file'), 'one')
  t.equal(text('deep/er/file'), 'two')
  t.equal(statSync(join(home, 'deep/er/file')).mode & 0o777, 0o600)
  t.equal(text('kept'), 'mine')
  t.equal(text('old'), 'after')
  t.equal(text('replaced'), 'after')
  t.notOk(lstatSync(join(home, 'replaced')).isSymbolicLink())
  t.equal(readFileSync(join(root, 'victim'), 'utf8'), 'untouched')
  t.notOk(existsSync(join(root, 'made')))
  t.end()
})
