import { spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { collect, MAIN } from './fixtures/run.js'

// `egress run claude` and others, with programs of these names that say what they were given.

const KEY = 'sk-ant-api03-R3alKeyThatNobodyMaySee0123456789'
const USER = 1000

const PROGRAM = `#!/bin/sh
echo "program $0"
for word in "$@"; do echo "word $word"; done
env | grep -E '^(ANTHROPIC|OPENAI|HOME|CLAUDE)' | sort
echo "seed $(cat ~/.claude.json | tr -d ' \\n')"
echo changed >made 2>/dev/null && echo "may write"
getent hosts api.anthropic.com >/dev/null && echo 'knows its model'
getent hosts evil.example >/dev/null && echo 'knows others'
curl -sS --max-time 20 -X DELETE https://api.anthropic.com/v1/models/x | grep -o '"reason":"[a-z-]*"'
true
`

/** What is in PATH, without the directories in which somebody has installed agents. */
const WITHOUT_AGENTS = (process.env['PATH'] ?? '')
  .split(':')
  .filter((directory) => !['claude', 'codex', 'gemini'].some((name) => existsSync(join(directory, name))))

/** A user with agents installed in his home directory, in a project without a policy. */
function setUp(t: Test, names: readonly string[] = ['claude', 'codex']) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'egress-recipes-')))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  chmodSync(root, 0o755)
  for (const name of ['user', 'user/bin', 'work']) mkdirSync(join(root, name))
  const user = join(root, 'user')
  for (const name of names) {
    writeFileSync(join(user, 'bin', name), PROGRAM)
    chmodSync(join(user, 'bin', name), 0o755)
  }
  const work = join(root, 'work')
  if (process.getuid?.() === 0) chownSync(work, USER, USER)
  const auditDir = join(root, 'audit')
  const run = (words: readonly string[], env: Record<string, string> = {}) =>
    collect(
      spawn(process.execPath, [MAIN, ...words], {
        cwd: work,
        env: {
          PATH: [join(user, 'bin'), ...WITHOUT_AGENTS].join(':'),
          HOME: user,
          EGRESS_AUDIT_DIR: auditDir,
          ...env,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
  const log = () =>
    readdirSync(auditDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
      .join('')
  return { user, work, run, log }
}

void t.test('two commands: export the key, run', async (t) => {
  const { user, work, run, log } = setUp(t)
  const { code, stdout, stderr } = await run(['run', 'claude', '-p', 'hello there'], {
    ANTHROPIC_API_KEY: KEY,
  })
  t.equal(code, 0, stderr)
  t.match(stdout, 'word -p\nword hello there\n')
  t.match(stdout, /^ANTHROPIC_AUTH_TOKEN=sk-ant-api03-\w+$/m)
  t.notMatch(stdout, /^ANTHROPIC_API_KEY=/m)
  t.notMatch(stdout + stderr + log(), KEY)
  t.match(stdout, /^HOME=.*\/homes\/.*projects\/work-[0-9a-f]{12}$/m)
  t.match(stdout, `"${work}":{"hasTrustDialogAccepted":true`)
  t.match(stdout, 'may write')
  t.match(stdout, 'knows its model')
  t.notMatch(stdout, 'knows others')
  t.match(stdout, '"reason":"no-rule"', 'the rules are those of the preset')
  t.match(stderr, /No egress\.yaml here: Claude Code gets what it needs, and nothing else/)
  t.match(stderr, /\d requests, 2 refused \(api\.anthropic\.com 1, evil\.example 1\)/)
  const seed = join(work, '..', 'user', '.local/share/egress/homes')
  t.ok(
    readdirSync(seed, { recursive: true, encoding: 'utf8' }).some((path) => path.endsWith('/.claude.json')),
  )
  t.match(stdout, `program ${user}/bin/claude`, 'it is shown although it is in the home directory')
})

void t.test('a policy of the project decides alone', async (t) => {
  const { work, run } = setUp(t)
  writeFileSync(join(work, 'egress.yaml'), 'allow: [{ host: pypi.org }]\n')
  const { stdout, stderr } = await run(['run', '--no-home', '--no-write', 'claude'], {
    ANTHROPIC_API_KEY: KEY,
  })
  t.match(stdout, /^HOME=\/home\/agent$/m)
  t.match(stdout, /"hasCompletedOnboarding":true/, 'a home in memory has the seeds, too')
  t.notMatch(stdout, 'may write')
  t.notMatch(stdout, 'ANTHROPIC_AUTH_TOKEN')
  t.notMatch(stdout, 'knows its model')
  t.notMatch(stderr, 'No egress.yaml')
})

void t.test('arguments of a recipe come before those of the user', async (t) => {
  const { run } = setUp(t)
  const { stdout } = await run(['run', 'codex', 'exec', 'x'], { OPENAI_API_KEY: KEY })
  const words = stdout.split('\n').filter((line) => line.startsWith('word '))
  t.ok(words.includes('word sandbox_mode="danger-full-access"'))
  t.strictSame(words.slice(-2), ['word exec', 'word x'])
})

void t.test('what is missing is said, with what to do', async (t) => {
  const { work, run } = setUp(t, ['codex'])
  const none = await run(['run', 'codex'])
  t.equal(none.code, 125)
  t.match(none.stderr, /^egress: Codex needs OPENAI_API_KEY\n {2}Run: export OPENAI_API_KEY=/)
  const absent = await run(['run', 'claude'], { ANTHROPIC_API_KEY: KEY })
  t.equal(absent.code, 127)
  t.match(absent.stderr, /Claude Code is not installed.*\n {2}Run: npm install -g @anthropic-ai\/claude-code/)
  const plain = await run(['run', '--', 'codex'])
  t.equal(plain.code, 127, 'after -- it is a program as any other')
  t.match(plain.stderr, '--mount')
  const named = await run(['run', '--policy', 'none.yaml', 'codex'], { OPENAI_API_KEY: KEY })
  t.match(named.stderr, 'Policy file none.yaml not found')
  writeFileSync(join(work, '.env'), `OPENAI_API_KEY=${KEY}\n`)
  t.equal((await run(['run', 'codex'])).code, 0, '.env beside the policy that is not there')
})

void t.test('egress agents', async (t) => {
  const { user, run } = setUp(t, ['codex'])
  const { stdout, code } = await run(['agents'], {
    OPENAI_API_KEY: KEY,
    PATH: `${join(user, 'bin')}:/nowhere`,
  })
  t.equal(code, 0)
  t.match(
    stdout,
    /^codex +Codex\n +key +OPENAI_API_KEY \(preset openai, set\)\n +program +\/.*\/bin\/codex$/m,
  )
  t.match(
    stdout,
    /^claude +Claude Code\n +key .*not set\)\n +program +not installed here.*npm install -g @anthropic-ai\/claude-code$/m,
  )
  const rows = (await run(['agents', '--json'])).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string })
  t.strictSame(
    rows.map(({ name }) => name),
    ['claude', 'codex', 'gemini', 'aider'],
  )
  t.notMatch(stdout, KEY)
})
