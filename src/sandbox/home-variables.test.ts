import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { homeVariables } from './home-variables.js'

void t.test(
  'npm installs programs for everybody into the home directory, where PATH finds them last',
  (t) => {
    const directory = t.testdir({
      package: { 'package.json': '{"name":"left","version":"1.0.0","bin":"left.sh"}' },
    })
    writeFileSync(join(directory, 'package/left.sh'), '#!/bin/sh\necho left\n', { mode: 0o755 })
    const home = join(directory, 'home')
    mkdirSync(home)
    const env = homeVariables(home, process.env['PATH'])
    const words = ['install', '-g', '--offline', '--no-audit', '--no-update-notifier', '--install-links']
    const { stderr } = spawnSync('npm', [...words, join(directory, 'package')], { env, encoding: 'utf8' })
    t.equal(spawnSync('left', [], { env, encoding: 'utf8' }).stdout, 'left\n', stderr)
    t.match(env['PATH'], /.:.*\/home\/\.local\/bin$/)
    t.end()
  },
)

void t.test('the PATH of an image stays as it is', (t) => {
  t.notOk('PATH' in homeVariables('/home/agent', undefined))
  t.end()
})
