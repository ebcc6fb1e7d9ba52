import t from 'tap'
import { PolicyError, type PolicyIssue } from '#config/issues/issue.js'
import { loadPolicy } from '#config/load.js'
import { writeFiles } from '#config/test-fixtures.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'

async function issuesOf(cwd: string, credential: string, TOK: string): Promise<readonly PolicyIssue[]> {
  writeFiles(cwd, {
    'egress.yaml': `services:\n  api:\n    url: https://api.example.com\n    credential:\n      ${credential}\n    rules: [{ allow: GET /** }]\n`,
  })
  try {
    await loadPolicy('egress.yaml', { kinds: CREDENTIAL_KINDS, env: { TOK }, cwd })
    return []
  } catch (error) {
    if (error instanceof PolicyError) return error.issues
    throw error
  }
}

const IN_A_HEADER = [
  'bearer: "${TOK}"',
  'header: { name: X-Api-Key, value: "Token ${TOK}" }',
  'cookie: { name: sid, value: "${TOK}" }',
]
const ENCODED = ['basic: { username: me, password: "${TOK}" }', 'query: { name: key, value: "${TOK}" }']

void t.test('a secret that no header can contain is an error, with its line', async (t) => {
  const cwd = t.testdir({})
  for (const secret of ['pass-日本-0123456789', 'pass-é-0123456789', 'pass-\u{1f511}-0123456789'])
    for (const credential of IN_A_HEADER) {
      const issues = await issuesOf(cwd, credential, secret)
      t.match(
        issues,
        [{ line: 5, problem: 'TOK contains a character that no header can contain' }],
        credential,
      )
      t.notOk(JSON.stringify(issues).includes(secret.slice(5, 7)))
    }
  for (const credential of IN_A_HEADER)
    t.same(await issuesOf(cwd, credential, 'pass-0123456789~!'), [], credential)
  for (const credential of ENCODED)
    t.same(await issuesOf(cwd, credential, 'pass-日本-0123456789'), [], credential)
})
