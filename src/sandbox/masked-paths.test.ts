import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
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
    'public.pem',
  ]
  const directory = tree('names', {
    ...Object.fromEntries([...hidden, ...shown].map((name) => [name, 'x'])),
    'private.pem': '-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----',
    'public.pem': '-----BEGIN CERTIFICATE-----',
    '.ssh/config': '',
    '.config/gcloud/x': '',
    '.config/gh/hosts.yml': '',
    '.config/other/x': '',
    'gh/x': '',
    'node_modules/.env': '',
    '.git/objects/k.key': '',
    'objects/k.key': '',
  })
  const expected = [
    ...hidden.map((name) => `file ${name}`),
    ...['.ssh', '.config/gcloud', '.config/gh'].map((name) => `directory ${name}`),
    'file objects/k.key',
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
