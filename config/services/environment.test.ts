import t from 'tap'
import { loadPolicy } from '#config/load.js'
import { TEST_KINDS } from '../test-fixtures.js'

void t.test(
  'a base URL for every service, except where a program would take the variable for a setting',
  async (t) => {
    const cwd = t.testdir({
      'egress.yaml': ['yarn', 'npm']
        .map((name) => `  ${name}: { url: "https://${name}.example", rules: [{ allow: "GET /**" }] }\n`)
        .join('')
        .replace(/^/, 'services:\n'),
    })
    const { policy } = await loadPolicy('egress.yaml', { kinds: TEST_KINDS, env: {}, cwd })
    t.strictSame(policy.services.get('npm')?.environment, { NPM_BASE_URL: '{base_url}' })
    t.strictSame(
      policy.services.get('yarn')?.environment,
      {},
      'Yarn does not start with a setting that it does not know',
    )
  },
)
