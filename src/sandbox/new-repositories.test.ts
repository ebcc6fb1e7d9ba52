import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isHarmlessConfig, setNewRepositoriesAside } from './new-repositories.js'

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
