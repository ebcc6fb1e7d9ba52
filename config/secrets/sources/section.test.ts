import t from 'tap'
import { PolicyError, type PolicyIssue } from '../../issues/issue.js'
import { loadPolicy, type LoadOptions } from '../../load.js'
import { TEST_CA, TEST_KINDS, writeFiles } from '../../test-fixtures.js'

const SERVICE = `services:
  api:
    url: https://api.example.com
    credential: { bearer: "\${TOKEN}" }
    rules: [{ allow: GET /** }]
secrets:
`
const VAULT =
  'vault: { address: https://vault.example.com, path: secret/data/x, field: token, token: "${VAULT_TOKEN}" }'
const AWS =
  'aws_secret: { id: x, region: eu-central-1, access_key: "${AWS_KEY}", secret_key: "${AWS_SECRET}" }'
const ENV = { VAULT_TOKEN: 'vault-token-1', AWS_KEY: 'access-key-1', AWS_SECRET: 'secret-key-1' }

async function issuesOf(
  cwd: string,
  lines: readonly string[],
  options: Partial<LoadOptions> = {},
): Promise<readonly PolicyIssue[]> {
  writeFiles(cwd, { 'egress.yaml': `${SERVICE}${lines.map((line) => `  ${line}\n`).join('')}` })
  try {
    await loadPolicy('egress.yaml', { kinds: TEST_KINDS, env: ENV, cwd, withSecrets: false, ...options })
    return []
  } catch (error) {
    if (error instanceof PolicyError) return error.issues
    throw error
  }
}

interface Broken {
  readonly lines: readonly string[]
  /** Line below `secrets:`, and the text at the position. */
  readonly at: readonly [line: number, text: string]
  readonly problem: RegExp
  readonly fix: RegExp
}

const BROKEN: readonly Broken[] = [
  {
    lines: ['token: { file: ./token }'],
    at: [1, 'token:'],
    problem: /Invalid secret name/,
    fix: /upper-case letters/,
  },
  {
    lines: ['TOKEN: ./token'],
    at: [1, './token'],
    problem: /Wrong type for `TOKEN`: got text/,
    fix: /TOKEN: \{ file/,
  },
  {
    lines: ['TOKEN: {}'],
    at: [1, 'TOKEN'],
    problem: /no source/,
    fix: /Use exactly one of: file, command, vault/,
  },
  {
    lines: ['TOKEN: { file: ./a, command: [b] }'],
    at: [1, 'TOKEN'],
    problem: /more than one source/,
    fix: /exactly one of/,
  },
  {
    lines: ['TOKEN: { fiel: ./token }'],
    at: [1, 'fiel'],
    problem: /Unknown key `fiel`/,
    fix: /Write `file`/,
  },
  {
    lines: ['TOKEN: { Ab3xyz9Kq2LmNopQrStUvW: x }'],
    at: [1, 'Ab3'],
    problem: /^Unknown key$/,
    fix: /Use one of: file/,
  },
  {
    lines: ['TOKEN: { file: ./a, refresh: 10m }'],
    at: [1, '10m'],
    problem: /`refresh` has no effect on a file/,
    fix: /Remove `refresh`/,
  },
  {
    lines: ['TOKEN: { file: ./a, env: [X] }'],
    at: [1, '[X]'],
    problem: /no effect without `command`/,
    fix: /Remove/,
  },
  { lines: ['TOKEN: { command: [] }'], at: [1, '[]'], problem: /is empty/, fix: /command: \[op, read/ },
  {
    lines: ['TOKEN: { command: op read x }'],
    at: [1, 'op read'],
    problem: /Wrong type for `command`: got text/,
    fix: /no shell/,
  },
  {
    lines: ['TOKEN: { command: [a, "-H ${TOKEN}"] }'],
    at: [1, '"-H'],
    problem: /Secret references .* are not allowed here/,
    fix: /no shell expands the arguments/,
  },
  {
    lines: ['TOKEN: { command: [a, ghp_0123456789abcdef0123] }'],
    at: [1, 'ghp_'],
    problem: /The policy contains a secret/,
    fix: /listed in `env`, and rotate/,
  },
  {
    lines: ['TOKEN: { command: [a, "b\\0c"] }'],
    at: [1, '[a'],
    problem: /a NUL byte/,
    fix: /Remove it/,
  },
  { lines: ['TOKEN: { file: "b\\0c" }'], at: [1, '"b'], problem: /a NUL byte/, fix: /Remove it/ },
  {
    lines: ['TOKEN: { command: [a], env: ["A=b"] }'],
    at: [1, '"A=b"'],
    problem: /Invalid variable name/,
    fix: /names only/,
  },
  {
    lines: ['TOKEN: { command: [a], refresh: 5ms }'],
    at: [1, '5ms'],
    problem: /Invalid `refresh`: expected a duration from 1s/,
    fix: /refresh: 10s/,
  },
  {
    lines: ['TOKEN: { command: [a], timeout: soon }'],
    at: [1, 'soon'],
    problem: /Invalid `timeout`: expected a duration from 100ms/,
    fix: /timeout: 10s/,
  },
  {
    lines: [`TOKEN: { ${VAULT.replace('"${VAULT_TOKEN}"', 'hvs.0123456789')} }`],
    at: [1, 'hvs.'],
    problem: /The policy contains a secret/,
    fix: /rotate the secret/,
  },
  {
    lines: [`TOKEN: { ${VAULT.replace('${VAULT_TOKEN}', 'x ${VAULT_TOKEN}')} }`],
    at: [1, '"x ${'],
    problem: /Expected one secret reference/,
    fix: /Write only/,
  },
  {
    lines: [`TOKEN: { ${VAULT.replace('https://', 'http://')} }`],
    at: [1, 'http://'],
    problem: /sent unencrypted/,
    fix: /Use https/,
  },
  {
    lines: [`TOKEN: { ${VAULT.replace('https://', 'https://u:p@')} }`],
    at: [1, 'https://u'],
    problem: /more than scheme, host/,
    fix: /https:\/\/vault/,
  },
  {
    lines: [`TOKEN: { ${VAULT.replace('secret/data/x', '../sys/x')} }`],
    at: [1, '../sys'],
    problem: /Invalid secret path/,
    fix: /secret\/data\/jira/,
  },
  {
    lines: [`TOKEN: { ${VAULT.replace('"${VAULT_TOKEN}"', '"${TOKEN}"')} }`],
    at: [1, '"${TOKEN}"'],
    problem: /TOKEN depends on itself/,
    fix: /as the source of one of them/,
  },
  {
    lines: [
      `TOKEN: { ${VAULT.replace('${VAULT_TOKEN}', '${A}')} }`,
      `A: { ${VAULT.replace('${VAULT_TOKEN}', '${B}')} }`,
      `B: { ${VAULT.replace('${VAULT_TOKEN}', '${A}')} }`,
    ],
    at: [2, '"${B}"'],
    problem: /A depends on B, which depends on A/,
    fix: /as the source of one of them/,
  },
  {
    lines: [`TOKEN: { ${AWS.replace('eu-central-1', 'frankfurt')} }`],
    at: [1, 'frankfurt'],
    problem: /Invalid region/,
    fix: /eu-central-1/,
  },
  {
    lines: [`TOKEN: { ${AWS.replace('"${AWS_SECRET}"', 'abc')} }`],
    at: [1, 'abc'],
    problem: /The policy contains a secret/,
    fix: /environment/,
  },
  {
    lines: ['TOKEN: { file: ./a }', 'OTHER: { file: ./b }'],
    at: [2, 'OTHER'],
    problem: /Secret OTHER is not used/,
    fix: /Write `\$\{OTHER\}` in a credential/,
  },
]

for (const { lines, at, problem, fix } of BROKEN) {
  void t.test(problem.source, async (t) => {
    const issues = await issuesOf(t.testdir({}), lines)
    t.equal(issues.length, 1, 'one error, one issue')
    const column = (lines[at[0] - 1] ?? '').indexOf(at[1]) + 3
    t.match(issues[0], { file: 'egress.yaml', line: at[0] + 6, column, problem, fix })
    t.notMatch(JSON.stringify(issues), /ghp_0123|hvs\.0|Ab3xyz9|u:p@/)
  })
}

void t.test('valid sources are accepted', async (t) => {
  const cwd = writeFiles(t.testdir({}), { 'ca.pem': TEST_CA })
  for (const lines of [
    ['TOKEN: { file: ./token }'],
    ['TOKEN: { command: [op, read, "op://a/b/c"], env: [OP_TOKEN], refresh: 10m, timeout: 5s }'],
    [`TOKEN: { ${VAULT}, refresh: 10m }`],
    [`TOKEN: { ${VAULT.replace('https://vault.example.com', 'http://127.0.0.1:8200')} }`],
    [`TOKEN: { ${VAULT.replace('path: ', 'namespace: a/b, ca: ./ca.pem, path: /v1/')} }`],
    [`TOKEN: { ${AWS}, refresh: 1h, timeout: 1s }`],
    [
      `TOKEN: { ${VAULT.replace('${VAULT_TOKEN}', '${INNER}')} }`,
      `INNER: { ${VAULT.replace('${VAULT_TOKEN}', '${CODE}')} }`,
      'CODE: { command: [op, read, x] }',
    ],
  ]) {
    t.same(await issuesOf(cwd, lines), [], lines.join())
  }
})

void t.test('a secret has one source', async (t) => {
  const cwd = writeFiles(t.testdir({}), { token: 'from-a-file-1', '.env': 'OTHER=x\n' })
  const lines = ['TOKEN: { file: ./token }']
  const load = (env: Record<string, string>) => issuesOf(cwd, lines, { env, withSecrets: true })
  t.same(await load({}), [])
  t.match(await load({ TOKEN: 'x' }), [
    { line: 7, column: 3, problem: /TOKEN is set twice: here and by the variable TOKEN/ },
  ])
  t.match(await load({ TOKEN_FILE: 'x' }), [{ problem: /here and by the variable TOKEN_FILE/ }])
  writeFiles(cwd, { '.env': 'TOKEN=abcdefghijk\n' })
  t.match(await load({}), [{ problem: /here and by a line in \.env/, fix: /Remove one/ }])
})
