import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { findHardLinks } from './hard-links.js'
import { findMaskedPaths, hideClosedDirectories, maskExplicit } from './masked-paths.js'

const root = realpathSync(mkdtempSync(join(tmpdir(), 'egress-mask-')))
t.teardown(() => rmSync(root, { recursive: true }))

function tree(name: string, files: Readonly<Record<string, string>>): string {
  for (const [path, content] of Object.entries(files)) {
    const file = join(root, name, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
  return join(root, name)
}

const found = (directory: string) =>
  findMaskedPaths(directory)
    .map(({ path, kind }) => `${kind} ${path.slice(directory.length + 1)}`)
    .sort()

void t.test('what looks like a credential, and its harmless neighbours', (t) => {
  const hidden = [
    '.env',
    '.env.production',
    '.env-local',
    '.env~',
    '.envrc',
    'a/b/id_rsa',
    'id_ed25519',
    'id_ecdsa_sk',
    '.netrc',
    '.ENV',
    'prod.env',
    '.pgpass',
    '.vault-token',
    '.claude/.credentials.json',
    '.codex/auth.json',
    'terraform.tfstate.backup',
    'deploy_rsa',
    'server.PEM',
    'service-account-7.json',
    '.npmrc',
    '.pypirc',
    '.git-credentials',
    'k.key',
    'k.p12',
    'k.pfx',
    'private.pem',
  ]
  const shown = [
    '.env.example',
    '.env.sample',
    '.env.template',
    '.envrc.md',
    'id_rsa.pub',
    'environment',
    'keyboard',
    'x.key.ts',
    'locales/auth.json',
    'sample.env',
    'prod.tfvars.example',
    'vite-env.d.ts',
    'bench_rsa',
    'public.pem',
  ]
  const directory = tree('names', {
    ...Object.fromEntries([...hidden, ...shown].map((name) => [name, 'x'])),
    'private.pem': '-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----',
    'public.pem': '-----BEGIN CERTIFICATE-----',
    deploy_rsa: '-----BEGIN OPENSSH PRIVATE KEY-----',
    '.ssh/config': '',
    '.config/gcloud/x': '',
    '.config/gh/hosts.yml': '',
    '.config/other/x': '',
    'gh/x': '',
    'node_modules/.env': '',
    'node_modules/here/.env': '',
    'node_modules/installed/package.json': '{}',
    'node_modules/installed/.env': '',
    'node_modules/@scope/installed/package.json': '{}',
    'node_modules/@scope/installed/k.key': '',
    '.git/objects/k.key': '',
    'objects/k.key': '',
  })
  const expected = [
    ...hidden.map((name) => `file ${name}`),
    ...['.ssh', '.config/gcloud', '.config/gh'].map((name) => `directory ${name}`),
    ...['objects/k.key', '.git/objects/k.key', 'node_modules/.env', 'node_modules/here/.env'].map(
      (name) => `file ${name}`,
    ),
  ]
  t.same(found(directory), expected.sort())
  t.end()
})

void t.test('a git configuration is hidden where it holds a credential', (t) => {
  const directory = tree('git', {
    'plain/.git/config': '[remote "origin"]\n\turl = https://github.com/a/b\n',
    'token/.git/config': '\turl = https://x-access-token:ghs_1@github.com/a/b\n',
    'checkout/.git/config': '[http "https://github.com/"]\n\textraheader = AUTHORIZATION: basic eA==\n',
    'sub/.git/modules/x/config': '\turl = https://t@github.com/a/b\n',
    'other/config': '\turl = https://t@github.com/a/b\n',
    '.cargo/credentials.toml': '',
    '.cargo/config.toml': '',
  })
  t.same(found(directory), [
    'file .cargo/credentials.toml',
    'file checkout/.git/config',
    'file sub/.git/modules/x/config',
    'file token/.git/config',
  ])
  t.end()
})

void t.test('names that are not UTF-8', (t) => {
  const directory = tree('bytes', { 'plain/file': '' })
  const name = (text: string) => Buffer.concat([Buffer.from(`${directory}/${text}`), Buffer.from([0xe4])])
  mkdirSync(name('Pr'))
  writeFileSync(Buffer.concat([name('Pr'), Buffer.from('/.env')]), '')
  writeFileSync(name('.env.'), '')
  mkdirSync(join(directory, 'Pr\ufffd'))
  writeFileSync(join(directory, 'Pr\ufffd/.env'), '')
  t.strictSame(found(directory), ['file .env.\udce4', 'file Pr\udce4/.env', 'file Pr\ufffd/.env'])
  t.end()
})

void t.test('settings of package managers lose their tokens alone', (t) => {
  const directory = tree('settings', {
    '.npmrc': 'registry=https://npm.example/\n//npm.example/:_authToken=SECRET\nSECRET\nsave-exact=true\n',
    'plain/.npmrc': 'save-exact=true\n',
    'userinfo/.npmrc': 'registry=https://u:SECRET@npm.example/\n',
    '.yarnrc.yml':
      'nodeLinker: node-modules\nnpmScopes:\n  a:\n    npmAuthToken: "SECRET"\n    npmRegistryServer: https://npm.example\n',
    '.git/config': '[remote "origin"]\n\turl = https://x:SECRET@github.com/a/b\n[user]\n\tname = A\n',
  })
  const shown = Object.fromEntries(
    findMaskedPaths(directory).map(({ path, content }) => [path.slice(directory.length + 1), content]),
  )
  t.strictSame(shown, {
    '.npmrc': 'registry=https://npm.example/\nsave-exact=true\n',
    'userinfo/.npmrc': 'registry=https://npm.example/\n',
    '.yarnrc.yml':
      'nodeLinker: node-modules\nnpmScopes:\n  a:\n    npmAuthToken: ""\n    npmRegistryServer: https://npm.example\n',
    '.git/config': '[remote "origin"]\n\turl = https://github.com/a/b\n[user]\n\tname = A\n',
  })
  t.end()
})

void t.test('every name of a hidden file is hidden', (t) => {
  const directory = tree('hard', { '.env': 'S', 'single.env': 'S', unrelated: 'x', '.aws/credentials': 'S' })
  linkSync(join(directory, '.env'), join(directory, 'backup'))
  mkdirSync(join(directory, 'node_modules/p'), { recursive: true })
  writeFileSync(join(directory, 'node_modules/p/package.json'), '{}')
  linkSync(join(directory, '.aws/credentials'), join(directory, 'node_modules/p/copy'))
  linkSync(join(directory, 'unrelated'), join(directory, 'twin'))
  const { names } = findHardLinks(findMaskedPaths(directory), [directory])
  t.strictSame(names.map(({ path }) => path.slice(directory.length + 1)).sort(), [
    'backup',
    'node_modules/p/copy',
  ])
  t.end()
})

void t.test('a package is searched where a link leads to it', (t) => {
  const directory = tree('moved', { 'node_modules/app/package.json': '{}', 'node_modules/app/.env': 'S' })
  t.strictSame(found(directory), [])
  symlinkSync('node_modules/app', join(directory, 'app'))
  t.strictSame(found(directory), ['file node_modules/app/.env'])
  t.end()
})

void t.test('a link is followed to what it shows', (t) => {
  const directory = tree('links', { 'settings/real': 'SECRET' })
  symlinkSync('settings/real', join(directory, '.env'))
  symlinkSync('/etc/hostname', join(directory, '.netrc'))
  symlinkSync('nowhere', join(directory, '.npmrc'))
  t.same(found(directory), ['file settings/real'])
  t.end()
})

void t.test('a tree that cannot be searched whole is refused', (t) => {
  const directory = tree('large', Object.fromEntries([...Array(20).keys()].map((n) => [`${n}.key`, ''])))
  t.throws(() => findMaskedPaths(directory, { entries: 10, masks: 100 }), {
    code: 'EGRESS_SANDBOX_TOO_LARGE',
  })
  t.throws(() => findMaskedPaths(directory, { entries: 100, masks: 10 }), {
    code: 'EGRESS_SANDBOX_TOO_LARGE',
  })
  t.equal(findMaskedPaths(directory, { entries: 20, masks: 20 }).length, 20)
  t.end()
})

void t.test('what the caller hides is hidden where it would be seen', (t) => {
  const directory = tree('explicit', { 'policy.yaml': '', 'audit/x': '', 'sub/x': '' })
  const elsewhere = tree('elsewhere', { x: '' })
  t.same(
    maskExplicit(
      [join(directory, 'policy.yaml'), join(directory, 'audit'), elsewhere, '/missing'],
      [directory],
    ),
    [
      { path: join(directory, 'policy.yaml'), kind: 'file' },
      { path: join(directory, 'audit'), kind: 'directory' },
    ],
  )
  t.throws(() => maskExplicit([directory], [join(directory, 'sub')]), { code: 'EGRESS_SANDBOX_MASK' })
  t.end()
})

void t.test('a directory that is closed to the identity is hidden as a whole', (t) => {
  const directory = tree('closed', { 'a/b/c/.env': '', 'a/b/.env': '', 'a/.env': '', '.env': '' })
  const masks = findMaskedPaths(directory)
  const stranger = { uid: 61_000, gid: 61_000 }
  const hidden = () =>
    hideClosedDirectories(masks, ['/usr', directory], stranger)
      .map(({ path, kind }) => `${kind} ${path.slice(directory.length + 1)}`)
      .sort()
  t.strictSame(hidden(), ['file .env', 'file a/.env', 'file a/b/.env', 'file a/b/c/.env'])
  chmodSync(join(directory, 'a/b'), 0o700)
  t.strictSame(hidden(), ['directory a/b', 'file .env', 'file a/.env'])
  t.end()
})

void t.test('copies that programs and people leave have the content of the file', (t) => {
  const copies = [
    ...['#.env#', '..env.un~', '.env copy', '.env (copy)', '.env (2)', '.env.2024-11-01', '.env_old'],
    ...['.server.key.swp', 'server.key.bak', 'server.key~', 'id_ed25519.orig', 'Copy of prod.env'],
    ...['.netrc.bak', '.netrc - Copy', '.git-credentials.lock', '.pgpass.tmp', 'prod.env copy', '.npmrc~'],
    ...['.ssh.old/id', '.aws-backup/credentials', '.codex/auth.json.bak', '.git/config.lock'],
  ]
  const shown = ['.env.example', 'key.1', 'notes~', 'x copy.ts', 'id_rsa.pub', 'git/config.lock', '.aws.ts']
  const secret = '_authToken=abcdefghijkl\n[remote "origin"]\n\turl = https://a:token@host/x\n'
  const directory = tree('copies', Object.fromEntries([...copies, ...shown].map((name) => [name, secret])))
  writeFileSync(join(directory, 'git/config.lock'), 'https://a:token@host/')
  const names = findMaskedPaths(directory).map(({ path }) => path.slice(directory.length + 1))
  t.strictSame(
    names.sort(),
    copies.map((name) => name.replace(/^(\.ssh\.old|\.aws-backup)\/.*/, '$1')).sort(),
  )
  t.end()
})

void t.test('settings of git, whatever the repository is called', (t) => {
  const url = '[remote "origin"]\n\turl = https://token@github.com/a/b\n'
  const directory = tree('git-settings', {
    '.bare/config': url,
    'app.git/config': url,
    gitconfig: '[url "https://x:token@github.com/"]\n\tinsteadOf = https://github.com/\n',
    'plain.git/config': '[remote "origin"]\n\turl = https://github.com/a/b\n',
    'app/config': 'upstream: https://token@github.com/a/b\n',
  })
  const masks = findMaskedPaths(directory)
  t.strictSame(masks.map(({ path }) => path.slice(directory.length + 1)).sort(), [
    '.bare/config',
    'app.git/config',
    'gitconfig',
  ])
  for (const { content = '' } of masks) {
    t.match(content, 'github.com')
    t.notMatch(content, 'token')
  }
  t.end()
})
