import { createPublicKey, createVerify, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import type { TokenRequest } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { outgoingRequest } from '#test/fixtures/outgoing.js'
import { githubApp } from './github-app.js'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
// The form in which GitHub hands keys out.
const PEM = privateKey.export({ type: 'pkcs1', format: 'pem' }) as string
const NOW = Date.UTC(2030, 0, 1)
const TOKEN = 'ghs_0123456789abcdefghijklmnopqrstuvwxyz'

const VALUES = {
  app_id: new Secret('plain text', '12345', []),
  installation_id: new Secret('plain text', '42', []),
  private_key: new Secret('APP_KEY', PEM),
}

function setUp(values: Record<string, Secret> = VALUES) {
  const sent: TokenRequest[] = []
  const credential = githubApp.bind('github/github_app', values)
  const answer = { token: TOKEN, expires_at: '2030-01-01T01:00:00Z' as unknown }
  const inject = async (path: string) => {
    const request = outgoingRequest({ path })
    const error = await credential.inject(request, {
      now: () => NOW,
      send(request) {
        sent.push(request)
        return Promise.resolve({ status: 201, headers: {}, body: Buffer.from(JSON.stringify(answer)) })
      },
    })
    return { error, authorization: request.headers['authorization'], request }
  }
  return { credential, sent, answer, inject }
}

void t.test('a JWT that the public key verifies, for an installation token', async (t) => {
  const { credential, sent, inject } = setUp()
  t.strictSame(credential.endpoints, [{ scheme: 'https', host: 'api.github.com', port: 443 }])
  t.match(await inject('/user'), { error: null, authorization: `Bearer ${TOKEN}` })
  const [{ method, url, headers, body } = {} as TokenRequest] = sent
  t.equal(`${method} ${url.href}`, 'POST https://api.github.com/app/installations/42/access_tokens')
  t.equal(body, null)
  t.match(headers, { accept: 'application/vnd.github+json', 'user-agent': /./ })
  const [head = '', claims = '', signature = ''] = (headers['authorization'] ?? '').slice(7).split('.')
  const parse = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as unknown
  t.strictSame(parse(head), { alg: 'RS256', typ: 'JWT' })
  t.strictSame(parse(claims), { iat: NOW / 1000 - 60, exp: NOW / 1000 + 540, iss: '12345' })
  const verifier = createVerify('RSA-SHA256').update(`${head}.${claims}`)
  t.ok(
    verifier.verify(
      createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })),
      signature,
      'base64url',
    ),
  )
})

void t.test('git over https gets the token as a password', async (t) => {
  const { credential, inject, sent } = setUp()
  const basic = `Basic ${Buffer.from(`x-access-token:${TOKEN}`).toString('base64')}`
  for (const path of [
    '/o/r.git/info/refs',
    '/o/r/git-upload-pack',
    '/o/r.git/git-receive-pack',
    '/o/r.git/info/lfs/locks',
  ])
    t.equal((await inject(path)).authorization, basic, path)
  t.equal((await inject('/repos/o/r/git/refs')).authorization, `Bearer ${TOKEN}`)
  const secretPatterns = credential.secretPatterns().bytes.map(String)
  t.ok(secretPatterns.some((pattern) => pattern.length > 30 && basic.includes(pattern)))
  credential.onResponse?.((await inject('/o/r.git/info/refs')).request, 401, NOW)
  await inject('/o/r.git/info/refs')
  t.equal(sent.length, 2, 'a refused one is dropped in this form too')
})

void t.test('GitHub Enterprise Server', async (t) => {
  const api = new Secret('plain text', 'https://github.corp.example/api/v3/', [])
  const { sent, inject } = setUp({ ...VALUES, api_url: api })
  await inject('/user')
  t.equal(sent[0]?.url.href, 'https://github.corp.example/api/v3/app/installations/42/access_tokens')
})

void t.test('answers that are no token', async (t) => {
  for (const expires of [undefined, 'never', '2029-12-31T23:59:59Z', 3600]) {
    const { answer, inject } = setUp()
    answer.expires_at = expires
    t.match(await inject('/user'), { error: { reason: 'credential-unavailable' } }, String(expires))
  }
})

void t.test('keys and ids', async (t) => {
  const good = { app_id: '1', installation_id: '42', private_key: PEM }
  t.equal(githubApp.check(good), null)
  t.equal(
    githubApp.check({ ...good, private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string }),
    null,
  )
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const locked = privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  }) as string
  for (const pem of [
    'nonsense',
    locked,
    ...[short, curve].map((key) => key.export({ type: 'pkcs8', format: 'pem' }) as string),
  ])
    t.match(githubApp.check({ ...good, private_key: pem }), /RSA private key/)
  t.match(githubApp.check({ ...good, installation_id: '42/../1' }), /installation_id/)
  t.match(githubApp.check({ ...good, api_url: 'github.corp' }), /api_url/)

  const rotated = new Secret('APP_KEY', PEM)
  const { inject } = setUp({ ...VALUES, private_key: rotated })
  rotated.rotate('-----BEGIN RSA PRIVATE KEY-----\nbroken')
  t.match(await inject('/user'), { error: { detail: 'APP_KEY is not an RSA private key' } })
})
