import t from 'tap'
import { stringify } from 'yaml'
import { PolicyError } from '#config/issues/issue.js'
import { loadPolicy, type LoadedPolicy } from '#config/load.js'
import { PRESETS } from '#config/presets/index.js'
import { writeFiles } from '#config/test-fixtures.js'
import { PolicyEngine } from '#firewall/policy-engine/policy-engine.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { runPresets } from '#src/cli/presets.js'
import { makePlaceholders, sandboxEnvironment } from '#src/common/environment.js'

const VALUE = 'a-real-value-0123456789'

/** Requests that a client of the service makes, with the controls that no agent should make. */
const REQUESTS: Readonly<Record<string, { allowed: string[]; refused: string[] }>> = {
  jira: {
    allowed: [
      'GET https://jira.example.com/rest/api/2/myself',
      'GET https://jira.example.com/rest/api/2/search?jql=x',
      'POST https://jira.example.com/rest/api/2/issue',
      'PUT https://jira.example.com/rest/api/2/issue/A-1',
      'POST https://jira.example.com/rest/api/2/issue/A-1/comment',
      'GET https://jira.example.com/rest/agile/1.0/board',
    ],
    refused: [
      'DELETE https://jira.example.com/rest/api/2/issue/A-1',
      'POST https://jira.example.com/rest/auth/1/session',
      'POST https://jira.example.com/rest/api/2/user',
      'GET https://jira.example.com/secure/admin',
    ],
  },
  'jira-cloud': {
    allowed: [
      'POST https://example.atlassian.net/rest/api/3/search/jql',
      'POST https://example.atlassian.net/rest/api/3/issue/A-1/transitions',
    ],
    refused: ['DELETE https://example.atlassian.net/rest/api/3/issue/A-1', 'GET https://api.atlassian.com/'],
  },
  jenkins: {
    allowed: [
      'GET https://ci.example.com/api/json',
      'GET https://release.example.com/crumbIssuer/api/json',
      'POST https://ci.example.com/job/app/build',
      'POST https://ci.example.com/job/team/job/app/buildWithParameters',
      'POST https://ci.example.com/job/app/7/stop',
    ],
    refused: [
      'GET https://third.example.com/api/json',
      'POST https://ci.example.com/script',
      'POST https://ci.example.com/scriptText',
      'POST https://ci.example.com/job/app/doDelete',
      'POST https://ci.example.com/createItem',
    ],
  },
  s3: {
    allowed: [
      'GET https://bucket.s3.eu-central-1.amazonaws.com/?list-type=2',
      'PUT https://bucket.s3.eu-central-1.amazonaws.com/key',
      'POST https://bucket.s3.eu-central-1.amazonaws.com/a/key?uploads',
    ],
    refused: [
      'DELETE https://bucket.s3.eu-central-1.amazonaws.com/key',
      'PUT https://bucket.s3.eu-central-1.amazonaws.com/?policy',
      'POST https://bucket.s3.eu-central-1.amazonaws.com/?delete',
      'GET https://other.s3.eu-central-1.amazonaws.com/',
    ],
  },
  teams: {
    allowed: ['POST https://example.webhook.office.com/a-placeholder'],
    refused: [
      'GET https://example.webhook.office.com/a-placeholder',
      'POST https://example.webhook.office.com/webhookb2/somebody/else',
    ],
  },
  graph: {
    allowed: ['GET https://graph.microsoft.com/v1.0/users'],
    refused: [
      'POST https://graph.microsoft.com/v1.0/$batch',
      'POST https://graph.microsoft.com/v1.0/users/a/sendMail',
      'POST https://login.microsoftonline.com/tenant-id/oauth2/v2.0/token',
    ],
  },
  slack: {
    allowed: ['POST https://slack.com/api/chat.postMessage', 'POST https://files.slack.com/upload/v1/x'],
    refused: ['POST https://slack.com/api/auth.revoke', 'POST https://slack.com/api/admin.users.remove'],
  },
  'slack-webhook': {
    allowed: ['POST https://hooks.slack.com/services/a-placeholder'],
    refused: ['POST https://hooks.slack.com/services/T1/B1/x', 'POST https://hooks.slack.com/a-placeholder'],
  },
  github: {
    allowed: [
      'GET https://api.github.com/user',
      'GET https://api.github.com/repos/a/b/issues',
      'GET https://api.github.com/repositories/7/issues?page=2',
      'GET https://api.github.com/repos/a/b/contents/src/index.ts',
      'GET https://api.github.com/search/issues?q=x',
      'POST https://api.github.com/repos/acme/app/issues',
      'POST https://api.github.com/repos/acme/app/issues/1/comments',
      'POST https://api.github.com/repos/acme/app/pulls',
      'PUT https://api.github.com/repos/acme/app/pulls/1/merge',
      'PUT https://api.github.com/repos/acme/app/contents/src/index.ts',
      'POST https://uploads.github.com/repos/acme/app/releases/1/assets?name=x',
      'GET https://github.com/acme/app.git/info/refs?service=git-receive-pack',
      'POST https://github.com/acme/app.git/git-receive-pack',
      'POST https://github.com/acme/app/git-receive-pack',
      'POST https://github.com/acme/app.git/info/lfs/objects/batch',
      'POST https://github.com/a/b.git/git-upload-pack',
    ],
    refused: [
      'POST https://api.github.com/repos/stranger/drop/issues',
      'POST https://api.github.com/repos/acme/other/issues',
      'POST https://api.github.com/repositories/7/issues',
      'PUT https://api.github.com/repos/stranger/drop/contents/loot',
      'POST https://uploads.github.com/repos/stranger/drop/releases/1/assets?name=x',
      'POST https://github.com/stranger/drop.git/git-receive-pack',
      'POST https://github.com/acme/app.git.git/git-receive-pack',
      'POST https://github.com/stranger/drop.git/info/lfs/objects/batch',
      'PUT https://api.github.com/repos/acme/app/contents/.github/workflows/ci.yml',
      'PATCH https://api.github.com/repos/acme/app',
      'DELETE https://api.github.com/repos/acme/app',
      'PUT https://api.github.com/repos/acme/app/collaborators/mallory',
      'POST https://api.github.com/repos/acme/app/hooks',
      'GET https://api.github.com/repos/acme/raw/actions/variables',
      'POST https://api.github.com/user/keys',
      'POST https://api.github.com/graphql',
      'POST https://gist.github.com/',
    ],
  },
  'github-readonly': {
    allowed: [
      'GET https://api.github.com/repos/a/b/issues',
      'GET https://github.com/a/b.git/info/refs?service=git-upload-pack',
      'POST https://github.com/a/b.git/git-upload-pack',
    ],
    refused: [
      'POST https://github.com/a/b.git/git-receive-pack',
      'POST https://github.com/a/b/git-receive-pack',
      'POST https://api.github.com/repos/a/b/issues',
    ],
  },
  gitlab: {
    allowed: [
      'GET https://gitlab.com/api/v4/projects/group%2Fapp',
      'GET https://gitlab.com/api/v4/projects/7/issues',
      'GET https://gitlab.com/api/v4/projects/group%2Fsub%2Fapp/merge_requests?state=opened',
      'GET https://gitlab.com/api/v4/projects/7/repository/files/src%2Findex.ts/raw?ref=main',
      'POST https://gitlab.com/api/v4/projects/acme%2Fapp/issues',
      'POST https://gitlab.com/api/v4/projects/acme%2fapp/merge_requests',
      'POST https://gitlab.com/api/v4/projects/acme%2Fapp/repository/files/src%2Findex.ts',
    ],
    refused: [
      'POST https://gitlab.com/api/v4/projects/stranger%2Fdrop/issues',
      'POST https://gitlab.com/api/v4/projects/acme%2Fother/issues',
      'POST https://gitlab.com/api/v4/projects/7/issues',
      'POST https://gitlab.com/api/v4/projects/acme/app/issues',
      'POST https://gitlab.com/api/v4/projects/acme%2Fapp/repository/files/.gitlab-ci.yml',
      'GET https://gitlab.com/api/v4/projects/7/variables',
      'GET https://gitlab.com/api/v4/projects/7/variables.json',
      'GET https://gitlab.com/api/v4/projects/7%2Fvariables/issues',
      'GET https://gitlab.com/api/v4/projects/group%2Fapp/variables',
      'POST https://gitlab.com/api/v4/projects/7/hooks',
      'POST https://gitlab.com/api/v4/user/keys',
      'DELETE https://gitlab.com/api/v4/projects/7',
    ],
  },
  anthropic: {
    allowed: ['POST https://api.anthropic.com/v1/messages', 'GET https://api.anthropic.com/v1/models'],
    refused: [
      'GET https://api.anthropic.com/v1/organizations/api_keys',
      'POST https://api.anthropic.com/v1/files',
    ],
  },
  openai: {
    allowed: ['POST https://api.openai.com/v1/chat/completions', 'POST https://api.openai.com/v1/responses'],
    refused: [
      'GET https://api.openai.com/v1/organization/admin_api_keys',
      'POST https://api.openai.com/v1/files',
    ],
  },
  gemini: {
    allowed: ['POST https://generativelanguage.googleapis.com/v1beta/models/gemini-pro:generateContent'],
    refused: [
      'POST https://generativelanguage.googleapis.com/upload/v1beta/files',
      'GET https://storage.googleapis.com/',
    ],
  },
  npm: {
    allowed: [
      'GET https://registry.npmjs.org/@scope%2fpkg',
      'GET https://registry.npmjs.org/yaml/-/yaml-2.0.0.tgz',
      'POST https://registry.npmjs.org/-/npm/v1/security/advisories/bulk',
    ],
    refused: [
      'PUT https://registry.npmjs.org/yaml',
      'PUT https://registry.npmjs.org/-/user/org.couchdb.user:me',
    ],
  },
  pypi: {
    allowed: [
      'GET https://pypi.org/simple/requests/',
      'GET https://files.pythonhosted.org/packages/a/b/c.whl',
    ],
    refused: ['POST https://upload.pypi.org/legacy/', 'POST https://pypi.org/legacy/'],
  },
  crates: {
    allowed: [
      'GET https://index.crates.io/se/rd/serde',
      'GET https://static.crates.io/crates/serde/1/download',
    ],
    refused: ['PUT https://crates.io/api/v1/crates/new', 'GET https://github.com/rust-lang/crates.io-index'],
  },
  go: {
    allowed: [
      'GET https://proxy.golang.org/golang.org/x/net/@v/list',
      'GET https://sum.golang.org/lookup/a@v1',
    ],
    refused: ['POST https://proxy.golang.org/', 'GET https://golang.org/x/net?go-get=1'],
  },
  debian: {
    allowed: [
      'GET http://deb.debian.org/debian/dists/stable/InRelease',
      'GET https://security.debian.org/debian-security/dists/stable-security/InRelease',
    ],
    refused: [
      'POST http://deb.debian.org/debian/',
      'GET http://deb.debian.org/',
      'GET http://ftp.debian.org/debian/',
    ],
  },
}

/** A policy of few lines, loaded with a value for every secret that it turns out to need. */
async function load(cwd: string, service: object): Promise<LoadedPolicy> {
  const policy = stringify({ services: { it: service } })
  writeFiles(cwd, { 'egress.yaml': policy })
  const env = Object.fromEntries(
    JSON.stringify(PRESETS)
      .match(/\$\{\w+\}/g)
      ?.map((text) => [text.slice(2, -1), VALUE]) ?? [],
  )
  return loadPolicy('egress.yaml', { kinds: CREDENTIAL_KINDS, env: { ...env, MINE: VALUE }, cwd })
}

/** What is wrong with a policy, and nothing where it loads. */
async function diagnostics(loading: Promise<LoadedPolicy>): Promise<PolicyError['issues']> {
  try {
    await loading
    return []
  } catch (error) {
    if (error instanceof PolicyError) return error.issues
    throw error
  }
}

function evaluated({ policy }: LoadedPolicy, request: string): boolean {
  const [, method = '', scheme, host = '', target = ''] =
    /^(\w+) (https?):\/\/([^/]+)(.*)$/.exec(request) ?? []
  const path = parseRequestTarget(target)
  if (typeof path === 'string') throw new Error(path)
  const plain = scheme === 'http'
  return new PolicyEngine(policy).evaluateRequest({
    agent: DEFAULT_AGENT,
    scheme: plain ? 'http' : 'https',
    host,
    port: plain ? 80 : 443,
    method,
    path,
  }).allowed
}

const known = new Set(CREDENTIAL_KINDS.map(({ name }) => name))

for (const { name, description, example, service, placeholders = {} } of PRESETS) {
  const kind = Object.keys(service.credential ?? {})[0]
  const skip = kind === undefined || known.has(kind) ? false : `there is no kind ${kind} yet`
  void t.test(`${name}: few lines are a working start`, { skip }, async (t) => {
    t.match(description, /^.{20,100}$/)
    const loaded = await load(t.testdir({}), { use: name, ...example })
    t.ok(stringify({ services: { [name]: { use: name, ...example } } }).split('\n').length <= 8)
    for (const request of REQUESTS[name]?.allowed ?? []) t.equal(evaluated(loaded, request), true, request)
    for (const request of REQUESTS[name]?.refused ?? []) t.equal(evaluated(loaded, request), false, request)
    t.ok(REQUESTS[name] !== undefined, 'has requests both ways')
    const made = loaded.policy.services.get('it')
    t.equal(made?.credential?.kind, kind)
    const values = makePlaceholders(loaded.policy, DEFAULT_AGENT)
    const environment = sandboxEnvironment(loaded.policy, { agent: DEFAULT_AGENT, placeholders: values }, [])
    for (const variable of Object.keys(service.env ?? {})) {
      if (service.env?.[variable]?.includes('{url}') && (made?.targets.length ?? 0) > 1) continue
      t.notMatch(environment[variable] ?? '{', /[{}]/, `${variable} is filled in`)
    }
    for (const [field, shape] of Object.entries(placeholders)) {
      const secret = /\$\{(\w+)\}/.exec(service.credential?.[kind ?? '']?.[field] ?? '')?.[1] ?? ''
      t.match(
        values.get(secret),
        new RegExp(`^${shape.prefix}.{${String(shape.length - shape.prefix.length)}}$`),
      )
    }
    t.notOk(JSON.stringify(environment).includes(VALUE))
  })
}

void t.test('s3: in the path, too, the bucket must be named', async (t) => {
  const cwd = t.testdir({})
  const endpoint = 'https://s3.eu-central-1.amazonaws.com'
  const named = await load(cwd, { use: 's3', url: `${endpoint}/reports` })
  for (const [request, allowed] of [
    ['GET /reports/?list-type=2', true],
    ['PUT /reports/key', true],
    ['PUT /reports?policy', false],
    ['PUT /attacker/key', false],
    ['GET /attacker/key', false],
  ] as const)
    t.equal(evaluated(named, request.replace(' ', ` ${endpoint}`)), allowed, request)
  const message = /`https:\/\/s3\.eu-central-1\.amazonaws\.com` names no bucket.*every S3 bucket/
  t.match(await diagnostics(load(cwd, { use: 's3', url: endpoint })), [
    { problem: message, line: 4, column: 10 },
  ])
  const own = { use: 's3', targets: ['https://reports.s3.amazonaws.com', endpoint] }
  t.match(await diagnostics(load(cwd, own)), [{ problem: message }])
  for (const host of [
    's3',
    's3.us-west-2',
    's3-us-west-2',
    's3.dualstack.us-west-2',
    's3-fips.us-gov-west-1',
  ])
    await t.rejects(load(cwd, { use: 's3', url: `https://${host}.amazonaws.com` }), PolicyError, host)
  t.ok(await load(cwd, { use: 's3', url: endpoint, rules: [{ allow: 'GET /reports/**' }] }))
  for (const url of ['https://minio.example.com', 'https://s3-reports.s3.us-west-2.amazonaws.com'])
    t.ok(await load(cwd, { use: 's3', url }), url)
})

void t.test('what stands beside `use` wins', async (t) => {
  const cwd = t.testdir({})
  const own = await load(cwd, {
    use: 'github',
    url: 'https://github.example.com',
    credential: { basic: { password: '${MINE}' }, inject: 'on_placeholder' },
    env: { GH_TOKEN: 'none', GH_HOST: 'github.example.com' },
    rules: [{ allow: 'GET /**' }],
  })
  const service = own.policy.services.get('it')
  t.equal(service?.targets.length, 1)
  t.equal(service?.injectWhen, 'on_placeholder')
  t.same(Object.keys(service?.placeholders ?? {}), ['MINE'])
  t.match(service?.environment, {
    GITHUB_TOKEN: '{placeholder:MINE}',
    GH_TOKEN: 'none',
    GH_HOST: 'github.example.com',
  })
  t.equal(evaluated(own, 'GET https://github.example.com/x'), true)
  t.equal(evaluated(own, 'POST https://github.example.com/a/b/git-upload-pack'), false)
  t.equal(evaluated(own, 'GET https://github.com/x'), false)

  const other = await load(cwd, { use: 'github-readonly', credential: { bearer: '${MINE}' } })
  t.equal(other.policy.services.get('it')?.credential?.kind, 'bearer')
  const shorthand = await load(cwd, { use: 'openai', credential: { bearer: '${MINE}' } })
  t.equal(shorthand.policy.services.get('it')?.environment['OPENAI_API_KEY'], '{placeholder:MINE}')
  const npm = await load(cwd, { use: 'npm', credential: { bearer: '${MINE}' } })
  t.equal(npm.policy.services.get('it')?.credential?.kind, 'bearer')
})

void t.test('write presets ask whose projects may be written to', async (t) => {
  const cwd = t.testdir({})
  const missing = { line: 3, column: 10, fix: /^Write `(owner: acme|project: app)` next to `use`: / }
  for (const use of ['github', 'gitlab'])
    t.match(await diagnostics(load(cwd, { use })), [
      { ...missing, problem: `Preset \`${use}\` needs \`owner\`` },
      { ...missing, problem: `Preset \`${use}\` needs \`project\`` },
    ])
  const github = (more: object) => ({ use: 'github', owner: 'acme', project: 'app', ...more })
  for (const [more, problem] of [
    [{ owner: '*' }, 'Invalid `owner`'],
    [{ owner: 'acme/app' }, 'Invalid `owner`'],
    [{ project: 'a*' }, 'Invalid `project`'],
    [{ project: '..' }, 'Invalid `project`'],
    [{ project: '$&' }, 'Invalid `project`'],
    [{ project: [] }, '`project` is empty'],
    [{ project: { app: true } }, 'Wrong type for `project`'],
    [{ project_id: 7 }, 'Unknown key `project_id`'],
    [{ rules: [{ allow: 'GET /**' }] }, '`owner` has no effect: `rules` replaces the rules of `github`'],
  ] as const)
    t.match((await diagnostics(load(cwd, github(more))))[0], { problem }, problem)
  t.match(await diagnostics(load(cwd, { use: 'npm', owner: 'acme' })), [{ problem: 'Unknown key `owner`' }])

  const several = await load(cwd, github({ owner: ['acme', 'mine'], project: ['app', 'lib'] }))
  const all = await load(cwd, github({ project: '*' }))
  const create = 'POST https://api.github.com/repos/'
  for (const [policy, repository, allowed] of [
    [several, 'acme/lib', true],
    [several, 'mine/app', true],
    [several, 'mine/other', false],
    [all, 'acme/other', true],
    [all, 'mine/app', false],
  ] as const)
    t.equal(evaluated(policy, `${create}${repository}/issues`), allowed, repository)
  t.equal(evaluated(all, 'POST https://github.com/acme/other.git/git-receive-pack'), true)

  const gitlab = await load(cwd, { use: 'gitlab', owner: 'acme/team', project: 'app', project_id: 42 })
  const jira = await load(cwd, { use: 'jira', url: 'https://jira.example.com', project: ['DEMO', 'OPS'] })
  const ci = { use: 'jenkins', url: 'https://ci.example.com', project: ['team', 'team/app', 'tools/lint'] }
  const jenkins = await load(cwd, ci)
  for (const [policy, request, allowed] of [
    [gitlab, 'POST https://gitlab.com/api/v4/projects/acme%2Fteam%2Fapp/issues', true],
    [gitlab, 'POST https://gitlab.com/api/v4/projects/42/issues', true],
    [gitlab, 'POST https://gitlab.com/api/v4/projects/43/issues', false],
    [gitlab, 'POST https://gitlab.com/api/v4/projects/acme%2Fapp/issues', false],
    [jira, 'PUT https://jira.example.com/rest/api/2/issue/OPS-7', true],
    [jira, 'PUT https://jira.example.com/rest/api/2/issue/OTHER-7', false],
    [jira, 'GET https://jira.example.com/rest/api/2/issue/OTHER-7', true],
    [jenkins, 'POST https://ci.example.com/job/team/job/any/job/app/build', true],
    [jenkins, 'POST https://ci.example.com/job/tools/job/lint/build', true],
    [jenkins, 'POST https://ci.example.com/job/tools/job/deploy/build', false],
    [jenkins, 'GET https://ci.example.com/job/tools/job/deploy/api/json', true],
  ] as const)
    t.equal(evaluated(policy, request), allowed, request)
})

void t.test('`extra_rules` name what a preset leaves out', async (t) => {
  const cwd = t.testdir({})
  const logs = 'GET https://api.github.com/repos/acme/app/actions/jobs/7/logs'
  const search = 'GET https://api.github.com/search/code'
  const extra = [{ allow: 'GET /repos/acme/app/actions/jobs/*/logs' }, { deny: '* /search/**' }]
  const plain = await load(cwd, { use: 'github-readonly' })
  const more = await load(cwd, { use: 'github-readonly', extra_rules: extra })
  t.same(
    [logs, search].map((request) => evaluated(plain, request)),
    [false, true],
  )
  t.same(
    [logs, search].map((request) => evaluated(more, request)),
    [true, false],
  )
  t.equal(evaluated(more, 'GET https://api.github.com/repos/acme/other/actions/jobs/7/logs'), false)
  t.same(more.positions.get('services.it.extra_rules[1]'), { line: 6, column: 9 })
  for (const [service, problem] of [
    [
      { url: 'https://a.example.com', rules: [{ allow: 'GET /' }], extra_rules: extra },
      /no effect without `use`/,
    ],
    [{ use: 'npm', rules: [{ allow: 'GET /' }], extra_rules: extra }, /`rules` replaces/],
    [{ use: 'npm', extra_rules: [{ allow: 'FETCH /' }] }, /Unknown HTTP method/],
    [{ use: 'npm', extra_rules: [] }, /is empty/],
  ] as const)
    t.match((await diagnostics(load(cwd, service)))[0], { problem })
})

void t.test('faults point at the file that the user wrote', async (t) => {
  const cwd = t.testdir({})
  const issues = (text: string, env: Record<string, string> = {}) => {
    writeFiles(cwd, { 'egress.yaml': text })
    return diagnostics(loadPolicy('egress.yaml', { kinds: CREDENTIAL_KINDS, env, cwd }))
  }
  t.match(await issues('services:\n  j:\n    use: jria\nagents:\n  ci: { services: [j] }\n'), [
    { line: 3, column: 10, problem: 'Unknown preset `jria`', fix: 'Write `jira`' },
  ])
  t.match(await issues('services:\n  it:\n    use: openai\n    env: { A: b }\n'), [
    { line: 3, column: 10, problem: /`OPENAI_API_KEY` is not set/ },
  ])
  t.match(await issues('services:\n  j:\n    use: jira\n', { JIRA_API_TOKEN: VALUE }), [
    { line: 2, column: 3, problem: 'The service has no `url`' },
  ])
  t.match(await issues('services:\n  j:\n    use: npm\n    rulez: []\n'), [
    { line: 4, column: 5, problem: /Unknown key `rulez`/ },
  ])
  t.match(await issues('services:\n  j:\n    use: [npm]\n'), [
    { line: 3, column: 10, problem: /Wrong type for `use`: got a list/ },
  ])
})

void t.test('egress presets', (t) => {
  const show = (args: Parameters<typeof runPresets>[0]) => {
    let text = ''
    const io = {
      stdout: { write: (more: string) => (text += more) },
      stderr: { write: () => 0 },
      env: {},
      cwd: '/',
    }
    t.equal(runPresets(args, io, CREDENTIAL_KINDS), 0)
    return text
  }
  t.equal(show({}).trimEnd().split('\n').length, PRESETS.length)
  t.match(show({}), /^jira {13}Jira Data Center/m)
  t.match(show({ name: 'github-readonly' }), /# Expands to:[\s\S]*allow: POST \/\*\/\*\/git-upload-pack$/m)
  t.match(
    show({ name: 'github' }),
    /owner: acme\n[\s\S]*# Expands to:[\s\S]*allow: POST \/acme\/app\/git-receive-pack$/m,
  )
  t.notMatch(show({ name: 'github' }), /[{]repo[}]/)
  const lines = show({ json: true }).trimEnd().split('\n')
  t.match(JSON.parse(lines[0] ?? ''), {
    name: 'jira',
    service: { use: 'jira', url: 'https://jira.example.com' },
  })
  t.throws(() => show({ name: 'jria' }), { code: 'EGRESS_NO_PRESET' })
  t.end()
})
