import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { loadPolicy } from '#config/load.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { startGateway } from './fixtures/gateway.js'
import { startGithub } from './fixtures/github.js'

// `gh` as it is, with a token that is worth nothing, by the preset `github`.

const TOKEN = 'ghp_realrealrealrealrealrealrealrealreal'

function withoutGh(): string | false {
  try {
    execFileSync('gh', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'gh is not installed'
  }
}

async function setUp(t: Test, preset = 'use: github, owner: acme, project: app') {
  const ca = await CertificateAuthority.create(Date.now())
  const github = await startGithub(ca, TOKEN)
  const hosts = ['api.github.com', 'github.com', 'uploads.github.com']
  const directory = t.testdir({
    'upstream.pem': ca.pem,
    'egress.yaml': [
      `services: { github: { ${preset}, ca: upstream.pem, allow_private_addresses: true } }`,
      `upstream: { hosts: { ${hosts.map((host) => `${host}: "127.0.0.1:${String(github.port)}"`).join(', ')} } }`,
      '',
    ].join('\n'),
  })
  const options = { env: { GITHUB_TOKEN: TOKEN }, kinds: CREDENTIAL_KINDS }
  const { policy } = await loadPolicy(`${directory}/egress.yaml`, options)
  const gateway = await startGateway(policy)
  t.teardown(async () => {
    await gateway.close()
    await github.close()
  })
  writeFileSync(`${directory}/ca.pem`, gateway.ca)
  const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.com']
  for (const args of [
    ['init', '-q', '-b', 'topic'],
    [...author, 'commit', '-q', '--allow-empty', '-m', 'x'],
    ['remote', 'add', 'origin', 'https://github.com/acme/app.git'],
  ])
    execFileSync('git', args, { cwd: directory, stdio: 'ignore' })
  const proxy = `http://127.0.0.1:${String(gateway.ports.forward)}`
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    GH_TOKEN: 'ghp_worthlessworthlessworthlessworthless',
    GH_CONFIG_DIR: directory,
    GH_REPO: 'acme/app',
    GH_NO_UPDATE_NOTIFIER: '1',
    NO_COLOR: '1',
    HTTPS_PROXY: proxy,
    SSL_CERT_FILE: `${directory}/ca.pem`,
  }
  const gh = (...args: string[]) =>
    new Promise<{ code: number; text: string }>((resolve) => {
      const run = execFile('gh', args, { env, cwd: directory, timeout: 60_000 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), text: `${stdout}${stderr}` }),
      )
      run.stdin?.end()
    })
  return { gh, github, gateway }
}

/** Comments and states name an issue alone, so they are the operator's to allow. */
const WRITES =
  'use: github, owner: acme, project: app, repository_id: R_1, ' +
  'extra_rules: [{ allow: GRAPHQL mutation addComment }, { allow: GRAPHQL mutation closeIssue }]'

void t.test('gh writes issues, pull requests and releases', { skip: withoutGh() }, async (t) => {
  const { gh, github, gateway } = await setUp(t, WRITES)
  const run = async (...args: string[]) => {
    const { code, text } = await gh(...args)
    t.equal(code, 0, `${args.slice(0, 2).join(' ')}: ${text}`)
    return text
  }
  t.match(await run('issue', 'create', '--title', 'a title', '--body', 'a body'), '/issues/7')
  t.match(await run('issue', 'list'), 'seven')
  t.match(await run('issue', 'view', '7'), 'body of seven')
  t.match(await run('issue', 'comment', '7', '--body', 'a comment'), '/issues/7#1')
  await run('issue', 'close', '7')
  await run('pr', 'create', '--title', 'a pull', '--body', 'x', '--head', 'topic', '--base', 'main')
  await run('pr', 'list')
  await run('pr', 'comment', '8', '--body', 'a comment')
  t.match(await run('release', 'create', 'v1', '--notes', 'n', '--title', 'one'), '/releases/tag/v1')
  await run('release', 'list')
  t.match(github.writes.join('\n'), /mutation createIssue .*"repositoryId":"R_1".*"title":"a title"/)
  t.match(github.writes.join('\n'), /mutation addComment .*"subjectId":"I_7"/)
  t.match(github.writes.join('\n'), /mutation createPullRequest .*"headRefName":"topic"/)
  t.match(github.writes.join('\n'), /POST \/repos\/acme\/app\/releases .*"v1"/)
  t.strictSame(github.unknown, [], 'nothing was asked for that is not there')
  t.strictSame(
    gateway.decisions.filter(({ verdict }) => verdict === 'deny'),
    [],
  )
  t.strictSame(gateway.failures, [])
})

void t.test('gh prints why it may not delete a repository', { skip: withoutGh() }, async (t) => {
  const { gh, github } = await setUp(t)
  const query = 'mutation { deleteRepository(input: {repositoryId: "R_1"}) { clientMutationId } }'
  const denied = await gh('api', 'graphql', '-f', `query=${query}`)
  t.not(denied.code, 0)
  t.match(
    denied.text,
    'egress: no-rule: No rule of this destination allows this method and path. mutation deleteRepository.',
  )
  const byCommand = await gh('issue', 'delete', '7', '--confirm')
  t.not(byCommand.code, 0)
  t.match(byCommand.text, 'mutation deleteIssue')
  t.match(await gh('api', 'graphql', '-f', 'query={ viewer { publicKeys { nodes { key } } } }'), {
    text: 'denied-by-rule',
  })
  t.strictSame(github.writes, [])
  t.match(await gh('api', 'graphql', '-f', 'query={ viewer { login } }'), { code: 0, text: 'acme' })
})

void t.test('no mutation reaches another repository', { skip: withoutGh() }, async (t) => {
  const attempts = [
    'createIssue(input: {repositoryId: "R_2", title: "t"}) { issue { url } }',
    'createPullRequest(input: {repositoryId: "R_2", title: "t"}) { pullRequest { url } }',
    'addComment(input: {subjectId: "I_7", body: "b"}) { clientMutationId }',
    'createIssue(input: {title: "t"}) { issue { url } }',
  ]
  const named = 'use: github, owner: acme, project: app, repository_id: R_1'
  for (const preset of [named, 'use: github, owner: acme, project: app']) {
    const { gh, github } = await setUp(t, preset)
    for (const attempt of attempts)
      t.match(await gh('api', 'graphql', '-f', `query=mutation { ${attempt} }`), { text: 'no-rule' }, attempt)
    t.strictSame(github.writes, [])
    const fine = 'createIssue(input: {repositoryId: "R_1", title: "t"}) { issue { url } }'
    const { code } = await gh('api', 'graphql', '-f', `query=mutation { ${fine} }`)
    t.equal(code === 0, preset === named, 'the control')
  }
})

void t.test('the preset that only reads', { skip: withoutGh() }, async (t) => {
  const { gh, github } = await setUp(t, 'use: github-readonly')
  const denied = await gh('issue', 'create', '--title', 'a title', '--body', 'a body')
  t.not(denied.code, 0)
  t.match(denied.text, 'egress: no-rule')
  t.strictSame(github.writes, [])
  t.match(await gh('issue', 'list'), { code: 0, text: 'seven' })
})
