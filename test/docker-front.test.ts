import { accessSync, chmodSync, constants, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { docker, DockerGateway, skipWithoutDocker, tryDocker } from './fixtures/docker.js'
import { collect } from './fixtures/run.js'

// sandbox-run on a host with a shell and docker, and no Node: the program runs in the gateway's image.

t.setTimeout(600_000)

/** All that sandbox-run calls there. */
const TOOLS = [
  'sh',
  'docker',
  'cat',
  'chmod',
  'dirname',
  'find',
  'head',
  'hostname',
  'id',
  'mkdir',
  'mkfifo',
  'mktemp',
]
const MORE_TOOLS = ['ps', 'readlink', 'rm', 'sed', 'tr', 'touch']

void t.test('sandbox-run without Node', { skip: skipWithoutDocker() }, async (t) => {
  const gateway = new DockerGateway('agents: { default: { services: all } }\n')
  t.teardown(() => gateway.down())
  await gateway.up()
  const PATH = t.testdir({})
  for (const tool of [...TOOLS, ...MORE_TOOLS]) symlinkSync(find(tool), join(PATH, tool))
  const TMPDIR = join(gateway.directory, 'tmp')
  mkdirSync(TMPDIR)
  const start = (...args: string[]) => gateway.start(args, { PATH, TMPDIR })
  const run = (...args: string[]) => collect(start(...args))

  await t.test('streams, arguments and exit codes', async (t) => {
    const ended = await run(
      '--',
      'sh',
      '-c',
      'printf "%s|" "$@"; echo error >&2; exit 42',
      'sh',
      `it's`,
      '$HOME',
      'a\nb',
    )
    t.match(ended, { code: 42, stdout: `it's|$HOME|a\nb|`, stderr: /^egress: Files to hide .*\nerror\n/ })
    t.equal((await run('--', 'no-such-program')).code, 127)
    const unknown = await run('--agent', 'nobody', '--', 'true')
    t.match(unknown, { code: 125, stderr: 'Unknown agent `nobody`' })
    t.match(await run('--mount', '/', '--', 'true'), {
      code: 125,
      stderr: 'is too broad to share with an agent',
    })
    t.match(await run('--no-such-option', '--', 'true'), { code: 125, stderr: 'no-such-option' })
    t.match(await run('--backend', 'namespaces', '--', 'true'), {
      code: 125,
      stderr: 'Node.js is not installed',
    })
  })

  await t.test('what is shown and hidden, with names that are hard on quoting', async (t) => {
    const beside = join(gateway.directory, `be, "side" it's $x`)
    mkdirSync(join(beside, 'config'), { recursive: true })
    writeFileSync(join(beside, 'config/.envrc'), 'SECRET')
    writeFileSync(join(beside, 'file'), 'shown ')
    for (const path of [beside, join(beside, 'config')]) chmodSync(path, 0o777)
    const look =
      'cd "$1"; cat file config/.envrc; mv config node_modules || echo pinned; echo x >made && cat made'
    const { stdout, stderr } = await run('--mount', `${beside}:rw`, '--', 'sh', '-c', look, 'sh', beside)
    t.equal(stdout, 'shown pinned\nx\n', stderr)

    const [plain, broken] = [join(gateway.directory, 'line'), join(gateway.directory, 'line\n')]
    for (const path of [plain, broken]) {
      mkdirSync(path)
      writeFileSync(join(path, 'file'), JSON.stringify(path))
      t.equal((await run('--workdir', path, '--', 'cat', 'file')).stdout, JSON.stringify(path))
    }
  })

  await t.test('a signal goes to the command', async (t) => {
    const child = start(
      '--',
      'sh',
      '-c',
      'trap "echo got; exit 9" TERM; echo up; while :; do sleep 0.1; done',
    )
    child.stdout?.once('data', () => child.kill('SIGTERM'))
    t.match(await collect(child), { code: 9, stdout: 'up\ngot\n' })
  })

  await t.test('what a killed run leaves, the next one sweeps', async (t) => {
    const child = start('--', 'sh', '-c', 'echo up; sleep 300')
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    child.kill('SIGKILL')
    await sleep(300)
    t.equal((await gateway.networks()).length, 1, 'it did leave something')
    t.equal((await run('--', 'true')).code, 0)
    t.strictSame(await gateway.networksLeft(), [])
  })

  await t.test('nothing is left', async (t) => {
    const programs = () => docker('ps', '-q', '--filter', `label=io.egress.front=${gateway.project}`)
    for (let tries = 0; tries < 100 && readdirSync(TMPDIR).length > 0; tries += 1) await sleep(200)
    t.strictSame(readdirSync(TMPDIR), [])
    for (let tries = 0; tries < 50 && (await programs()) !== ''; tries += 1) await sleep(200)
    t.equal(await programs(), '', 'no program goes on')
    t.equal((await tryDocker('exec', gateway.container('proxy'), 'egress-admin', 'list')).stdout, '')
  })
})

function find(tool: string): string {
  const directories = (process.env['PATH'] ?? '').split(':')
  const found = directories.map((directory) => join(directory, tool)).find(isExecutable)
  if (found === undefined) throw new Error(`${tool} is not installed`)
  return found
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
