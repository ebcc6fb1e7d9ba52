import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { isHarmlessConfig, setNewRepositoriesAside } from './new-repositories.js'
import { changedProgramFiles } from './program-files.js'

const CLONE = `[core]
	repositoryformatversion = 0
	bare = false
# a comment
[remote "origin"]
	url = https://example.com/x.git
	fetch = +refs/heads/*:refs/remotes/origin/*
[branch "main"]
	remote = origin
`

void t.test('what a clone has makes git run nothing', (t) => {
  t.ok(isHarmlessConfig(''))
  t.ok(isHarmlessConfig(CLONE))
  for (const text of [
    '[core]\n\tfsmonitor = ./x',
    '[CORE]\n\tFSMONITOR = ./x',
    '[core] fsmonitor = ./x',
    '[core]\n\tsshCommand = ./x',
    '[core]\n\thooksPath = x',
    '[core]\n\tbare = false \\\n\tx',
    '[include]\n\tpath = ../x',
    '[includeIf "gitdir:/"]\n\tpath = ../x',
    '[filter "x"]\n\tclean = ./x',
    '[alias]\n\tst = !./x',
    '[diff "x"]\n\ttextconv = ./x',
    '[remote "origin"]\n\tuploadpack = ./x',
    '[remote "origin"]\n\turl = ext::./x',
    '[remote "a\\"]\n\tx"]\n',
    '[extensions]\n\tworktreeConfig = true',
    '[user]\n\tname = a\n[core]\n\teditor = ./x',
    'fsmonitor = ./x',
  ])
    t.notOk(isHarmlessConfig(text), text)
  t.end()
})

void t.test('repositories of a sandbox that make git run programs get another name', (t) => {
  const root = t.testdir({
    '.git': {
      config: '[core]\n\tfsmonitor = mine',
      modules: { a: { config: CLONE }, b: { config: '[alias]\n\tx = !x' } },
    },
    harmless: { '.git': { config: CLONE, hooks: { 'x.sample': '' } } },
    monitor: { '.git': { config: '[core]\n\tfsmonitor = ./x' }, '.git-from-sandbox': '' },
    hooks: { '.git': { config: CLONE, hooks: { 'post-checkout': '' } } },
    common: { '.git': { config: CLONE, commondir: '../x' } },
    node_modules: { a: { 'package.json': '{}', deep: { '.git': { config: '[core]\n\tfsmonitor = ./x' } } } },
    elsewhere: { '.git': 'gitdir: ../monitor/x\n' },
    link: { '.git': t.fixture('symlink', '../monitor/.git') },
    'module-a': { '.git': 'gitdir: ../.git/modules/a\n' },
    'module-b': { '.git': 'gitdir: ../.git/modules/b\n' },
  })
  const plan = {
    shown: [{ path: root, kind: 'directory' as const, writable: true }],
    readOnly: [{ path: join(root, '.git/config'), kind: 'file' as const }],
    hidden: [],
  }
  t.strictSame(
    setNewRepositoriesAside({ ...plan, shown: [{ path: root, kind: 'directory', writable: false }] })
      .setAside,
    [],
  )
  const { setAside, left, complete } = setNewRepositoriesAside(plan)
  const names = ['monitor', 'hooks', 'common', 'node_modules/a/deep', 'elsewhere', 'link', 'module-b']
  t.strictSame(setAside.sort(), names.map((name) => join(root, name, '.git')).sort())
  t.strictSame(left, [])
  t.ok(complete)
  t.strictSame(readdirSync(join(root, 'monitor')).sort(), ['.git-from-sandbox', '.git-from-sandbox-2'])
  for (const name of ['.', 'harmless', 'module-a']) t.ok(existsSync(join(root, name, '.git')), name)
  t.end()
})

void t.test('and so do those without the name .git, wherever the shell of the user goes', (t) => {
  const bare = (config: string) => ({ HEAD: 'ref: refs/heads/x\n', objects: {}, refs: {}, config })
  const monitor = '[core]\n\tbare = false\n\tfsmonitor = ./x'
  const root = t.testdir({
    docs: bare(monitor),
    '.cargo': { HEAD: 'ref: refs/heads/x\n', commondir: '../docs', config: '' },
    'mine.git': { ...bare(monitor), commondir: '', worktrees: { a: { HEAD: 'x', commondir: '../..\n' } } },
    'stolen.git': {
      ...bare(monitor),
      commondir: '',
      worktrees: { b: { HEAD: 'x', commondir: '../..', 'config.worktree': monitor } },
    },
    'clone.git': bare(CLONE),
    src: { HEAD: '', refs: {} },
  })
  const readOnly = ['mine.git', 'stolen.git'].flatMap((name) =>
    ['config', 'commondir'].map((file) => ({ path: join(root, name, file), kind: 'file' as const })),
  )
  const shown = [{ path: root, kind: 'directory' as const, writable: true }]
  const hidden = [{ path: join(root, '.cargo/config'), kind: 'file' as const }]
  const { setAside } = setNewRepositoriesAside({ shown, readOnly, hidden })
  const names = ['docs', '.cargo', 'stolen.git/worktrees/b']
  t.strictSame(setAside.sort(), names.map((name) => join(root, name, 'HEAD')).sort())
  for (const name of names) {
    t.notOk(existsSync(join(root, name, 'HEAD')), name)
    t.ok(existsSync(join(root, name, 'HEAD-from-sandbox')), name)
  }
  for (const name of ['mine.git', 'mine.git/worktrees/a', 'clone.git', 'src'])
    t.ok(existsSync(join(root, name, 'HEAD')), name)
  t.end()
})

void t.test('a path that is too long for the kernel ends the search of nothing else', (t) => {
  const config = '[core]\n\tfsmonitor = ./x'
  // Not a directory of tap's, which cannot remove such paths.
  const root = mkdtempSync(join(tmpdir(), 'egress-deep-'))
  t.teardown(() => execFileSync('rm', ['-rf', root]))
  for (const one of ['last', 'AAA']) {
    mkdirSync(join(root, one, '.git'), { recursive: true })
    writeFileSync(join(root, one, '.git/config'), config)
  }
  const name = 'd'.repeat(250)
  const make = `for i in $(seq 16); do mkdir ${name}; cd ${name} || exit; mkdir .git; printf '${config}' >.git/config; done`
  execFileSync('sh', ['-c', make], { cwd: root })
  const shown = [{ path: root, kind: 'directory' as const, writable: true }]
  const { setAside, left, complete } = setNewRepositoriesAside({ shown, readOnly: [], hidden: [] })
  t.notOk(complete, 'which is said')
  t.strictSame(left, [])
  for (const one of ['last', 'AAA']) t.ok(setAside.includes(join(root, one, '.git')), one)
  t.doesNotThrow(() => changedProgramFiles(shown, 0))
  t.end()
})
