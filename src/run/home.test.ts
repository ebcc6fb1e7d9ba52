import { existsSync, lstatSync, mkdirSync, symlinkSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { stateDirectory } from '../common/sandbox-writes.js'
import { openHome } from './home.js'

/** A user with a home directory, and a project in it. */
function setUp(t: Test) {
  const before = process.env['HOME']
  t.teardown(() => (before === undefined ? delete process.env['HOME'] : (process.env['HOME'] = before)))
  const root = t.testdir({ user: { project: {}, other: { project: {} } } })
  const user = join(root, 'user')
  process.env['HOME'] = user
  const workdir = join(user, 'project')
  const open = (named: string, from = workdir) => openHome({ named, cwd: workdir, workdir: from, user: null })
  return { root, user, workdir, open }
}

void t.test('a name is a directory that the user alone can enter', (t) => {
  const { user, open } = setUp(t)
  const path = open('work')
  t.equal(path, join(user, '.local/share/egress/homes/work'))
  t.equal(lstatSync(path).mode & 0o777, 0o700)
  t.equal(open('work'), path, 'the same one the next time')
  t.end()
})

void t.test('each project has its own, also two of one name', (t) => {
  const { user, workdir, open } = setUp(t)
  const own = open('project')
  t.match(own, /\/homes\/projects\/project-[0-9a-f]{12}$/)
  t.equal(open('project'), own)
  t.not(open('project', join(user, 'other/project')), own)
  const other = openHome({
    named: 'work',
    cwd: workdir,
    workdir,
    user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
  })
  t.match(other, /\/homes\/uid-\d+\/work$/, 'users of sandboxes do not share them')
  t.end()
})

void t.test('a path is a directory, made if its parent is there', (t) => {
  const { root, open } = setUp(t)
  t.equal(open('../../agent home'), join(root, 'agent home'))
  t.ok(existsSync(join(root, 'agent home')))
  t.end()
})

void t.test('what programs of the user obey is no home of a sandbox', (t) => {
  const { root, user, open } = setUp(t)
  symlinkSync(user, join(root, 'link'))
  mkdirSync(join(root, 'fine'))
  for (const named of [
    ...['.', '..', '../..', '/', '/root', `${user}/`, `${root}/link`, `${root}/fine/../user`],
    ...[homedir(), join(stateDirectory(), 'x'), 'a b', '-x', ''],
  ])
    t.throws(() => open(named), { code: 'EGRESS_USAGE', exitCode: 125 }, named)
  t.notOk(existsSync(join(stateDirectory(), 'x')))
  t.doesNotThrow(() => open(join(root, 'fine')))
  t.end()
})
