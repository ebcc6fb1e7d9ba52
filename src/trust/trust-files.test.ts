import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { BUNDLE_PATHS, JAVA_STORE_PATHS, TRUST_DIRECTORIES } from './clients.js'
import { certificatesIn } from './public-cas.js'
import { subjectHash } from './subject-hash.js'
import { homeTrustFiles, trustFiles, trustVolume, type FileContent } from './trust-files.js'
import { trustVariables } from './trust-variables.js'

const AT = Date.UTC(2030, 0, 1)
const { pem } = await CertificateAuthority.create(Date.now())
const own = new X509Certificate(pem)
const files = trustFiles(pem, AT)

const directory = mkdtempSync(join(tmpdir(), 'egress-trust-'))
t.teardown(() => rmSync(directory, { recursive: true }))

function contentOf(path: string): string | Buffer {
  const content: FileContent = files[path] ?? ''
  if (typeof content === 'string' || Buffer.isBuffer(content)) return content
  return 'link' in content ? contentOf(content.link) : content.initial
}

function has(program: string, ...args: string[]): { skip: string } | Record<string, never> {
  const { error } = spawnSync(program, args, { stdio: 'ignore' })
  return error === undefined ? {} : { skip: `${program} is not installed` }
}

void t.test('every path of the bundle has the public authorities and the gateway, and no key', (t) => {
  for (const path of BUNDLE_PATHS) {
    const certificates = certificatesIn(String(contentOf(path)))
    t.ok(certificates.length > 50, `${path}: ${String(certificates.length)} authorities`)
    t.ok(
      certificates.some((der) => new X509Certificate(der).fingerprint256 === own.fingerprint256),
      path,
    )
  }
  for (const path of Object.keys(files)) t.notMatch(String(contentOf(path)), /PRIVATE KEY/, path)
  t.end()
})

void t.test('every variable names a file that is there', (t) => {
  for (const [name, path] of Object.entries(trustVariables())) t.ok(path in files, `${name}: ${path}`)
  t.notOk('AWS_CA_BUNDLE' in trustVariables(), 'with it, programs with version 1 of the AWS SDK for Go fail')
  t.end()
})

void t.test('keytool reads the Java store, with and without a password', has('keytool', '-help'), (t) => {
  const store = join(directory, 'cacerts')
  writeFileSync(store, contentOf(JAVA_STORE_PATHS[0] ?? ''))
  for (const password of [['-storepass', 'changeit'], []]) {
    const listed = execFileSync('keytool', ['-list', '-v', '-keystore', store, ...password], {
      encoding: 'utf8',
      input: '\n',
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    t.match(listed, own.fingerprint256, `${String(password.length)} words of password`)
    t.ok((listed.match(/^Alias name: /gm) ?? []).length > 50)
  }
  t.end()
})

void t.test('certutil reads the database of NSS', has('certutil', '-H'), (t) => {
  const [[path, content] = ['', '']] = Object.entries(homeTrustFiles(pem, '/home/agent'))
  t.equal(path, '/home/agent/.pki/nssdb/cert9.db')
  writeFileSync(
    join(directory, 'cert9.db'),
    typeof content === 'object' && 'initial' in content ? content.initial : '',
  )
  const database = `sql:${directory}`
  // As browsers do, it makes the database of keys when it writes.
  execFileSync('certutil', ['-d', database, '-M', '-n', 'agent-egress-firewall', '-t', 'C,,'])
  const list = (...args: string[]) =>
    execFileSync('certutil', ['-d', database, '-L', ...args], { encoding: 'utf8' })
  t.match(list(), /agent-egress-firewall\s+C,,/)
  t.equal(new X509Certificate(list('-n', 'agent-egress-firewall', '-a')).fingerprint256, own.fingerprint256)
  t.end()
})

void t.test('the name in a directory of certificates is that of OpenSSL', (t) => {
  for (const der of certificatesIn(String(contentOf('/etc/ssl/cert.pem'))).slice(-10)) {
    const text = new X509Certificate(der).toString()
    const hash = execFileSync('openssl', ['x509', '-subject_hash', '-noout'], {
      input: text,
      encoding: 'utf8',
    })
    t.equal(subjectHash(der), hash.trim(), new X509Certificate(der).subject)
  }
  t.ok(`/etc/ssl/certs/${subjectHash(own.raw)}.0` in files)
  t.end()
})

void t.test('browsers', (t) => {
  const policy = JSON.parse(String(contentOf('/etc/chromium/policies/managed/egress.json'))) as {
    CACertificates: string[]
  }
  t.same(policy.CACertificates, [own.raw.toString('base64')])
  const firefox = JSON.parse(String(contentOf('/etc/firefox/policies/policies.json'))) as {
    policies: { Certificates: { Install: string[] } }
  }
  for (const path of firefox.policies.Certificates.Install) t.equal(contentOf(path), pem)
  t.end()
})

void t.test('one directory stands for each of those that a container gets', (t) => {
  const volume = trustVolume(pem, AT)
  for (const [path, content] of Object.entries(files)) {
    const inside = TRUST_DIRECTORIES.filter((candidate) => path.startsWith(`${candidate}/`))
    for (const candidate of inside) t.same(volume[path.slice(candidate.length + 1)], contentOf(path), path)
    if (typeof content !== 'object' || Buffer.isBuffer(content)) t.ok(inside.length > 0, path)
  }
  t.end()
})
