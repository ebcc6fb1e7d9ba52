import t from 'tap'
import { loadPolicy } from '#config/load.js'
import { PRESETS } from '#config/presets/index.js'
import { parseHostPattern } from '#firewall/names/host-pattern.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { agentPolicy } from './agent-policy.js'
import { AGENTS, findRecipe } from './index.js'
import { installCommand } from './recipe.js'

const PLACEHOLDER = 'sk-ant-api03-placeholder'

for (const recipe of AGENTS)
  void t.test(recipe.title, async (t) => {
    const { name, services, quiet, package: source } = recipe
    t.match(name, /^[a-z][a-z0-9-]*$/, 'it can be typed, and is no option and no path')
    t.equal(findRecipe(name), recipe, 'its name is its own')
    t.match(installCommand(recipe), source.name)
    for (const { preset, secret } of services) {
      const found = PRESETS.find((one) => one.name === preset)
      t.match(JSON.stringify(found), `\${${secret}}`, `preset ${preset} takes ${secret}`)
      const env = { [secret]: 'a-key-of-some-length-0123456789' }
      const otherwise = agentPolicy(recipe, null, (known) => known === secret)
      const { policy, text } = await loadPolicy(`${t.testdirName}/egress.yaml`, {
        ...{ kinds: CREDENTIAL_KINDS, env, otherwise },
      })
      t.equal(text, otherwise)
      t.strictSame([...policy.services.keys()], [preset], 'the policy that it brings has this service alone')
      t.strictSame(
        policy.destinations.filter(({ id }) => !id.startsWith('services.')),
        [],
      )
    }
    for (const host of quiet) t.notOk(isDiagnostic(parseHostPattern(host, true)), host)
    const run = { workdir: '/home/jane/a "project"', environment: { ANTHROPIC_API_KEY: PLACEHOLDER } }
    for (const [path, content] of Object.entries(recipe.seeds(run))) {
      t.notMatch(path, /^\/|\.\./, 'a seed is in the home directory')
      if (path.endsWith('.json')) t.ok(JSON.parse(content), path)
    }
    for (const word of recipe.arguments(run)) t.type(word, 'string')
    for (const value of Object.values(recipe.environment(run))) if (value !== null) t.type(value, 'string')
  })

void t.test('a project of any name is one that Codex and Claude Code trust', (t) => {
  const run = { workdir: '/home/jane/a "project"\\x' }
  t.ok(
    findRecipe('codex')
      ?.arguments(run)
      .includes(String.raw`projects."/home/jane/a \"project\"\\x".trust_level="trusted"`),
  )
  t.match(JSON.parse(findRecipe('claude')?.seeds(run)['.claude.json'] ?? ''), {
    projects: { [run.workdir]: { hasTrustDialogAccepted: true } },
  })
  t.end()
})

void t.test('Claude Code gets its placeholder where it does not ask about it', (t) => {
  const environment = { ANTHROPIC_API_KEY: PLACEHOLDER }
  const changes = findRecipe('claude')?.environment({ workdir: '/w', environment })
  t.match(changes, { ANTHROPIC_API_KEY: null, ANTHROPIC_AUTH_TOKEN: PLACEHOLDER })
  t.notOk(
    'ANTHROPIC_AUTH_TOKEN' in (findRecipe('claude')?.environment({ workdir: '/w', environment: {} }) ?? {}),
  )
  t.end()
})

void t.test('a program is no agent because a path ends with its name', (t) => {
  for (const name of ['./claude', '/usr/bin/claude', 'Claude', '', 'toString'])
    t.equal(findRecipe(name), null, name)
  t.end()
})
