import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { searchTree, defaultMaskBounds } from './masked-paths.js'
import { findProtected } from './protected-paths.js'
import { showRepository } from './repository.js'
import { resolveMounts } from './resolve-mounts.js'

const root = realpathSync(mkdtempSync(join(tmpdir(), 'egress-repository-')))
t.teardown(() => rmSync(root, { recursive: true }))

function git(directory: string, ...args: string[]): void {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=b', '-c', 'protocol.file.allow=always']
  execFileSync('git', ['-C', directory, ...identity, ...args], { stdio: 'ignore' })
}

function repository(name: string): string {
  const path = join(root, name)
  mkdirSync(path)
  git(path, 'init', '-q', '-b', 'main')
  git(path, 'commit', '-q', '--allow-empty', '-m', 'first')
  return path
}

const view = (workdir: string, mounts: readonly string[] = [], writable = false) =>
  showRepository(
    resolveMounts(
      workdir,
      mounts.map((path) => ({ path, writable: false })),
      writable,
    ),
    null,
  )

const shown = (...given: Parameters<typeof view>) => view(...given).trees.shown

void t.test('a repository needs nothing else', (t) => {
  const main = repository('whole')
  t.same(view(main), { trees: resolveMounts(main, [], false), notes: [] })
  const plain = join(root, 'no-repository')
  mkdirSync(plain)
  t.same(view(plain).notes, [])
  t.end()
})

void t.test('of a worktree, the repository is shown as well, and not writable', (t) => {
  const main = repository('main')
  const tree = join(root, 'tree')
  git(main, 'worktree', 'add', '-q', tree, '-b', 'feature')
  const common = { path: join(main, '.git'), kind: 'directory', writable: false }
  t.same(shown(tree).at(-1), common)
  t.same(view(tree).notes, [])
  t.same(shown(tree, [], true).at(-1), common)
  t.match(view(tree, [], true).notes, [
    `git can read ${main}/.git but not commit: add --mount ${main}/.git:rw`,
  ])
  t.equal(shown(tree, [main]).length, 2, 'it is shown already')
  t.end()
})

void t.test('of a submodule, its git directory', (t) => {
  const library = repository('library')
  const main = repository('super')
  git(main, 'submodule', 'add', '-q', library, 'lib')
  t.same(shown(join(main, 'lib')).at(-1), {
    path: join(main, '.git/modules/lib'),
    kind: 'directory',
    writable: false,
  })
  t.end()
})

void t.test('above a subdirectory and beside a repository that borrows, a note says what to add', (t) => {
  const main = repository('above')
  const below = join(main, 'a/b')
  mkdirSync(below, { recursive: true })
  t.equal(shown(below).length, 1)
  t.same(view(below).notes, [`git needs the rest of the repository ${main}: add --mount ${main}`])
  t.same(view(below, [main]).notes, [])
  git(root, 'clone', '-q', '--shared', main, join(root, 'borrows'))
  const objects = join(main, '.git/objects')
  t.same(view(join(root, 'borrows')).notes, [`git borrows objects from ${objects}: add --mount ${objects}`])
  t.equal(shown(join(root, 'borrows')).length, 1)
  t.end()
})

void t.test('a .git file does not open somebody else’s repository', (t) => {
  const secret = repository('private')
  git(secret, 'worktree', 'add', '-q', join(root, 'others'), '-b', 'others')
  const cases = {
    'the repository itself': join(secret, '.git'),
    'the place of another worktree': join(secret, '.git/worktrees/others'),
    'a place of its own that names it': join(root, 'attack/fake'),
    'a worktree of its own that names it': join(root, 'attack/own/worktrees/x'),
    nothing: join(root, 'absent'),
  }
  const attack = join(root, 'attack')
  mkdirSync(attack)
  for (const place of ['fake', 'own/worktrees/x']) {
    mkdirSync(join(attack, place), { recursive: true })
    writeFileSync(join(attack, place, 'gitdir'), join(attack, '.git'))
    writeFileSync(join(attack, place, 'commondir'), join(secret, '.git'))
    writeFileSync(join(attack, place, 'HEAD'), 'ref: refs/heads/main\n')
  }
  for (const [title, directory] of Object.entries(cases)) {
    writeFileSync(join(attack, '.git'), `gitdir: ${directory}\n`)
    t.same(
      shown(attack).map(({ path }) => path),
      [attack],
      title,
    )
  }
  t.end()
})

void t.test('a git directory that is a tree of its own is protected as one inside a tree', (t) => {
  const main = repository('mounted')
  const path = join(main, '.git')
  const { gitPlaces } = searchTree(path, defaultMaskBounds, [path])
  const shown = [{ path, kind: 'directory' as const, writable: true }]
  const trees = { workdir: path, home: null, shown, links: {} }
  const { readOnly } = findProtected({ trees, policies: [], gitPlaces, install: '/nowhere' })
  const kept = readOnly.map((one) => one.path)
  for (const name of ['config', 'hooks']) t.ok(kept.includes(join(path, name)), name)
  t.end()
})

void t.test('what the settings of git include is protected, and so are the settings of the user', (t) => {
  const main = repository('including')
  const home = join(root, 'including-home')
  const dotfiles = join(root, 'dotfiles')
  for (const directory of [home, dotfiles]) mkdirSync(directory)
  writeFileSync(join(dotfiles, 'gitconfig'), '[include]\n\tpath = ./more\n')
  writeFileSync(join(dotfiles, 'other'), '')
  symlinkSync(join(dotfiles, 'gitconfig'), join(home, '.gitconfig'))
  writeFileSync(join(main, '.git/config'), '[include]\n\tpath = ~/../dotfiles/late\n')
  const before = process.env['HOME']
  process.env['HOME'] = home
  t.teardown(() => (process.env['HOME'] = before))
  const shown = [main, dotfiles].map((path) => ({ path, kind: 'directory' as const, writable: true }))
  const trees = { workdir: main, home: null, shown, links: {} }
  const { readOnly, reserved } = findProtected({
    trees,
    policies: [],
    gitPlaces: [join(main, '.git')],
    install: '/nowhere',
  })
  const readOnlyNames = readOnly.map(({ path }) => path)
  t.ok(readOnlyNames.includes(join(dotfiles, 'gitconfig')))
  t.notOk(readOnlyNames.includes(join(dotfiles, 'other')))
  const names = reserved.map(({ path }) => path)
  for (const name of ['more', 'late']) t.ok(names.includes(join(dotfiles, name)), name)
  t.end()
})

void t.test(
  'what Compose, npm and Node would take for a part of the program is protected or reserved',
  (t) => {
    const install = join(root, 'install')
    mkdirSync(join(install, 'dist'), { recursive: true })
    writeFileSync(join(install, 'docker-compose.yml'), '')
    const project = join(root, 'project-with-egress')
    const inside = join(project, 'node_modules/agent-egress-firewall')
    mkdirSync(join(project, 'node_modules/pino'), { recursive: true })
    mkdirSync(inside)
    const protect = (tree: string, place: string) => {
      const shown = [{ path: tree, kind: 'directory' as const, writable: true }]
      const trees = { workdir: tree, home: null, shown, links: {} }
      const { readOnly, reserved } = findProtected({ trees, policies: [], gitPlaces: [], install: place })
      return [readOnly, reserved].map((paths) => paths.map(({ path }) => path.slice(tree.length + 1)))
    }
    const [kept = [], reserved = []] = protect(install, install)
    t.strictSame(kept.sort(), ['dist', 'docker-compose.yml'])
    for (const name of ['compose.yaml', 'docker-compose.override.yml', '.npmrc', 'node_modules'])
      t.ok(reserved.includes(name), name)
    t.strictSame(protect(root, install)[0], ['install'], 'below a tree it is read-only as a whole')
    t.ok(protect(project, inside)[0]?.includes('node_modules'), 'with the packages that it loads')
    t.notOk(protect(project, install)[0]?.includes('node_modules'), 'which are writable without it')
    t.end()
  },
)
