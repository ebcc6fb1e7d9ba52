import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { BROKEN_POLICIES } from './broken-policies.js'
import { PolicyError, type PolicyIssue } from './issues/issue.js'
import { loadPolicy } from './load.js'
import { TEST_CA, TEST_KINDS, writeFiles } from './test-fixtures.js'

const TOKEN = 'correct-horse-battery-1'

const FILES = {
  'ca.pem': TEST_CA,
  'text.pem': 'not a certificate\n',
  'key.pem': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
}

async function issuesOf(
  cwd: string,
  text: string | Buffer,
  env: Readonly<Record<string, string>> = {},
): Promise<readonly PolicyIssue[]> {
  writeFiles(cwd, { 'egress.yaml': text })
  try {
    await loadPolicy('egress.yaml', { kinds: TEST_KINDS, env: { TOKEN, ...env }, cwd })
    return []
  } catch (error) {
    if (error instanceof PolicyError) return error.issues
    throw error
  }
}

for (const { name, text, line, column, problem, fix, edit, env } of BROKEN_POLICIES) {
  void t.test(name, async (t) => {
    const cwd = writeFiles(t.testdir({}), FILES)
    const issues = await issuesOf(cwd, text, env)
    t.equal(issues.length, 1, 'one error, one issue')
    const [issue] = issues
    t.match(issue, { file: 'egress.yaml', line, column, problem, fix })
    const secrets = [TOKEN, 's3cretpassw0rd', 'ghp_', ...Object.values(env ?? {})]
    const repeated = secrets.filter((secret) => secret !== '' && JSON.stringify(issues).includes(secret))
    t.strictSame(repeated, [], 'no value is repeated')
    const fixed = text.replace(edit[0], edit[1])
    t.not(fixed, text)
    t.same(await issuesOf(cwd, fixed), [], 'the fixed control loads')
  })
}

void t.test('all errors are reported together, in order', async (t) => {
  const cwd = t.testdir({})
  const issues = await issuesOf(
    cwd,
    `services:
  a:
    url: http://127.0.0.1
    rules: [{ allow: get /** }]
  b:
    url: https://b.example.com
    rulez: [{ allow: GET /** }]
  c:
    url: https://c.example.com
    credential: { bearer: "\${MISSING}" }
    rate: 5
    rules: [{ deny: GET /** }]
allow:
  - host: "*.com"
agents:
  x: { services: [b, d] }
dns: { window: soon }
`,
  )
  t.same(
    issues.map(({ line, column }) => [line, column]),
    [
      [3, 10],
      [4, 22],
      [7, 5],
      [10, 27],
      [11, 11],
      [12, 5],
      [14, 11],
      [16, 22],
      [17, 16],
    ],
  )
})

void t.test('a message has a position, a problem and a fix', async (t) => {
  const cwd = writeFiles(t.testdir({}), { 'egress.yaml': 'allow:\n  - host: "*.com"\n' })
  await t.rejects(loadPolicy('egress.yaml', { kinds: TEST_KINDS, env: {}, cwd }), {
    code: 'EGRESS_POLICY',
    message: /^egress\.yaml:2:11: `\*\.com` is too broad: .*\n {2}Name a domain under it/,
  })
})

void t.test('files that are not text', async (t) => {
  const cwd = writeFiles(t.testdir({ directory: {} }), {})
  const load = (file: string) => loadPolicy(file, { kinds: TEST_KINDS, env: {}, cwd })
  await t.rejects(load('directory'), { message: /^directory:1:1: Expected a file, found a directory/ })
  t.match(await issuesOf(cwd, Buffer.from([0x61, 0xff, 0xfe])), [{ problem: /not valid UTF-8/ }])
  t.match(await issuesOf(cwd, 'a: "\u0007"\n'), [{ line: 1, column: 5, problem: /control byte/ }])
  t.match(await issuesOf(cwd, '%YAML 1.1\n---\nallow: []\n'), [{ problem: /Unsupported YAML version/ }])
  t.match(await issuesOf(cwd, '__proto__: { x: 1 }\n'), [{ line: 1, column: 1, problem: /is not allowed/ }])
  t.match(await issuesOf(cwd, 'allow: !!binary aGVsbG8=\n'), [{ line: 1 }])
})

void t.test('alias bombs are rejected without being expanded', async (t) => {
  const levels = Array.from({ length: 30 }, (_, i) => `x${i}: &x${i} [*x${i - 1}, *x${i - 1}]`).slice(1)
  const issues = await issuesOf(t.testdir({}), `x0: &x0 [a]\n${levels.join('\n')}\n`)
  t.match(issues[0], { line: 1, column: 5, problem: /anchor/ })
})

void t.test('errors in .env and in secret files quote nothing of the file', async (t) => {
  const policy =
    'services: { a: { url: "https://a.example.com", credential: { bearer: "${A_KEY}" }, rules: [{ allow: GET /** }] } }\n'
  const cwd = writeFiles(t.testdir({ directory: {} }), { '.env': '# mine\nA_KEY=hunter2 hunter3\n' })
  t.match(await issuesOf(cwd, policy), [{ file: '.env', line: 2, column: 7, problem: /not quoted/ }])
  t.same(await issuesOf(cwd, policy, { A_KEY: 'hunter2hunter2' }), [], 'the variable decides')
  writeFiles(cwd, { '.env': 'A_KEY=hunter2hunter2\nhunter3hunter3\nB = hunter4\nA_KEY2="open\n' })
  t.same(await issuesOf(cwd, policy), [], 'lines that the policy does not need')
  writeFiles(cwd, { '.env': 'A_KEY=two words\n', 'egress.env': "A_KEY='hunter2 hunter2'\n" })
  t.same(await issuesOf(cwd, policy), [], 'egress.env decides')
  writeFiles(cwd, { '.env': Buffer.from([0xff, 0xfe]), 'egress.env': '' })
  t.match(await issuesOf(cwd, policy), [{ file: '.env', line: 1, column: 1, problem: /not valid UTF-8/ }])
  t.same(await issuesOf(cwd, 'allow: [{ host: a.example.com }]\n'), [], 'nobody needs it')
  writeFiles(cwd, { '.env': '' })
  t.match(await issuesOf(cwd, policy, { A_KEY_FILE: 'none' }), [
    { problem: /The file in A_KEY_FILE does not exist/ },
  ])
  t.match(await issuesOf(cwd, policy, { A_KEY_FILE: 'directory' }), [
    { problem: /A_KEY_FILE: Expected a file, found a directory/ },
  ])
  t.match(await issuesOf(cwd, policy, { A_KEY_FILE: '/dev/zero' }), [
    { problem: /Expected a file or a pipe/ },
  ])
  writeFiles(cwd, { key: 'hunter2hunter2\n' })
  t.same(await issuesOf(cwd, policy, { A_KEY_FILE: 'key' }), [])
  writeFiles(cwd, { key: 'hunter2hunter2\n\n' })
  t.match(await issuesOf(cwd, policy, { A_KEY_FILE: 'key' }), [{ problem: /line break/ }])
})

void t.test('several errors in one part', async (t) => {
  const issues = await issuesOf(
    t.testdir({}),
    'services:\n  a:\n    rules: 1\n    rate: 2\n    ca: 3\n    env: 4\nallow:\n  - hosts: 1\n    ports: 2\nagents: 5\n',
  )
  t.same(
    issues.map(({ line }) => line),
    [3, 4, 5, 6, 8, 8, 9, 10],
  )
})

void t.test('names are distinguished from keys', async (t) => {
  const cwd = t.testdir({})
  const host = async (text: string): Promise<string> =>
    (await issuesOf(cwd, `allow: [{ host: "${text}!" }]`))[0]?.problem ?? ''
  t.match(await host('integration-gateway-v2-production'), /`integration-gateway-v2-production!`/)
  t.match(await host('GITHUB_ENTERPRISE_TOKEN_2024'), /`GITHUB_ENTERPRISE_TOKEN_2024!`/)
  for (const key of [
    'q8Zr4TnVx02LmKpW',
    '6f1e2c1a-9b7d-4e0a-8c55-0d3f2b1a9e77',
    'key=ghp_abcdefgh1',
    '9f86d081884c7d659a2feaa0c55ad015',
  ]) {
    t.match(await host(key), /\(hidden\)/, key)
  }
})

void t.test('a secret may come through a pipe', async (t) => {
  const cwd = t.testdir({})
  const fifo = `${cwd}/pipe`
  execFileSync('mkfifo', [fifo])
  const writer = spawn('sh', ['-c', `printf 'hunter2hunter2\\n' > "${fifo}"`])
  const written = once(writer, 'exit')
  const policy =
    'services: { a: { url: "https://a.example.com", credential: { bearer: "${A_KEY}" }, rules: [{ allow: GET /** }] } }\n'
  t.same(await issuesOf(cwd, policy, { A_KEY_FILE: fifo }), [])
  await written
})

void t.test('these look like conflicts but are not', async (t) => {
  const cwd = t.testdir({})
  const entries = (...lines: string[]): string => `allow:\n${lines.map((line) => `  - ${line}\n`).join('')}`
  for (const text of [
    entries('host: "*.example.com"', '{ host: a.example.com, methods: [GET] }'),
    entries('host: "**.example.com"', 'host: "*.b.example.com"'),
    entries('host: "*.example.com"', 'host: "**.example.com"'),
    entries('{ host: a.example.com, methods: [GET] }', '{ host: a.example.com, paths: [/upload] }'),
    entries('{ host: a.example.com, ports: [443] }', '{ host: a.example.com, ports: [443, 8443] }'),
  ]) {
    t.same(await issuesOf(cwd, text), [], text)
  }
})
