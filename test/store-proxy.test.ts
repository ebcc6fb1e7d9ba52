import { createServer, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { PolicyError } from '#config/issues/issue.js'
import { loadPolicy } from '#config/load.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { connectByProxy } from '#proxy/upstream/connect-by-proxy.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { eventually } from './fixtures/eventually.js'
import { startUpstream } from './fixtures/upstream.js'
import { hasSquid, startSquid } from './servers/squid.js'

// Secret stores are reached through a company's proxy, as upstreams are. It alone knows their names.

t.setTimeout(240_000)

const USER = 'egress-gateway'
const PASSWORD = 'pass/word+0123456789'
const VALUE = 'the-value-in-the-store-0123'

async function setUp(t: Test) {
  const authority = await CertificateAuthority.create(Date.now())
  const tokens: unknown[] = []
  const upstream = await startUpstream(authority, (request: IncomingMessage, response) => {
    tokens.push(request.headers['x-vault-token'] ?? request.headers['x-amz-target'])
    const amazon = request.headers['x-amz-target'] !== undefined
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(amazon ? { SecretString: VALUE } : { data: { token: VALUE } }))
  })
  const squid = await startSquid(
    { user: USER, password: PASSWORD },
    { 'vault.corp.test': '127.0.0.1', 'aws.corp.test': '127.0.0.1' },
    [upstream.port],
  )
  t.teardown(async () => {
    await squid.stop()
    await upstream.close()
  })
  const directory = t.testdir({})
  writeFileSync(join(directory, 'ca.pem'), authority.pem)
  const port = String(upstream.port)
  /** The value of the secret, or what is wrong. */
  const load = async (proxy: string, env: Record<string, string> = {}, more = '') => {
    const file = join(directory, 'egress.yaml')
    writeFileSync(
      file,
      `secrets:
  API_TOKEN: { vault: { address: "https://vault.corp.test:${port}", path: secret/api, field: token, token: "\${VAULT_TOKEN}", ca: ca.pem }, timeout: 5s }
  OTHER_TOKEN: { aws_secret: { id: api, region: eu-central-1, access_key: "\${AWS_KEY}", secret_key: "\${AWS_SECRET}", endpoint: "https://aws.corp.test:${port}", ca: ca.pem }, timeout: 5s }
services:
  api: { url: https://api.corp.test, credential: { bearer: "\${API_TOKEN}" }, rules: [{ allow: GET /** }] }
  other: { url: https://other.corp.test, credential: { bearer: "\${OTHER_TOKEN}" }, rules: [{ allow: GET /** }] }
upstream:
  proxy: "${proxy}"
${more}`,
    )
    const secrets = {
      VAULT_TOKEN: 'hvs.vault-token-0123',
      AWS_KEY: 'AKIDEXAMPLE0123456',
      AWS_SECRET: 'wJalrXUtnFEMI0123456',
    }
    try {
      const { policy } = await loadPolicy(file, {
        ...{ kinds: CREDENTIAL_KINDS, connectByProxy, cwd: directory },
        env: { ...secrets, ...env },
      })
      return [...new Set(policy.secrets.map(({ secret }) => secret.reveal()))]
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error
      return error.issues.map(({ problem }) => problem)
    }
  }
  const asked = () =>
    squid
      .log()
      .filter((line) => line.startsWith('CONNECT'))
      .map((line) => line.replace(/:\d+/, ''))
  return { load, asked, tokens, squid, upstream }
}

const skip = hasSquid ? false : 'squid is not installed'

void t.test(
  'a store is reached through the proxy of the policy, with TLS from end to end',
  { skip },
  async (t) => {
    const { load, asked, tokens, squid } = await setUp(t)
    const at = `127.0.0.1:${String(squid.port)}`
    const values = await load(`http://${USER}:\${PROXY_PASSWORD}@${at}`, { PROXY_PASSWORD: PASSWORD })
    t.ok(values.includes(VALUE), values.join('\n'))
    t.same(new Set(tokens), new Set(['hvs.vault-token-0123', 'secretsmanager.GetSecretValue']))
    await eventually(() => asked().length >= 2)
    t.same(new Set(asked()), new Set(['CONNECT vault.corp.test 200', 'CONNECT aws.corp.test 200']))

    const wrong = await load(`http://${USER}:\${PROXY_PASSWORD}@${at}`, {
      PROXY_PASSWORD: 'another-password',
    })
    t.equal(wrong.length, 2)
    for (const problem of wrong)
      t.match(problem, /through `upstream.proxy`: the proxy asks for other credentials.*\(407\)/)
    t.notMatch(wrong.join(), 'another-password')
    t.equal(tokens.length, 2, 'no store was asked')
    const gone = await load('http://127.0.0.1:1')
    t.match(
      gone[0],
      /through `upstream.proxy`: the proxy in `upstream.proxy` could not be reached \(ECONNREFUSED\)/,
    )
  },
)

void t.test('by the variables of the gateway, where the policy says so', { skip }, async (t) => {
  const { load, asked, squid } = await setUp(t)
  const url = `http://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${String(squid.port)}`
  t.ok((await load('environment', { HTTPS_PROXY: url })).includes(VALUE))
  await eventually(() => asked().length >= 2)
  const direct = await load('environment', { HTTPS_PROXY: url, NO_PROXY: 'corp.test' })
  t.match(direct[0], /^API_TOKEN: No response from vault\.corp\.test:\d+ \((ENOTFOUND|EAI_AGAIN)\)/)
  t.equal(asked().length, 2, 'the proxy was not asked')
})

void t.test('what the proxy wants cannot be in a store that is behind it', { skip }, async (t) => {
  const { load, squid, asked } = await setUp(t)
  const problems = await load(`http://${USER}:\${API_TOKEN}@127.0.0.1:${String(squid.port)}`)
  t.match(problems[0], /depends on itself/)
  t.strictSame(asked(), [])
})

void t.test('a proxy that does not answer does not hold the start', { skip }, async (t) => {
  const silent = createServer().listen(0, '127.0.0.1')
  silent.on('connect', () => undefined)
  await once(silent, 'listening')
  t.teardown(() => {
    silent.closeAllConnections()
    silent.close()
  })
  const { load } = await setUp(t)
  const { port } = silent.address() as AddressInfo
  const problems = await load(`http://127.0.0.1:${String(port)}`)
  t.match(problems[0], /nothing came within 5 s/)
})
