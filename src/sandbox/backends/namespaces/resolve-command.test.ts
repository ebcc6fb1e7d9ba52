import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { installationOf, pathInside, resolveCommand } from './resolve-command.js'
import { SandboxError } from '../../sandbox-error.js'

const root = realpathSync(mkdtempSync(join(tmpdir(), 'egress-command-')))
t.teardown(() => rmSync(root, { recursive: true }))

function program(path: string, mode = 0o755): string {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, '#!/bin/sh\n')
  chmodSync(file, mode)
  return file
}

function link(path: string, target: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  symlinkSync(target, join(root, path))
}

const tool = program('sys/bin/tool')
const node = program('u/.nvm/versions/node/v20.1.0/bin/node')
program('u/.nvm/versions/node/v20.1.0/lib/node_modules/npm/bin/npm-cli.js')
link('u/.nvm/versions/node/v20.1.0/bin/npm', '../lib/node_modules/npm/bin/npm-cli.js')
program('u/.pyenv/shims/python3')
program('u/.local/bin/single')
program('opt/thing/bin/thing')
link('sys/bin/linked', join(root, 'opt/thing/bin/thing'))
program('work/script', 0o644)
program('work/run')

const trees = [join(root, 'sys'), join(root, 'work')]
const path = [
  'sys/bin',
  'u/.nvm/versions/node/v20.1.0/bin',
  'u/.pyenv/shims',
  'u/.local/bin',
  'opt/thing/bin',
]
  .map((directory) => join(root, directory))
  .join(':')
const resolve = (command: string, extra: string[] = []) =>
  resolveCommand({ command, workdir: join(root, 'work'), path, trees: [...trees, ...extra] })

function denial(command: string): SandboxError {
  try {
    resolve(command)
  } catch (error) {
    if (error instanceof SandboxError) return error
  }
  throw new Error(`${command} was not refused`)
}

void t.test('what the sandbox shows is found', (t) => {
  t.same(resolve('tool'), { file: tool, warning: null })
  t.equal(resolve('./run').file, join(root, 'work/run'))
  t.equal(resolve(tool).file, tool)
  t.equal(resolve('node', [join(root, 'u/.nvm/versions/node/v20.1.0')]).file, node)
  t.end()
})

void t.test('what only the host has is refused with the mount that would help', (t) => {
  const cases = {
    node: '--mount u/.nvm/versions/node/v20.1.0',
    npm: '--mount u/.nvm/versions/node/v20.1.0',
    python3: '--mount u/.pyenv',
    single: '--mount u/.local/bin',
    thing: '--mount opt/thing',
    linked: '--mount opt/thing',
  }
  for (const [command, mount] of Object.entries(cases)) {
    const { exitCode, fix } = denial(command)
    t.equal(exitCode, 127, command)
    t.equal(fix, `Add ${mount.replace('--mount ', `--mount ${root}/`)}`)
  }
  t.end()
})

void t.test('not executable is 126, not there is 127', (t) => {
  t.equal(denial('./script').exitCode, 126)
  t.equal(denial('./').exitCode, 126)
  t.equal(denial('nothing-of-that-name').exitCode, 127)
  t.equal(denial('./nothing').exitCode, 127)
  t.equal(denial('').exitCode, 127)
  t.equal(denial('A=b').exitCode, 127)
  t.end()
})

void t.test('another program outside is worth a warning', (t) => {
  program('sys/bin/both')
  program('opt/first/bin/both')
  const { warning } = resolveCommand({
    command: 'both',
    workdir: join(root, 'work'),
    path: `${join(root, 'opt/first/bin')}:${path}`,
    trees,
  })
  t.match(warning, `--mount ${join(root, 'opt/first')}`)
  t.end()
})

void t.test('PATH inside keeps the order, and only what is visible', (t) => {
  t.equal(pathInside(`relative:${path}:${join(root, 'work')}::`, trees), `${root}/sys/bin:${root}/work`)
  t.match(pathInside('/nowhere', trees), '/usr/local/bin:/usr/bin:/bin')
  t.end()
})

void t.test('a shared bin directory does not stand for what is around it', (t) => {
  t.equal(installationOf('/home/u/bin/x'), '/home/u/bin')
  t.equal(installationOf('/root/bin/x'), '/root/bin')
  t.equal(installationOf('/home/u/.cargo/bin/x'), '/home/u/.cargo')
  t.equal(installationOf('/srv/app/x'), '/srv/app')
  t.end()
})
