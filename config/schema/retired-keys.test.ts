import t from 'tap'
import { PolicyError, type PolicyIssue } from '../issues/issue.js'
import { loadPolicy } from '../load.js'
import { TEST_KINDS, writeFiles } from '../test-fixtures.js'
import { RETIRED_KEYS, RETIRED_VARIABLES } from './retired-keys.js'

const SERVICE = `services:
  api:
    url: https://api.example.com
    credential: { bearer: "\${TOKEN}" }
    rules: [{ allow: GET /** }]
`

/** A policy with each retired key at its old place, and the position of the key. */
const KEYS: Readonly<Record<string, { text: string; line: number; column: number; write?: string }>> = {
  gate: { text: 'gate: { log_level: info }\n', line: 1, column: 1 },
  plain: { text: `${SERVICE.replace('https', 'http')}    plain: true\n`, line: 6, column: 5 },
  private: { text: 'allow: [{ host: a.example.com, private: true }]\n', line: 1, column: 32 },
  shared: { text: 'allow: [{ host: "*.github.io", shared: true }]\n', line: 1, column: 32 },
  names: { text: 'allow: [{ host: "*.example.com", names: { max_label: 9 } }]\n', line: 1, column: 34 },
  sessions: { text: `${SERVICE}    sessions: pass\n`, line: 6, column: 5 },
  also: {
    text: SERVICE.replace(' }\n', ', also: { query: [key] } }\n'),
    line: 4,
    column: 39,
  },
  when: {
    text: SERVICE.replace(' }\n', ', when: stand-in }\n'),
    line: 4,
    column: 39,
    write: 'inject: on_placeholder',
  },
}

const VARIABLES: Readonly<Record<string, { text: string; old: string; now: string }>> = {
  '{route}': { text: `${SERVICE}    env: { X: "{route}" }\n`, old: '{route}', now: '{base_url}' },
  '{dummy:NAME}': {
    text: `${SERVICE}    env: { X: "{dummy:TOKEN}" }\n`,
    old: '{dummy:TOKEN}',
    now: '{placeholder:TOKEN}',
  },
}

async function issuesOf(cwd: string, text: string): Promise<readonly PolicyIssue[]> {
  writeFiles(cwd, { 'egress.yaml': text })
  const env = { TOKEN: 'correct-horse-battery-1' }
  return loadPolicy('egress.yaml', { kinds: TEST_KINDS, env, cwd }).then(
    () => [],
    (error: unknown) => {
      if (error instanceof PolicyError) return error.issues
      throw error
    },
  )
}

for (const { old, now } of RETIRED_KEYS) {
  void t.test(`\`${old}\` is now \`${now}\``, async (t) => {
    const { text = '', line, column, write = now } = KEYS[old] ?? {}
    t.same(await issuesOf(t.testdir({}), text), [
      {
        file: 'egress.yaml',
        line,
        column,
        problem: `\`${old}\` is now \`${now}\``,
        fix: `Write \`${write}\` instead`,
      },
    ])
    const fixed = text.replace(/when: stand-in/, `${old}: on_placeholder`).replace(`${old}:`, `${now}:`)
    t.same(await issuesOf(t.testdir({}), fixed), [], 'the fixed control loads')
  })
}

for (const { old, now } of RETIRED_VARIABLES) {
  void t.test(`\`${old}\` is now \`${now}\``, async (t) => {
    const { text = '', old: written = '', now: fixed = '' } = VARIABLES[old] ?? {}
    t.match(await issuesOf(t.testdir({}), text), [
      {
        line: 6,
        column: 15,
        problem: `\`${written}\` is now \`${fixed}\``,
        fix: `Write \`${fixed}\` instead`,
      },
    ])
    t.same(await issuesOf(t.testdir({}), text.replace(written, fixed)), [], 'the fixed control loads')
  })
}
