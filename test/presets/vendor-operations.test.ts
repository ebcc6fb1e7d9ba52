import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { loadPolicy } from '#config/load.js'
import { presetOf } from '#config/presets/expand.js'
import { writeFiles } from '#config/test-fixtures.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import { PolicyEngine } from '#firewall/policy-engine/policy-engine.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { stringify } from 'yaml'
import { OUT_OF_REACH } from './out-of-reach.js'

/**
 * A preset against the list of operations that its vendor publishes (`operations/`). What it allows of them is a file of its own
 * (`allowed/`), so that each change of a preset shows as a difference that somebody reads. After reading it:
 * `UPDATE=1 node dist/test/presets/vendor-operations.test.js`.
 */
interface Vendor {
  readonly preset: string
  readonly lists: readonly string[]
  readonly classes: string
  readonly hosts: readonly string[]
  /** The operation's path with values for its variables: in what the preset names, or in something of strangers. */
  readonly fill: (path: string, whose: 'own' | 'foreign') => readonly string[]
  /** True if a request to something of strangers must be denied unless it reads. */
  readonly owned?: true
}

const anyValue = (path: string): string => path.replace(/\{[^}]*\}/g, '7')

const inRepository = (path: string, whose: 'own' | 'foreign'): readonly string[] => {
  const [owner, repo] = whose === 'own' ? ['acme', 'app'] : ['stranger', 'drop']
  const named = path.replace('{owner}', owner).replace('{repo}', repo)
  const numbered = path.replace('/repos/{owner}/{repo}', '/repositories/7')
  return [named, numbered].map(anyValue)
}

const inProject = (path: string, whose: 'own' | 'foreign'): readonly string[] =>
  (whose === 'own' ? ['acme%2Fapp', '42'] : ['stranger%2Fdrop', 'stranger/drop', '7']).map((project) =>
    anyValue(path.replace('/projects/{x}', `/projects/${project}`)),
  )

const anywhere = (path: string): readonly string[] => [anyValue(path)]

const VENDORS: readonly Vendor[] = [
  {
    preset: 'github',
    lists: ['github'],
    classes: 'github',
    hosts: ['api.github.com', 'uploads.github.com', 'github.com'],
    fill: inRepository,
    owned: true,
  },
  {
    preset: 'github-readonly',
    lists: ['github'],
    classes: 'github',
    hosts: ['api.github.com', 'uploads.github.com', 'github.com'],
    fill: inRepository,
    owned: true,
  },
  {
    preset: 'gitlab',
    lists: ['gitlab'],
    classes: 'gitlab',
    hosts: ['gitlab.com'],
    fill: inProject,
    owned: true,
  },
  {
    preset: 'jira-cloud',
    lists: ['jira', 'jira-software'],
    classes: 'jira',
    hosts: ['example.atlassian.net'],
    fill: anywhere,
  },
  { preset: 'slack', lists: ['slack'], classes: 'slack', hosts: ['slack.com'], fill: anywhere },
  { preset: 'openai', lists: ['openai'], classes: 'openai', hosts: ['api.openai.com'], fill: anywhere },
  { preset: 'graph', lists: ['graph'], classes: 'graph', hosts: ['graph.microsoft.com'], fill: anywhere },
  {
    preset: 's3',
    lists: ['s3'],
    classes: 's3',
    hosts: ['bucket.s3.eu-central-1.amazonaws.com'],
    fill: (path) => anywhere(path.replace('/{Bucket}', '').replace(/^$|^(?=\?)/, '/')),
  },
]

interface Operation {
  readonly method: string
  readonly path: string
  readonly text: string
}

const SOURCE = new URL('../../../test/presets/', import.meta.url)

function operations(name: string): readonly Operation[] {
  const lines = readFileSync(new URL(`operations/${name}.txt`, SOURCE), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
  return lines.map((text) => {
    const [method = '', path = ''] = text.split(' ')
    return { method, path, text }
  })
}

type Ask = (host: string, method: string, target: string) => boolean

async function engineFor(preset: string, cwd: string): Promise<Ask> {
  const example = presetOf(preset)?.example
  const more = preset === 'gitlab' ? { project_id: 42 } : {}
  writeFiles(cwd, { 'egress.yaml': stringify({ services: { it: { use: preset, ...example, ...more } } }) })
  const names = JSON.stringify(presetOf(preset)?.service).match(/(?<=\$\{)\w+/g) ?? []
  const env = Object.fromEntries(names.map((name) => [name, 'a-real-value-0123456789']))
  const { policy } = await loadPolicy('egress.yaml', { kinds: CREDENTIAL_KINDS, env, cwd })
  const engine = new PolicyEngine(policy)
  return (host, method, target) => {
    const path = parseRequestTarget(target)
    if (typeof path === 'string') return false
    return engine.evaluateRequest({ agent: DEFAULT_AGENT, scheme: 'https', host, port: 443, method, path })
      .allowed
  }
}

/** Other ways to write a path that some servers take for the same. */
function spellings(path: string): readonly string[] {
  const [plain = '', query] = path.split('?')
  const rest = query === undefined ? '' : `?${query}`
  const last = plain.slice(plain.lastIndexOf('/') + 1)
  // Behind the path `/` these would be other paths.
  if (last === '') return [path, plain + '/' + rest]
  return [
    plain,
    `${plain}.json`,
    `${plain}.xml`,
    `${plain}/`,
    `${plain};x=1`,
    `/${plain}`,
    `${plain}%2F`,
    plain.toUpperCase(),
    plain.replace(/[^/]*$/, () => last.charAt(0).toUpperCase() + last.slice(1)),
    `${plain.slice(0, -last.length)}%${last.charCodeAt(0).toString(16)}${last.slice(1)}`,
  ].map((one) => one + rest)
}

for (const { preset, lists, classes, hosts, fill, owned } of VENDORS) {
  const all = lists.flatMap(operations)
  const reasons = OUT_OF_REACH[classes] ?? []

  void t.test(
    `${preset}: what gives rights to others or reads secrets is denied in every spelling`,
    async (t) => {
      const ask = await engineFor(preset, t.testdir({}))
      const passed: string[] = []
      const used = new Set<RegExp>()
      for (const { method, path, text } of all) {
        const found = reasons.find(({ operations: ones }) =>
          ones.some((one) => one.test(`${method} ${path}`)),
        )
        for (const { operations: ones } of reasons)
          for (const one of ones) if (one.test(`${method} ${path}`)) used.add(one)
        if (found === undefined) continue
        for (const one of [...fill(path, 'own'), ...fill(path, 'foreign')].flatMap(spellings))
          for (const host of hosts)
            if (ask(host, method, one))
              passed.push(`${method} https://${host}${one} (${text}) ${found.reason}`)
      }
      t.same(passed, [])
      const idle = reasons.flatMap(({ operations: ones }) => ones).filter((one) => !used.has(one))
      t.same(idle.map(String), [], 'every expression still finds an operation of the vendor')
    },
  )

  void t.test(`${preset}: what it allows of the vendor's operations was read by somebody`, async (t) => {
    const ask = await engineFor(preset, t.testdir({}))
    const allowed = all.filter(({ method, path }) =>
      fill(path, 'own').some((one) => hosts.some((host) => ask(host, method, one))),
    )
    const file = new URL(`allowed/${preset}.txt`, SOURCE)
    const text = `${allowed.map((one) => one.text).join('\n')}\n`
    if (process.env['UPDATE'] !== undefined) writeFileSync(file, text)
    t.equal(text, readFileSync(file, 'utf8'))
    t.ok(allowed.length > 3)
  })

  if (owned === undefined) continue
  void t.test(`${preset}: nothing is written to what it does not name`, async (t) => {
    const ask = await engineFor(preset, t.testdir({}))
    const passed: string[] = []
    for (const { method, path, text } of all)
      if (method !== 'GET' && method !== 'HEAD')
        for (const one of fill(path, 'foreign').flatMap(spellings))
          for (const host of hosts)
            if (ask(host, method, one)) passed.push(`${method} ${host}${one} (${text})`)
    t.same(passed, [])
  })
}
