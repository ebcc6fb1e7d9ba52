import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { changedProgramFiles } from './program-files.js'

void t.test('files that the host runs are listed when they changed', async (t) => {
  const root = t.testdir({ Makefile: '', old: { 'package.json': '{}' }, '.git': { hooks: {} } })
  await sleep(60)
  const since = Date.now()
  const changed = [
    'package.json',
    '.vscode/tasks.json',
    '.husky/pre-commit',
    '.github/workflows/ci.yml',
    'a/x.code-workspace',
  ]
  for (const path of [...changed, 'src/index.ts', 'node_modules/p/package.json', 'sub/.git/config']) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), '')
  }
  const trees = (writable: boolean) => [{ path: root, kind: 'directory' as const, writable }]
  t.strictSame(
    changedProgramFiles(trees(true), since).map((path) => path.slice(root.length + 1)),
    [...changed, 'sub/.git'].sort(),
  )
  t.strictSame(changedProgramFiles(trees(false), since), [])
})
