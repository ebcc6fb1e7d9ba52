import { randomBytes } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { MAIN } from './fixtures/run.js'

// Every command from the bundle does what it does from the files that the bundle was made of.

// Node gives this to its children although their environment is another one.
delete process.env['NODE_V8_COVERAGE']

/** Makes the program run from its own files. */
const UNBUNDLED = { NODE_V8_COVERAGE: mkdtempSync(join(tmpdir(), 'egress-unbundled-')) }
t.teardown(() => rmSync(UNBUNDLED.NODE_V8_COVERAGE, { recursive: true, force: true }))

const POLICY = `services:
  github: { use: github, owner: acme, project: app }
allow:
  - { host: pypi.org }
`

function workspace(): { directory: string; env: Record<string, string> } {
  const directory = mkdtempSync(join(tmpdir(), 'egress-bundled-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  // The sandbox's user is not the one that made it.
  chmodSync(directory, 0o755)
  writeFileSync(join(directory, 'egress.yaml'), POLICY)
  return {
    directory,
    env: { PATH: process.env['PATH'] ?? '', HOME: directory, GITHUB_TOKEN: randomBytes(20).toString('hex') },
  }
}

function start(words: readonly string[], more: Record<string, string> = {}) {
  const { directory, env } = workspace()
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...words], {
    cwd: directory,
    env: { ...env, ...more },
    encoding: 'utf8',
    timeout: 120_000,
  })
  const tell = (text: string) =>
    text
      .replaceAll(directory, 'DIR')
      .replace(/\d+ ms/g, 'N ms')
      .replace(/\bsb-[0-9a-f]{10}\b/g, 'SANDBOX')
  return { status, stdout: tell(stdout), stderr: tell(stderr) }
}

t.setTimeout(240_000)

void t.test('the bundle is what runs', (t) => {
  const { directory, env } = workspace()
  const profiled = ['--cpu-prof', '--cpu-prof-dir', directory, '--cpu-prof-name', 'profile', MAIN, 'check']
  for (const [more, bundled] of [
    [{}, true],
    [UNBUNDLED, false],
  ] as const) {
    spawnSync(process.execPath, profiled, { cwd: directory, env: { ...env, ...more } })
    t.equal(readFileSync(join(directory, 'profile'), 'utf8').includes('dist/bundle/program.js'), bundled)
  }
  t.end()
})

const COMMANDS: readonly (readonly string[])[] = [
  ['--version'],
  ['--help'],
  ['run', '--help'],
  ['check'],
  ['check', '--json'],
  ['explain', 'GET', 'https://api.github.com/user'],
  ['explain', 'GET', 'https://evil.example/'],
  ['explain', 'dns', 'pypi.org'],
  ['init', 'other.yaml'],
  ['presets'],
  ['presets', 'github'],
  ['logs'],
  ['reload'],
  ['run', '--', 'sh', '-c', 'echo $EGRESS_AGENT; exit 3'],
  ['run', '--policy', 'none.yaml', '--', 'true'],
  ['run', '--limit', 'nothing=1', '--', 'true'],
  ['run', '--backend', 'other', '--', 'true'],
  ['nothing'],
]

for (const words of COMMANDS)
  void t.test(`egress ${words.join(' ')}`, (t) => {
    t.strictSame(start(words), start(words, UNBUNDLED))
    t.end()
  })

void t.test('egress doctor', (t) => {
  const bundled = start(['doctor'])
  t.equal(bundled.status, 0, bundled.stdout + bundled.stderr)
  t.end()
})

void t.test('a run whose agent makes requests', (t) => {
  const script = `curl -s -o /dev/null -o /dev/null -w '%{http_code} ' https://evil.example/ http://pypi.org:80/x || true
    curl -s http://egress:9199/ -o /dev/null -w '%{http_code}'; getent hosts pypi.org`
  t.strictSame(start(['run', '--', 'sh', '-c', script]), start(['run', '--', 'sh', '-c', script], UNBUNDLED))
  t.end()
})

void t.test('egress serve', async (t) => {
  const holder = createServer()
  // Whoever has the port already will do as well.
  await new Promise<void>((resolve) => holder.once('error', () => resolve()).listen(3128, '0.0.0.0', resolve))
  t.teardown(() => holder.close())
  const { directory } = workspace()
  const bundled = start(['serve', 'proxy'], { EGRESS_STATE_DIR: directory })
  t.match(bundled.stderr, /Cannot listen on port/)
  t.strictSame(bundled, start(['serve', 'proxy'], { EGRESS_STATE_DIR: directory, ...UNBUNDLED }))
})
