import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { eventually } from './fixtures/eventually.js'
import { exampleProject, KEY, WAIT_MS } from './fixtures/example-project.js'
import { skipWithoutNetworks } from './fixtures/own-network.js'

// Each line that `--help` of any command shows as an example, typed into a shell, in a project with a policy, a log, a gateway and
// sandboxes. What each prints is compared with what the line says about it.

t.setTimeout(280_000)

/** The examples that a help text begins with. */
function examplesIn(help: string): string[] {
  const [examples = ''] = help.split('\nUsage:')
  if (!examples.startsWith('Examples:\n')) return []
  return [...examples.matchAll(/^ {2}(?! )(.+?)(?: {2,}.*)?$/gm)].map(([, line = '']) => line)
}

/** The words of all commands: the part of `--help` under `Commands:`, and what is below each. */
async function commandsBelow(
  help: (words: string) => Promise<string>,
  words: readonly string[] = [],
): Promise<string[]> {
  const [, list = ''] = (await help(words.join(' '))).split('\nCommands:\n')
  const names = [...list.matchAll(/^ {2}([a-z]+)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'help')
  const below: string[] = []
  for (const name of names)
    below.push([...words, name].join(' '), ...(await commandsBelow(help, [...words, name])))
  return below
}

/** What an example must print and exit with; `stdout` and 0 by default. */
interface Expected {
  readonly code?: number
  readonly out?: RegExp
  readonly err?: RegExp
  readonly inEmpty?: true
}

void t.test('every example of every command', { skip: skipWithoutNetworks() }, async (test) => {
  const { work, empty, shell, beside, serve, summary } = await exampleProject(test)
  const help = async (words: string) => (await shell(`egress ${words} --help`)).stdout
  const commands = ['', ...(await commandsBelow(help))]
  test.ok(commands.length > 20, commands.join(', '))
  const shown = new Set<string>()
  const without: string[] = []
  for (const command of commands) {
    const examples = examplesIn(await help(command))
    if (examples.length === 0) without.push(command)
    for (const example of examples) shown.add(example)
  }
  test.strictSame(without, [], 'each command has examples')

  const tried = new Set<string>()
  /** Types an example, with the ids of what there is for those that the text has. */
  const check = async (example: string, expected: Expected, ids: Record<string, string> = {}) => {
    tried.add(example)
    test.ok(shown.has(example), `shown: ${example}`)
    const typed = Object.entries(ids).reduce((line, [id, own]) => line.replace(id, own), example)
    const { code, stdout, stderr } = await shell(typed, expected.inEmpty === true ? empty : work)
    test.match(
      { code, stdout, stderr },
      {
        code: expected.code ?? 0,
        stdout: expected.out ?? /^/,
        stderr:
          expected.err ??
          (expected.code === undefined
            ? /^(?!egress: (?!WARNING|OBSERV|\d|Policy|python3 is|git needs))/
            : /^/),
      },
      example,
    )
    return stdout
  }

  // A first policy.
  await check('egress init', { inEmpty: true, out: /egress\.yaml/ })
  test.match(await shell('egress check', empty), { code: 0 })
  await check('egress init --agent claude claude.yaml', { inEmpty: true, out: /claude\.yaml/ })
  test.match(await shell('egress check claude.yaml', empty), { code: 0, stdout: /anthropic/ })
  await check('egress agents', { out: /claude.+Claude Code/ })
  await check('egress agents --json', { out: /^\{"name":"claude"/m })
  await check('egress presets', { out: /^github\b/m })
  await check('egress presets github', { out: /api\.github\.com/ })
  await check('egress check', { out: /api\.example/ })
  await check('egress check new.yaml --json', { out: /^\{.*\}\n$/ })
  await check('egress check --live', { out: /api\.example/ })
  await check('egress explain GET https://api.github.com/', { code: 1, out: /host-not-listed|not listed/i })
  await check('egress explain dns pypi.org', { code: 1, out: /pypi\.org/ })
  await check('egress explain --agent ci --json POST https://api.github.com/graphql', {
    code: 1,
    out: /^\{.*\}\n$/,
  })

  // Runs.
  const ran = /api\.example\/items 200\n.*broken\.example.*unreachable\n.*data\.example\.org.*unreachable/
  test.notMatch(await check('egress run claude', { inEmpty: true, out: /^claude runs$/m }), KEY)
  await check('egress run -- python3 my_agent.py', { out: ran, err: /refused/ })
  await check('egress run --write -- python3 my_agent.py', { out: ran, err: /refused/ })
  await check('egress run --agent ci --label task=123 -- python3 my_agent.py', { out: ran, err: /refused/ })
  await check('egress run --limit memory=2g --env MODE=test -- python3 my_agent.py', {
    out: ran,
    err: /refused/,
  })
  await check('egress run --observe -- python3 my_agent.py', { err: /OBSERVED/ })
  await check('egress doctor', { out: /passed|ok/i })
  await check('egress doctor --agent ci --json', { out: /^\{/ })

  // What they left in the log.
  const records = (await shell('egress logs http --json')).stdout.split('\n')
  const looked =
    records.find((line) => line.includes('"transparent"') && line.includes('"http-request"')) ?? '{}'
  const id = {
    '4f6c01aa': (JSON.parse(looked) as { http?: { request?: { id?: string } } }).http?.request?.id ?? '-',
  }
  await check('egress logs --denied', { out: /DENY/ })
  await check('egress logs --denied --since 10m', { out: /DENY.*data\.example\.org/ })
  await check('egress logs --failed --host api.example', {})
  await check('egress logs --format csv --since 1d', { out: /^time,/ })
  await check('egress logs show 4f6c01aa', { out: /A api\.example[^]*GET https:\/\/api\.example\/items/ }, id)
  await check('egress logs show 4f6c01aa --json', { out: /^\{.*"dns-query"[^]*"http-close"/ }, id)
  await check('egress logs stats', { out: /^\d+ records/ })
  await check('egress logs stats --since 1d --agent ci', { out: /ci/ })
  await check('egress logs stats http --since 1d --agent ci', { out: /ci/ })
  await check('egress logs stats --format markdown', { out: /^[#|]/m })
  await check('egress logs summary >> "$GITHUB_STEP_SUMMARY"', {})
  test.match(summary(), /data\.example\.org/)
  await check('egress logs summary --label task=123', { out: /data\.example\.org/ })
  await check('egress logs verify', { out: /^/ })
  await shell('cp ~/.local/state/egress/audit-key/audit-key.pub.pem gateway.pub.pem')
  await check('egress logs verify --public-key gateway.pub.pem', {})
  await check('egress logs verify --open', {})
  tried.add('egress logs -f')
  const follower = await beside('egress logs -f', /DENY/)
  await follower.stop('SIGINT')

  // From denials to policy.
  const suggestion = /data\.example\.org/
  await check('egress suggest', { out: suggestion })
  await check('egress suggest --since 1h --agent ci', { out: suggestion })
  await shell('cat ~/.local/state/egress/audit/runs/*/http.ndjson > http.ndjson')
  await check('egress suggest http.ndjson', { out: suggestion })
  await check('egress diff egress.yaml new.yaml', { code: 1, out: /^Allows what was denied/ })
  await check('egress diff --json old.yaml egress.yaml', { code: 1, out: /^\{.*\}\n$/ })
  await check('egress suggest --since 1h >> egress.yaml', {})
  test.match(await shell('egress check'), { code: 0, stdout: suggestion }, 'what was added is a policy')
  await check('git show HEAD:egress.yaml > old.yaml && egress diff old.yaml egress.yaml', {
    code: 1,
    out: /data\.example\.org/,
  })
  await check('egress test', { out: /2/ })
  await check('egress test --junit results.xml', {})
  test.match(readFileSync(join(work, 'results.xml'), 'utf8'), '<testsuite')
  await check('egress test new.yaml --replay ~/.local/state/egress/audit', { out: /./ })

  // What is running.
  const sleeper = await beside('egress run --agent research -- sh -c "echo up; sleep 600"', /up/)
  await check('egress sandboxes', { out: /^SANDBOX[^]*research/ })
  const list = await check('egress sandboxes --json', { out: /^\{"id":"sb-/ })
  await check('egress pause research', { out: /^Paused/ })
  await check('egress resume research', { out: /^Resumed/ })
  const { id: sandbox } = JSON.parse(list) as { id: string }
  await check('egress stop sb-0123456789', { out: /^Stopped/ }, { 'sb-0123456789': sandbox })
  await sleeper.stop()
  await check('egress stop --all', { out: /^Stopped/ })
  await check('egress start', { out: /again/ })

  // Requests that wait.
  const asking = await beside(
    `egress run -- sh -c 'for n in 1 2 3 4; do python3 my_agent.py $n & done; echo up; wait'`,
    /up/,
  )
  const pending = async () =>
    (await shell('egress approvals --json')).stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { id: string; state: string })
      .filter(({ state }) => state === 'pending')
      .map((one) => one.id)
  let waiting: string[] = []
  for (const end = Date.now() + WAIT_MS; Date.now() < end && waiting.length < 4;) waiting = await pending()
  const approvals: readonly (readonly [string, RegExp])[] = [
    ['egress approvals ap-5d0c7e', /POST https:\/\/api\.example\/issues/],
    ['egress approve ap-5d0c7e', /^Approved once/m],
    ['egress approve ap-5d0c7e --for 15m', /again and again/],
    ['egress approve ap-5d0c7e --always', /allow: "POST \/issues"/],
    ['egress deny ap-5d0c7e', /^Denied/],
  ]
  await check('egress approvals', { out: /pending/ })
  for (const [index, [example, out]] of approvals.entries())
    await check(example, { out }, { 'ap-5d0c7e': waiting[Math.max(0, index - 1)] ?? '' })
  const answered = /issues (200|403)/g
  test.ok(
    await eventually(() => [...asking.output().matchAll(answered)].length === 4, WAIT_MS),
    asking.output(),
  )
  await asking.stop()

  // A gateway for many.
  tried.add('egress serve')
  const gateway = await serve('egress serve')
  await check('egress reload', { out: /^Policy reloaded/ })
  await gateway.stop()
  const withAdmin = 'egress serve --admin 9901 --admin-token-file egress-admin-token'
  tried.add(withAdmin)
  const admin = await serve(withAdmin)
  test.match(admin.output(), /Admin listener on port 9901/)
  await admin.stop()

  test.strictSame(
    [...shown].filter((example) => !tried.has(example)),
    [],
    'each was tried',
  )
})
