import { createVerify, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import type { TokenRequest } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { outgoingRequest } from '#test/fixtures/outgoing.js'
import { google } from './google.js'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
const NOW = Date.UTC(2030, 0, 1)
const EMAIL = 'robot@project.iam.gserviceaccount.com'
const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_only'

const keyFile = (more: object = {}) =>
  JSON.stringify(
    {
      type: 'service_account',
      private_key_id: 'key-1',
      private_key: PEM,
      client_email: EMAIL,
      token_uri: 'https://oauth2.googleapis.com/token',
      ...more,
    },
    null,
    2,
  )

async function inject(values: Record<string, Secret>) {
  const sent: TokenRequest[] = []
  const credential = google.bind('gcs/google', values)
  const request = outgoingRequest()
  const error = await credential.inject(request, {
    now: () => NOW,
    send(request) {
      sent.push(request)
      const answer = { access_token: 'ya29.0123456789', token_type: 'Bearer', expires_in: 3599 }
      return Promise.resolve({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(answer)) })
    },
  })
  return { credential, sent, error, authorization: request.headers['authorization'] }
}

const secret = (text: string) => new Secret('GOOGLE_KEY', text)
const plain = (text: string) => new Secret('plain text', text, [])

/** The parts of an assertion whose signature the public key verifies. */
function verified({ body }: TokenRequest): { header: unknown; claims: unknown } {
  const form = new URLSearchParams(body ?? '')
  const [head = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.')
  if (!createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(publicKey, signature, 'base64url'))
    throw new Error('the signature is wrong')
  const parse = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as unknown
  return { header: parse(head), claims: parse(claims) }
}

void t.test('a key file', async (t) => {
  const { credential, sent, error, authorization } = await inject({
    key: secret(keyFile()),
    scope: plain(SCOPE),
  })
  t.equal(error, null)
  t.equal(authorization, 'Bearer ya29.0123456789')
  const [request = {} as TokenRequest] = sent
  t.equal(`${request.method} ${request.url.href}`, 'POST https://oauth2.googleapis.com/token')
  t.match(request.body, 'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=')
  t.strictSame(verified(request), {
    header: { alg: 'RS256', typ: 'JWT', kid: 'key-1' },
    claims: {
      iss: EMAIL,
      scope: SCOPE,
      aud: 'https://oauth2.googleapis.com/token',
      iat: NOW / 1000,
      exp: NOW / 1000 + 600,
    },
  })
  const secretPatterns = credential.secretPatterns().bytes.map(String)
  const key = PEM.replace(/-----.*-----/g, '').trim()
  for (const text of [key, 'ya29.0123456789', JSON.stringify(key).slice(1, -1)])
    t.ok(secretPatterns.includes(text))
})

void t.test('address and key, another endpoint, for a user', async (t) => {
  const { credential, sent } = await inject({
    email: plain(EMAIL),
    private_key: secret(PEM),
    scope: plain(SCOPE),
    subject: plain('user@corp.example'),
    token_uri: plain('https://tokens.corp.example/token'),
  })
  t.strictSame(credential.endpoints, [{ scheme: 'https', host: 'tokens.corp.example', port: 443 }])
  t.match(verified(sent[0] ?? ({} as TokenRequest)).claims, {
    sub: 'user@corp.example',
    aud: 'https://tokens.corp.example/token',
  })
})

void t.test('what cannot be loaded', async (t) => {
  t.equal(google.check({ key: keyFile(), scope: SCOPE }), null)
  t.equal(google.check({ email: EMAIL, private_key: PEM, scope: SCOPE }), null)
  t.match(google.check({ scope: SCOPE }), /either/)
  t.match(google.check({ email: EMAIL, scope: SCOPE }), /either/)
  t.match(google.check({ key: keyFile(), email: EMAIL, scope: SCOPE }), /either/)
  for (const key of ['{', '[]', '{"client_email":"x"}', keyFile({ private_key: 7 })])
    t.match(google.check({ key, scope: SCOPE }), /key file/, key.slice(0, 20))
  t.match(google.check({ key: keyFile({ private_key: 'x' }), scope: SCOPE }), /RSA/)

  const elsewhere = keyFile({ token_uri: 'https://evil.test/token' })
  t.match(google.check({ key: elsewhere, scope: SCOPE }), /another token endpoint/)
  t.equal(google.check({ key: elsewhere, scope: SCOPE, token_uri: 'https://evil.test/token' }), null)
  const { sent, error } = await inject({ key: secret(elsewhere), scope: plain(SCOPE) })
  t.match(error, { reason: 'credential-unavailable', detail: /another token endpoint/ })
  t.strictSame(sent, [], 'nor is such a file used that takes the place of a good one later')
})
