import { generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { PolicyError } from '#config/issues/issue.js'
import { loadPolicy } from '#config/load.js'
import { writeFiles } from '#config/test-fixtures.js'
import { createCa } from './servers/certificate-authority.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'

// Policies that have the gateway get a token or show a certificate: what loads, and what does not.

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})
const SECRET = 'client-secret-0123456789'

async function setUp(t: Test) {
  const authority = await createCa('clients')
  const [one, two] = [await authority.issue(['one']), await authority.issue(['two'])]
  const account = { client_email: 'robot@project.example', private_key: privateKey }
  const cwd = writeFiles(t.testdir({}), {
    'app.pem': privateKey,
    'account.json': JSON.stringify(account, null, 2),
    'one.crt': one.cert,
    'one.key': one.key,
    'two.crt': two.cert,
    'two.key': two.key,
  })
  const env = {
    CLIENT_SECRET: SECRET,
    APP_KEY_FILE: 'app.pem',
    GOOGLE_KEY_FILE: 'account.json',
    ONE_CERT_FILE: 'one.crt',
    ONE_KEY_FILE: 'one.key',
    TWO_CERT_FILE: 'two.crt',
    TWO_KEY_FILE: 'two.key',
  }
  return {
    load: async (text: string) => {
      writeFiles(cwd, { 'egress.yaml': text })
      return (await loadPolicy('egress.yaml', { kinds: CREDENTIAL_KINDS, env, cwd })).policy
    },
  }
}

/** Everything that is wrong, as one text. */
async function diagnosticsOf(load: () => Promise<Policy>): Promise<string> {
  try {
    await load()
    return ''
  } catch (error) {
    if (error instanceof PolicyError) return JSON.stringify(error.issues)
    throw error
  }
}

const service = (credential: string, url = 'https://api.example.com', more = '') => `services:
  api:
    url: ${url}
    credential:
      ${credential}
    rules: [{ allow: "* /**" }]
${more}`

const oauth2 = (url: string) =>
  `oauth2: { token_url: "${url}", client_id: me, client_secret: "\${CLIENT_SECRET}" }`

const GOOD: readonly string[] = [
  oauth2('https://login.microsoftonline.com/tenant/oauth2/v2.0/token'),
  'github_app: { app_id: "12345", installation_id: "678", private_key: "${APP_KEY}" }',
  'google: { key: "${GOOGLE_KEY}", scope: https://www.googleapis.com/auth/devstorage.read_only }',
  'mtls: { certificate: "${ONE_CERT}", key: "${ONE_KEY}" }',
]

void t.test('each kind loads, its keys from files of many lines', async (t) => {
  const { load } = await setUp(t)
  for (const credential of GOOD) {
    const name = credential.split(':')[0] ?? ''
    t.equal((await load(service(credential))).services.get('api')?.credential?.kind, name)
  }
})

void t.test('a token is fetched over https, unless the service is marked plain', async (t) => {
  const { load } = await setUp(t)
  const exposed = service(oauth2('http://login.example.com/token'))
  t.match(
    await diagnosticsOf(() => load(exposed)),
    /requested from `http:\/\/login\.example\.com`.*allow_plaintext: true/,
  )
  t.equal(await diagnosticsOf(() => load(`${exposed}    allow_plaintext: true\n`)), '')
  t.equal(await diagnosticsOf(() => load(exposed.replace('http:', 'https:'))), '')
})

void t.test('the name of a token endpoint may be given an address', async (t) => {
  const { load } = await setUp(t)
  const hosts = 'upstream: { hosts: { login.example.com: "192.0.2.1:8443" } }\n'
  const text = service(oauth2('https://login.example.com/token')) + hosts
  t.match((await load(text.replace('192.0.2.1', '8.8.8.8'))).upstream.hosts, {
    'login.example.com': { port: 8443 },
  })
  t.match(await diagnosticsOf(() => load(service(GOOD[3] ?? '') + hosts)), /Nothing in the policy uses/)
})

void t.test('a certificate is shown over https alone, and with its own key', async (t) => {
  const { load } = await setUp(t)
  const plain = service(GOOD[3] ?? '', 'http://api.example.com', '    allow_plaintext: true\n')
  t.match(await diagnosticsOf(() => load(plain)), /https:\/\/ connections only/)
  t.match(
    await diagnosticsOf(() => load(service('mtls: { certificate: "${ONE_CERT}", key: "${TWO_KEY}" }'))),
    /does not match the key/,
  )
})

void t.test('two certificates at one origin: for different agents, or not at all', async (t) => {
  const { load } = await setUp(t)
  const two = `  other:
    url: https://api.example.com/other
    credential: { mtls: { certificate: "\${TWO_CERT}", key: "\${TWO_KEY}" } }
    rules: [{ allow: "* /**" }]
`
  const both = service(GOOD[3] ?? '', 'https://api.example.com', two)
  t.match(await diagnosticsOf(() => load(both)), /both at/)
  t.equal(
    await diagnosticsOf(() => load(`${both}agents: { a: { services: [api] }, b: { services: [other] } }\n`)),
    '',
  )
})

void t.test('no message repeats a secret', async (t) => {
  const { load } = await setUp(t)
  const texts = [
    service(oauth2(`https://login.example.com/\${CLIENT_SECRET}#x`)),
    service(oauth2('http://login.example.com/token')),
    service('oauth2: { token_url: https://login.example.com/, client_id: me }'),
    service('github_app: { app_id: "1", installation_id: x, private_key: "${APP_KEY}" }'),
    service('github_app: { app_id: "1", installation_id: "1", private_key: "${ONE_KEY}" }'),
    service('google: { key: "${APP_KEY}", scope: x }'),
    service('google: { key: "${GOOGLE_KEY}", email: x, scope: x }'),
  ]
  for (const text of texts) {
    const diagnostic = await diagnosticsOf(() => load(text))
    t.not(diagnostic, '')
    t.notOk(diagnostic.includes(SECRET))
    t.notMatch(diagnostic, /BEGIN|MII/)
  }
})
