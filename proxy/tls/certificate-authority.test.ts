import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type ConnectionOptions, type SecureContext } from 'node:tls'
import { format, inspect } from 'node:util'
import t from 'tap'
import { CertificateAuthority } from './certificate-authority.js'

const NOW = Date.now()
const DAY = 86_400_000

/** Serves TLS with the context, and returns what a client that trusts `ca` sees. */
async function handshake(context: SecureContext, ca: string, options: ConnectionOptions) {
  const server = createServer({ SNICallback: (_name, done) => done(null, context) }, (socket) => socket.end())
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const result = await new Promise<{ certificate: X509Certificate | null; error: string | null }>(
    (resolve) => {
      const socket = connect({ socket: connectTcp(port, '127.0.0.1'), ca, ...options })
      socket.once('secureConnect', () =>
        resolve({ certificate: socket.getPeerX509Certificate() ?? null, error: null }),
      )
      socket.once('error', (error: NodeJS.ErrnoException) =>
        resolve({ certificate: null, error: error.code ?? '' }),
      )
    },
  )
  server.close()
  return result
}

const LONG = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.example`

void t.test('leaves verify for their host and for no other', async (t) => {
  const authority = await CertificateAuthority.create(NOW)
  const other = await CertificateAuthority.create(NOW)
  for (const host of ['api.example.com', 'a_b.example.com', 'xn--bcher-kva.example', 'localhost', LONG]) {
    const context = await authority.contextFor('sb', host, NOW)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { error } = await handshake(context, authority.pem, { servername: host, maxVersion })
      t.equal(error, null, `${host}, ${maxVersion}`)
    }
    const wrong = await handshake(context, authority.pem, { servername: `x.${host.slice(0, 200)}` })
    t.equal(wrong.error, 'ERR_TLS_CERT_ALTNAME_INVALID', host)
    t.ok((await handshake(context, other.pem, { servername: host })).error, 'another CA with the same name')
  }
  const old = await handshake(await authority.contextFor('sb', 'a.example', NOW), authority.pem, {
    servername: 'a.example',
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
  })
  t.ok(old.error, 'TLS 1.1 is not supported')
})

void t.test('certificates follow RFC 5280', async (t) => {
  const authority = await CertificateAuthority.create(NOW)
  const ca = new X509Certificate(authority.pem)
  t.ok(ca.ca)
  t.ok(ca.verify(ca.publicKey))
  t.ok(Date.parse(ca.validFrom) <= NOW - 59 * 60_000, 'clocks may differ')
  const serials = new Set<string>()
  for (const host of ['api.example', LONG]) {
    const { certificate: leaf } = await handshake(
      await authority.contextFor('sb', host, NOW),
      authority.pem,
      {
        servername: host,
      },
    )
    if (leaf === null) throw new Error('no leaf')
    t.notOk(leaf.ca)
    t.ok(leaf.verify(ca.publicKey))
    t.ok(leaf.checkIssued(ca))
    t.equal(leaf.subjectAltName, `DNS:${host}`)
    t.strictSame(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'server authentication only')
    t.equal(leaf.checkHost(host), host)
    t.ok(Date.parse(leaf.validTo) - Date.parse(leaf.validFrom) < 398 * DAY)
    t.ok(Date.parse(leaf.validFrom) < NOW)
    t.equal(leaf.publicKey.asymmetricKeyType, 'ec')
    t.notSame(
      leaf.publicKey.export({ type: 'spki', format: 'pem' }),
      ca.publicKey.export({ type: 'spki', format: 'pem' }),
    )
    t.match(leaf.serialNumber, /^[4-7][0-9A-F]{31}$/, 'positive, 127 bits')
    serials.add(leaf.serialNumber)
  }
  t.equal(serials.size, 2)
})

void t.test(
  'openssl verify -x509_strict',
  { skip: spawnSync('openssl', ['version']).status !== 0 },
  async (t) => {
    const authority = await CertificateAuthority.create(NOW)
    const directory = mkdtempSync(join(tmpdir(), 'egress-ca-'))
    t.teardown(() => rmSync(directory, { recursive: true }))
    const ca = join(directory, 'ca.pem')
    writeFileSync(ca, authority.pem)
    for (const host of ['api.example.com', 'a_b.example', LONG]) {
      const { certificate } = await handshake(await authority.contextFor('sb', host, NOW), authority.pem, {
        servername: host,
      })
      const leaf = join(directory, 'leaf.pem')
      writeFileSync(leaf, certificate?.toString() ?? '')
      const args = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', ca]
      t.match(
        execFileSync('openssl', [...args, '-verify_hostname', host, leaf], { encoding: 'utf8' }),
        /: OK/,
        host,
      )
      t.not(
        spawnSync('openssl', [...args, '-verify_hostname', 'evil.test', leaf]).status,
        0,
        `${host} is valid for no other host`,
      )
    }
    const text = execFileSync('openssl', ['x509', '-in', ca, '-noout', '-text'], { encoding: 'utf8' })
    t.match(text, /CA:TRUE, pathlen:0/)
    t.match(text, /X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign/)
    t.match(text, /ASN1 OID: prime256v1/)
  },
)

void t.test('a leaf is issued once while it is valid, and the cache is limited', async (t) => {
  const authority = await CertificateAuthority.create(NOW, 64)
  const first = authority.contextFor('sb', 'first.example', NOW)
  t.equal(authority.contextFor('sb', 'first.example', NOW + DAY), first)
  t.not(
    authority.contextFor('sb', 'first.example', NOW + 30 * DAY),
    first,
    'a leaf that is about to expire is issued again',
  )
  const kept = authority.contextFor('sb', 'kept.example', NOW)
  const early = authority.contextFor('sb', 'early.example', NOW)
  for (let i = 0; i < 63; i += 1) {
    await authority.contextFor('sb', `h${i}.example`, NOW)
    if (i % 10 === 0) t.equal(authority.contextFor('sb', 'kept.example', NOW), kept)
  }
  t.equal(authority.contextFor('sb', 'kept.example', NOW), kept, 'a used leaf stays cached')
  t.not(authority.contextFor('sb', 'early.example', NOW), early, 'the least recently used leaf is evicted')
})

void t.test('each sandbox has its own certificates, and they end with it', async (t) => {
  const authority = await CertificateAuthority.create(NOW)
  const first = authority.contextFor('a', 'x.example', NOW)
  t.ok(authority.knows('a', 'x.example', NOW))
  t.notOk(authority.knows('b', 'x.example', NOW), 'another sandbox makes its own')
  t.notOk(authority.knows('a', 'x.example', NOW + 30 * DAY), 'one that is about to expire is made again')
  t.not(authority.contextFor('b', 'x.example', NOW), first)
  authority.prune((sandbox) => sandbox !== 'a')
  t.notOk(authority.knows('a', 'x.example', NOW))
  t.ok(authority.knows('b', 'x.example', NOW))
  await Promise.resolve()
})

void t.test('no property prints a key', async (t) => {
  const authority = await CertificateAuthority.create(NOW)
  const context = await authority.contextFor('sb', 'a.example', NOW)
  const own = Reflect.ownKeys(authority).map(String)
  t.strictSame(own, [], 'no property is reachable')
  const prototype = Object.getOwnPropertyNames(CertificateAuthority.prototype)
  t.strictSame(prototype.sort(), ['constructor', 'contextFor', 'knows', 'pem', 'prune'])
  for (const text of [
    authority.pem,
    JSON.stringify(authority),
    inspect(authority, { depth: 20, showHidden: true, getters: true }),
    format('%o %O %j', authority, authority, authority),
    inspect(context, { depth: 20, showHidden: true, getters: true }),
    JSON.stringify(context),
  ])
    t.notMatch(text, /PRIVATE KEY/)
  t.equal((authority.pem.match(/-----BEGIN/g) ?? []).length, 1)
})
