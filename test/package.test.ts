import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const execute = promisify(execFile)

/** An ordinary user; as one, the test installs and runs everything as itself. */
const USER = 1000
const identity = process.getuid?.() === 0 ? { uid: USER, gid: USER } : {}

/** What `npm pack` makes, installed into an empty prefix by a user who has nothing but the tarball and a registry. */
async function installPackage(directory: string) {
  const home = join(directory, 'home')
  const prefix = join(directory, 'prefix')
  const work = join(directory, 'work')
  // Packed as it is: the build that is under test is the one that ships.
  await execute('npm', ['pack', '--ignore-scripts', '--pack-destination', directory])
  const [tarball = ''] = readdirSync(directory).filter((name) => name.endsWith('.tgz'))
  for (const path of [home, prefix, work]) mkdirSync(path)
  await execute('chown', ['-R', String(identity.uid ?? process.getuid?.()), directory])
  chmodSync(directory, 0o755)
  const env = {
    PATH: `${join(prefix, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: home,
    ...(await registrySettings()),
  }
  const run = (program: string, ...args: string[]) =>
    execute(program, args, { cwd: work, env, ...identity, timeout: 240_000, maxBuffer: 64 * 2 ** 20 })
  await run('npm', 'install', '--global', '--ignore-scripts', '--prefix', prefix, join(directory, tarball))
  return { run, work, prefix }
}

/** How this machine reaches its npm registry: another user has not got the settings of this one. */
async function registrySettings(): Promise<Record<string, string>> {
  const { stdout } = await execute('npm', ['config', 'list', '--json'])
  const config = JSON.parse(stdout) as Record<string, unknown>
  const names = ['registry', 'cafile', 'proxy', 'https-proxy', 'noproxy']
  const settings = names.flatMap((name) => {
    const value = config[name]
    return typeof value === 'string' && value !== '' ? [[`npm_config_${name.replace('-', '_')}`, value]] : []
  })
  const certificates = process.env['NODE_EXTRA_CA_CERTS']
  return {
    ...(Object.fromEntries(settings) as Record<string, string>),
    ...(certificates === undefined ? {} : { NODE_EXTRA_CA_CERTS: certificates }),
  }
}

void t.test('the package runs from an empty prefix, as an ordinary user', { timeout: 600_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'egress-package-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const { run, work, prefix } = await installPackage(directory)

  await t.test('egress run', async (t) => {
    writeFileSync(join(work, 'egress.yaml'), 'allow: []\n', { mode: 0o644 })
    await run('egress', 'run', '--', 'true')
    await t.rejects(
      run('egress', 'run', '--', 'false'),
      { code: 1 },
      'and the exit code is that of the command',
    )
  })

  await t.test('sandbox-run --demo', async (t) => {
    const { stdout } = await run('sandbox-run', '--backend', 'namespaces', '--demo')
    t.match(stdout, /\n(\d+) of \1 checks passed/)
  })

  await t.test('nothing else is in it: no tests, no sources, no maps', (t) => {
    const files = readdirSync(join(prefix, 'lib/node_modules/agent-egress-firewall'), {
      recursive: true,
      encoding: 'utf8',
    }).filter((path) => !path.startsWith('node_modules'))
    const odd = files.filter((path) => /\.test\.js$|\.map$|\.m?ts$|^dist\/bench/.test(path))
    t.strictSame(odd, [])
    t.end()
  })
})
