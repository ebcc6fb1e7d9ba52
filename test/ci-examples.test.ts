import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import { exampleProject } from './fixtures/example-project.js'
import { skipWithoutNetworks } from './fixtures/own-network.js'

// The examples for CI systems: their commands are run in their order, in a project as they expect it. What is the CI system's own
// (checkouts, installation, artifacts) is not.

t.setTimeout(280_000)

const read = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../examples/ci/${name}`, import.meta.url)), 'utf8')

interface Step {
  readonly name?: string
  readonly uses?: string
  readonly run?: string
  readonly env?: Record<string, string>
}

const ENVIRONMENT = 'GITHUB_RUN_ID=7 CI_JOB_ID=8'

void t.test('GitHub Actions', { skip: skipWithoutNetworks() }, async (test) => {
  const { jobs } = parse(read('github-actions.yml')) as { jobs: { agent: { steps: Step[] } } }
  const { work, shell, summary } = await exampleProject(test)
  const steps = jobs.agent.steps.filter(({ run, name }) => run !== undefined && name !== 'Install egress')
  test.strictSame(
    steps.map(({ name }) => name),
    ['Policy', 'Agent', 'Report'],
  )
  for (const { name = '', run = '', env = {} } of steps) {
    const directory =
      env['EGRESS_AUDIT_DIR'] === undefined ? '' : ` EGRESS_AUDIT_DIR=${env['EGRESS_AUDIT_DIR']}`
    const { code, stderr } = await shell(`set -e; export ${ENVIRONMENT}${directory}\n${run}`)
    test.equal(code, 0, `${name}: ${stderr}`)
  }
  test.match(readFileSync(join(work, 'egress-tests.xml'), 'utf8'), '<testsuite')
  test.match(summary(), /data\.example\.org/)
  test.match((await shell('EGRESS_AUDIT_DIR=egress-audit egress logs --label job=7')).stdout, /api\.example/)
})

void t.test('GitLab CI', { skip: skipWithoutNetworks() }, async (test) => {
  const { agent } = parse(read('gitlab-ci.yml')) as {
    agent: Record<'before_script' | 'script' | 'after_script', string[]> & {
      variables: Record<string, string>
    }
  }
  const { work, shell } = await exampleProject(test)
  const exported = `${ENVIRONMENT} EGRESS_AUDIT_DIR=${agent.variables['EGRESS_AUDIT_DIR'] ?? ''}`
  for (const line of [...agent.before_script, ...agent.script, ...agent.after_script]) {
    const { code, stderr } = await shell(`export ${exported}\n${line}`)
    test.equal(code, 0, `${line}: ${stderr}`)
  }
  for (const name of ['egress-audit', 'egress-summary.md', 'egress-tests.xml'])
    test.ok(existsSync(join(work, name)), name)
})

void t.test('a dev container is valid JSON, and names what it mounts', (t) => {
  const container = JSON.parse(read('devcontainer/devcontainer.json')) as { mounts: string[]; image: string }
  t.match(container, { image: /^\S+$/, mounts: [/target=\/home\/node\/\.local\/state\/egress/] })
  t.end()
})
