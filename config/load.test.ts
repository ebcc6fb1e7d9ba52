import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PolicyEngine } from '#firewall/policy-engine/policy-engine.js'
import { NAME_PROFILES } from '#firewall/names/name-profiles.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { NO_TOOLS, outgoingRequest } from '#test/fixtures/outgoing.js'
import { denyAllPolicy, loadPolicy, type LoadedPolicy } from './load.js'
import { TEST_CA, TEST_KINDS, writeFiles } from './test-fixtures.js'

const FULL = `services:
  jira:
    url: https://jira.example.com/base
    credential:
      bearer: \${JIRA_TOKEN}
    rules:
      - allow: GET,HEAD /rest/api/2/**
      - deny: DELETE /**
      - allow: "* /**"
    rate: { per_second: 10, burst: 20 }
    env: { JIRA_SERVER: "{url}", JIRA_API: "{base_url}", X: "{placeholder:JIRA_TOKEN}" }
    allow_private_addresses: true
    ca: ./ca.pem
  ops:
    targets: [https://a.example.com, https://b.example.com:8443]
    credential:
      header: { name: X-Api-Key, value: "Token \${OPS_KEY}" }
    rules: [{ allow: GET /** }]
  lab:
    url: http://lab.example.com
    credential: { basic: { username: me, password: "\${LAB_PASSWORD}" } }
    rules: [{ allow: GET /** }]
    allow_plaintext: true
allow:
  - host: pypi.org
    methods: [GET, HEAD]
    paths: [/simple/**, /pypi/**]
  - host: "*.example.net"
    scheme: http
  - host: github.com
    tunnel: true
agents:
  ci: { services: [jira], allow: [pypi.org] }
  all: { services: all, allow: all }
dns:
  max_length: 32
  max_entropy: 4
  window: 5m
  rate: { per_second: 50, burst: 100 }
  hosts: { db.internal.example: 10.0.0.5 }
http: { max_request_bytes: 1MiB, response_timeout: 30s }
upstream:
  hosts: { jira.example.com: 127.0.0.1:8443 }
  servers: [127.0.0.1:5353, "[::1]:53"]
settings: { audit_dir: ./audit, log_level: debug }
`

const ENV = { JIRA_TOKEN: 'jira-token-0123456789', OPS_KEY_FILE: 'ops-key' }

function loadFull(directory: string): Promise<LoadedPolicy> {
  writeFiles(directory, {
    'p/egress.yaml': FULL,
    'p/ca.pem': TEST_CA,
    'p/.env': "# lab\nexport LAB_PASSWORD='pass word 123' # quoted\n",
    'ops-key': 'ghp_0123456789abcdefghij0123456789abcdef\n',
  })
  return loadPolicy('p/egress.yaml', { kinds: TEST_KINDS, env: ENV, cwd: directory })
}

void t.test('every section of a policy is loaded', async (t) => {
  const directory = t.testdir({})
  const { policy, settings, sensitiveFiles, positions, empty } = await loadFull(directory)
  t.equal(empty, null)
  const jira = policy.services.get('jira')
  t.same(jira?.targets, [
    { origin: { scheme: 'https', host: 'jira.example.com', port: 443 }, basePath: '/base' },
  ])
  t.same(jira?.rate, { perSecond: 10, burst: 20 })
  t.same(jira?.environment, {
    JIRA_TOKEN: '{placeholder:JIRA_TOKEN}',
    JIRA_BASE_URL: '{base_url}',
    JIRA_SERVER: '{url}',
    JIRA_API: '{base_url}',
    X: '{placeholder:JIRA_TOKEN}',
  })
  t.same(jira?.placeholders['JIRA_TOKEN'], { prefix: '', length: 32, alphabet: 'alphanumeric' })
  t.same(policy.services.get('ops')?.placeholders['OPS_KEY'], {
    prefix: 'ghp_',
    length: 40,
    alphabet: 'alphanumeric',
  })
  const [first] = policy.destinations
  t.match(first, {
    id: 'services.jira',
    label: 'jira',
    mode: 'intercept',
    ports: [443],
    allowPrivateAddresses: true,
    ca: TEST_CA,
  })
  t.match(first?.rules[0], {
    id: 'services.jira.rules[0]',
    text: 'GET,HEAD /rest/api/2/**',
    kind: 'http',
    match: { path: { text: '/base/rest/api/2/**' } },
  })
  t.same(
    policy.destinations.map(({ id }) => id),
    ['services.jira', 'services.ops', 'services.ops', 'services.lab', 'allow[0]', 'allow[1]', 'allow[2]'],
  )
  t.same(
    policy.destinations[4]?.rules.map(({ id, text }) => `${id} ${text}`),
    ['allow[0] GET,HEAD /simple/**', 'allow[0] GET,HEAD /pypi/**'],
  )
  t.match(policy.destinations[5], { scheme: 'http', ports: [80], rules: [{ text: '* /**' }] })
  t.match(policy.destinations[6], { mode: 'tunnel', rules: [] })
  t.same(
    [...policy.agents.values()],
    [
      { name: 'ci', services: ['jira'], allow: ['allow[0]'] },
      { name: 'all', services: null, allow: null },
    ],
  )
  t.match(policy.dns, {
    nameLimits: {
      features: { maxLength: 32, maxLabel: 40, maxEntropy: 4 },
      budget: { names: 16, windowMs: 300_000 },
    },
    rate: { perSecond: 50, burst: 100 },
    hosts: { 'db.internal.example': '10.0.0.5' },
  })
  t.match(policy.http, { maxRequestBytes: 1_048_576, responseTimeoutMs: 30_000, idleTimeoutMs: 900_000 })
  t.same(policy.upstream, {
    hosts: { 'jira.example.com': { address: '127.0.0.1', port: 8443 } },
    servers: ['127.0.0.1:5353', '[::1]:53'],
  })
  t.same(settings, { auditDir: `${directory}/p/audit`, logLevel: 'debug' })
  for (const name of ['p/egress.yaml', 'p/.env', 'p/ca.pem', 'ops-key']) {
    t.ok(sensitiveFiles.includes(`${directory}/${name}`), `${name} is to be masked`)
  }
  t.same(positions.get('services.jira.rules[1]'), { line: 8, column: 9 })
  t.same(positions.get('allow[2]'), { line: 30, column: 5 })
})

void t.test('credentials are bound to the values of their sources', async (t) => {
  const { policy } = await loadFull(t.testdir({}))
  const inject = (service: string): unknown => {
    const headers = {}
    void policy.services.get(service)?.credential?.inject(outgoingRequest({ headers }), NO_TOOLS)
    return headers
  }
  t.same(inject('jira'), { authorization: 'Bearer jira-token-0123456789' })
  t.same(inject('ops'), { 'x-api-key': 'Token ghp_0123456789abcdefghij0123456789abcdef' })
  t.same(inject('lab'), { authorization: `Basic ${Buffer.from('me:pass word 123').toString('base64')}` })
  t.equal(policy.services.get('ops')?.credential?.id, 'ops/header')
  const secretPatterns = policy.services.get('ops')?.credential?.secretPatterns().bytes.map(String)
  t.same(
    secretPatterns,
    ['ghp_0123456789abcdefghij0123456789abcdef'],
    'the scheme word and the header name are not secret',
  )
})

void t.test('loaded without secrets, a policy is the same without a single value', async (t) => {
  const directory = t.testdir({})
  const full = await loadFull(directory)
  // Reading this pipe would block forever.
  rmSync(`${directory}/ops-key`)
  rmSync(`${directory}/p/ca.pem`)
  execFileSync('mkfifo', [`${directory}/ops-key`])
  writeFiles(directory, { 'p/.env': 'not a line of such a file' })
  const { policy, sensitiveFiles } = await loadPolicy('p/egress.yaml', {
    kinds: TEST_KINDS,
    env: { OPS_KEY_FILE: 'ops-key' },
    cwd: directory,
    withSecrets: false,
  })
  t.same(
    policy.destinations,
    full.policy.destinations.map((destination) => ({ ...destination, ca: null })),
  )
  t.same([...policy.agents], [...full.policy.agents])
  t.notOk(sensitiveFiles.some((path) => /ops-key|\.env/.test(path)))
  for (const [name, { credential, environment, placeholders }] of policy.services) {
    const control = full.policy.services.get(name)
    t.same(environment, control?.environment, name)
    t.same(Object.keys(placeholders), Object.keys(control?.placeholders ?? {}), name)
    t.equal(credential?.id, control?.credential?.id)
    t.same(credential?.locations, control?.credential?.locations)
    const request = outgoingRequest({ headers: {} })
    t.match(await credential?.inject(request, NO_TOOLS), { reason: 'credential-unavailable' })
    t.same(request.headers, {})
    t.same(credential?.secretPatterns().bytes, [])
  }
})

void t.test('loaded without secrets, a policy has all errors except those of values', async (t) => {
  const service = (credential: string, extra = '') =>
    `services: { a: { url: https://a.example.com, credential: ${credential}, rules: [{ allow: GET /** }] } }\n${extra}`
  const load = (text: string, kinds = TEST_KINDS) =>
    loadPolicy('egress.yaml', {
      kinds,
      env: {},
      cwd: writeFiles(t.testdir({}), { 'egress.yaml': text }),
      withSecrets: false,
    })
  const [message, types] = [/The policy contains a secret/, /more than one type/]
  await t.rejects(load(service('{ bearer: hunter2hunter2 }')), { message })
  await t.rejects(load(service('{ bearer: "${A}", header: { name: x, value: "${A}" } }')), { message: types })
  await t.rejects(load(service('{ header: { name: "no name", value: "plain" } }')), { message })
  const fragile = TEST_KINDS.map((kind) => ({
    ...kind,
    bind: () => {
      throw new Error('there is nothing to take apart')
    },
  }))
  const { policy } = await load(service('{ bearer: "${A}" }'), fragile)
  t.match(policy.services.get('a')?.credential, { id: 'a/bearer', locations: {} })
  const endpoint = 'upstream: { hosts: { token.example.com: 203.0.113.7 } }\n'
  await t.resolves(load(service('{ bearer: "${A}" }', endpoint)), 'an endpoint may be part of a value')
})

void t.test('rules are checked below the base path', async (t) => {
  const policyEngine = new PolicyEngine((await loadFull(t.testdir({}))).policy)
  const ask = (method: string, target: string): string => {
    const path = parseRequestTarget(target)
    if (typeof path === 'string') return path
    const verdict = policyEngine.evaluateRequest({
      agent: 'ci',
      scheme: 'https',
      host: 'jira.example.com',
      port: 443,
      method,
      path,
    })
    return verdict.allowed ? verdict.rule.id : verdict.reason
  }
  t.equal(ask('GET', '/base/rest/api/2/myself'), 'services.jira.rules[0]')
  t.equal(ask('POST', '/base/x'), 'services.jira.rules[2]')
  t.equal(ask('DELETE', '/base/x'), 'denied-by-rule')
  t.equal(ask('GET', '/rest/api/2/myself'), 'no-rule')
})

void t.test('a policy cannot be changed', async (t) => {
  const { policy } = await loadFull(t.testdir({}))
  t.throws(() => (policy.services as Map<string, unknown>).delete('jira'))
  t.throws(() => (policy.agents as Map<string, unknown>).set('x', {}))
  t.throws(() => (policy.destinations as unknown[]).push({}))
  t.throws(() => Object.assign(policy.destinations[0]?.rules[0] ?? {}, { effect: 'allow' }))
  t.throws(() => Object.assign(policy.services.get('jira')?.placeholders ?? {}, { X: 1 }))
})

void t.test('a missing or empty file denies everything', async (t) => {
  const cwd = t.testdir({
    'empty.yaml': '',
    'comments.yaml': '# nothing\n',
    'braces.yaml': '{}\n',
    'null.yaml': '~\n',
  })
  for (const [file, empty] of [
    ['none.yaml', 'missing'],
    ['empty.yaml', 'empty'],
    ['comments.yaml', 'empty'],
    ['braces.yaml', 'empty'],
    ['null.yaml', 'empty'],
  ] as const) {
    const loaded = await loadPolicy(file, { kinds: TEST_KINDS, env: {}, cwd })
    t.equal(loaded.empty, empty, file)
    t.same(loaded.policy.destinations, [], file)
    t.match(new PolicyEngine(loaded.policy).evaluateName('default', 'example.com'), { allowed: false })
  }
  t.same(denyAllPolicy().agents.get('default'), { name: 'default', services: null, allow: null })
})

void t.test(
  "Docker's secrets: by name, in lower case, with hyphens; after the environment, before .env",
  async (t) => {
    const directory = writeFiles(t.testdir({}), {
      'egress.yaml':
        'services: { s: { url: "https://s.example.com", credential: { bearer: "${MY_TOKEN}" }, rules: [{ allow: GET /** }] } }',
      '.env': 'MY_TOKEN=from-the-dotenv',
    })
    const load = async (files: Record<string, string>, env: Record<string, string> = {}) => {
      const mounted = writeFiles(join(directory, String(Math.random())), { '.keep': '', ...files })
      const loaded = await loadPolicy('egress.yaml', {
        kinds: TEST_KINDS,
        env,
        cwd: directory,
        mountedSecrets: mounted,
      })
      const headers: Record<string, string> = {}
      void loaded.policy.services.get('s')?.credential?.inject(outgoingRequest({ headers }), NO_TOOLS)
      const hidden = Object.keys(files).filter((name) => loaded.sensitiveFiles.includes(join(mounted, name)))
      return [headers['authorization'], ...hidden]
    }
    t.same(await load({}), ['Bearer from-the-dotenv'])
    for (const name of ['MY_TOKEN', 'my_token', 'my-token'])
      t.same(await load({ [name]: 'from-docker-1\n' }), ['Bearer from-docker-1', name])
    t.same(await load({ MY_TOKEN: 'from-docker-1', my_token: 'from-docker-2' }), [
      'Bearer from-docker-1',
      'MY_TOKEN',
    ])
    t.same(await load({ MY_TOKEN: 'from-docker-1' }, { MY_TOKEN: 'from-the-variable' }), [
      'Bearer from-the-variable',
    ])
    await t.rejects(load({ MY_TOKEN: '' }), { message: /MY_TOKEN is set but empty/ })
  },
)

void t.test('the environment wins over .env', async (t) => {
  const cwd = writeFiles(t.testdir({}), {
    'egress.yaml':
      'services: { s: { url: "https://s.example.com", credential: { bearer: "${S}" }, rules: [{ allow: GET /** }] } }',
    '.env': 'S=from-the-file',
  })
  const { policy } = await loadPolicy('egress.yaml', {
    kinds: TEST_KINDS,
    env: { S: 'from-the-environment' },
    cwd,
  })
  const headers = {}
  void policy.services.get('s')?.credential?.inject(outgoingRequest({ headers }), NO_TOOLS)
  t.same(headers, { authorization: 'Bearer from-the-environment' })
})

void t.test(
  'limits on names: the profile, overridden by single keys, overridden by those of the wildcard',
  async (t) => {
    const cwd = writeFiles(t.testdir({}), {
      'egress.yaml': `
dns: { profile: strict, max_label: 20 }
allow:
  - { host: "*.plain.example.com" }
  - { host: "*.own.example.com", name_limits: { max_entropy: 3 } }
  - { host: "*.cloudfront.net", allow_public_suffix: true, name_limits: { profile: random-labels, names_per_window: 2 } }
`,
    })
    const { policy } = await loadPolicy('egress.yaml', { kinds: TEST_KINDS, env: {}, cwd })
    const [plain, own, cloudfront] = policy.destinations.map(({ nameLimits: names }) => names)
    const { strict, 'random-labels': random } = NAME_PROFILES
    const general = { ...strict, features: { ...strict.features, maxLabel: 20 } }
    t.strictSame(policy.dns.nameLimits, general)
    t.equal(plain, null)
    t.strictSame(own, { ...general, features: { ...general.features, maxEntropy: 3 } })
    t.strictSame(cloudfront, { ...random, budget: { ...random.budget, names: 2 } })
  },
)

void t.test('secrets that deserve a look are warnings, each with its line', async (t) => {
  const cwd = writeFiles(t.testdir({}), {
    'egress.yaml': `services:
  api:
    url: https://api.example.com
    credential: { bearer: "\${TOK}" }
    rules: [{ allow: GET /** }]
`,
    'docker-compose.yml': '',
    tok: 'tok-0123456789abcdef \n',
  })
  const warnings = async (env: Record<string, string>, dotenv = '') => {
    writeFiles(cwd, { '.env': dotenv })
    return (await loadPolicy('egress.yaml', { kinds: TEST_KINDS, env, cwd })).warnings
  }
  t.same(await warnings({ TOK: 'tok-0123456789abcdef-real' }), [], 'the control')
  const at = { file: 'egress.yaml', line: 4, column: 27 }
  t.match(await warnings({ TOK_FILE: 'tok' }), [{ ...at, problem: /^TOK begins or ends with white space/ }])
  t.match(await warnings({ TOK: 'changeme-now' }), [{ ...at, problem: /^TOK looks like a placeholder/ }])
  const problem = /^Docker Compose expands the `\$` in TOK/
  t.match(await warnings({}, '# x\nTOK=tok-$0123456789abcdef\n'), [
    { file: '.env', line: 2, column: 1, problem },
  ])
  t.same(await warnings({}, "TOK='tok-$0123456789abcdef'\n"), [], 'Compose expands nothing in single quotes')

  // A service returns the secret as it has it: without the white space.
  const { policy } = await loadPolicy('egress.yaml', { kinds: TEST_KINDS, env: { TOK_FILE: 'tok' }, cwd })
  const patterns = policy.services.get('api')?.credential?.secretPatterns().bytes.map(String)
  t.ok(patterns?.includes('tok-0123456789abcdef'))
})
