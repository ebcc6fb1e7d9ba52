import { createHash, createHmac } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { text as textOf } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { PolicyIssue } from '#config/issues/issue.js'
import { loadPolicy, type LoadedPolicy } from '#config/load.js'
import { writeFiles } from '#config/test-fixtures.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { NO_TOOLS, outgoingRequest } from './fixtures/outgoing.js'
import { startUpstream, type Upstream } from './fixtures/upstream.js'

// Placeholders for Vault and Secrets Manager that give nothing to whoever does not prove itself as theirs do.

const VALUE = 'the-value-in-the-store'
const VAULT_TOKEN = 'hvs.vault-token-0123'
const ACCESS_KEY = 'AKIDEXAMPLE0123456'
const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const SESSION = 'session-token-0123456789'

const authority = await CertificateAuthority.create(Date.now())
const impostor = await CertificateAuthority.create(Date.now())

interface Store {
  readonly upstream: Upstream
  /** Why requests were turned away. */
  readonly refused: string[]
}

type Answer = (request: IncomingMessage, body: string) => { status: number; body: unknown } | string

async function startStore(t: Test, answer: Answer, trusted = authority): Promise<Store> {
  const refused: string[] = []
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const said = answer(request, await textOf(request))
    if (typeof said === 'string') refused.push(said)
    const { status, body } =
      typeof said === 'string' ? { status: 403, body: { errors: ['no', VALUE] } } : said
    response.writeHead(status, { 'content-type': 'application/json', location: '/elsewhere' })
    response.end(JSON.stringify(body))
  }
  const listener: RequestListener = (request, response) => void respond(request, response)
  const upstream = await startUpstream(trusted, listener)
  t.teardown(() => upstream.close())
  return { upstream, refused }
}

interface Loaded {
  readonly loaded: LoadedPolicy | null
  readonly issues: readonly PolicyIssue[]
  /** What a request would carry. */
  injected(): Promise<unknown>
}

const ENV = { VAULT_TOKEN, AWS_KEY: ACCESS_KEY, AWS_SECRET: SECRET_KEY, AWS_SESSION: SESSION }

async function load(t: Test, source: string, env: Record<string, string> = {}): Promise<Loaded> {
  const cwd = writeFiles(t.testdir({}), {
    'store.pem': authority.pem,
    'egress.yaml': `services: { a: { url: https://a.example.com, credential: { bearer: "\${TOKEN}" }, rules: [{ allow: GET /** }] } }
secrets:
  TOKEN: { ${source} }
`,
  })
  let loaded: LoadedPolicy | null = null
  let issues: readonly PolicyIssue[] = []
  try {
    loaded = await loadPolicy('egress.yaml', { kinds: CREDENTIAL_KINDS, env: { ...ENV, ...env }, cwd })
  } catch (error) {
    issues = (error as { issues: readonly PolicyIssue[] }).issues
  }
  return {
    loaded,
    issues,
    async injected() {
      const request = outgoingRequest({ headers: {} })
      await loaded?.policy.services.get('a')?.credential?.inject(request, NO_TOOLS)
      return request.headers['authorization']
    },
  }
}

const vaultSource = (port: number, path = 'secret/data/jira', more = '') =>
  `vault: { address: "https://localhost:${port}", path: ${path}, field: token, token: "\${VAULT_TOKEN}", ca: ./store.pem${more} }, refresh: 1s`

/** Key/value version 2 at `secret/`, version 1 at `old/`; one namespace. */
const vault: Answer = (request) => {
  const { url = '', method = '', headers } = request
  if (headers['x-vault-token'] !== VAULT_TOKEN) return 'token'
  if (headers['x-vault-request'] !== 'true') return 'X-Vault-Request'
  if (method !== 'GET') return 'method'
  const namespaced = headers['x-vault-namespace'] === 'team-a/ci'
  if (url === '/v1/secret/data/jira' && !namespaced)
    return {
      status: 200,
      body: { data: { data: { token: VALUE, count: 3 }, metadata: { version: 1, destroyed: false } } },
    }
  if (url === '/v1/old/jira' && !namespaced)
    return { status: 200, body: { lease_duration: 2_764_800, data: { token: VALUE } } }
  if (url === '/v1/secret/data/ours' && namespaced)
    return { status: 200, body: { data: { data: { token: 'ours-in-the-namespace' }, metadata: {} } } }
  return { status: 404, body: { errors: [] } }
}

void t.test('Vault: key/value versions 1 and 2, and namespaces', async (t) => {
  const { upstream, refused } = await startStore(t, vault)
  t.equal(await (await load(t, vaultSource(upstream.port))).injected(), `Bearer ${VALUE}`)
  t.equal(await (await load(t, vaultSource(upstream.port, 'old/jira'))).injected(), `Bearer ${VALUE}`)
  const ours = await load(t, vaultSource(upstream.port, 'secret/data/ours', ', namespace: team-a/ci'))
  t.equal(await ours.injected(), 'Bearer ours-in-the-namespace')
  t.same(refused, [])
})

void t.test('Vault: what goes wrong says so, without token and value', async (t) => {
  const { upstream } = await startStore(t, vault)
  const { upstream: false_ } = await startStore(t, vault, impostor)
  const { upstream: redirecting } = await startStore(t, () => ({ status: 307, body: VALUE }))
  const { upstream: babbling } = await startStore(t, () => ({ status: 200, body: VALUE.repeat(1e5) }))
  const { upstream: silent } = await startStore(t, vault)
  await silent.close()
  const port = upstream.port
  const cases: readonly (readonly [string, RegExp, Record<string, string>?])[] = [
    [
      vaultSource(port),
      /Vault denied access to `secret\/data\/jira` \(403\)/,
      { VAULT_TOKEN: 'hvs.another-token-1' },
    ],
    [
      vaultSource(port),
      /Cannot read the source \(ERR_INVALID_CHAR\)/,
      { VAULT_TOKEN: 'hvs.töken\u{1f511}-0123' },
    ],
    [vaultSource(port, 'secret/jira'), /Vault secret `secret\/jira` not found \(404\)/],
    [vaultSource(port).replace('field: token', 'field: nothing'), /no text in field `nothing`/],
    [vaultSource(port).replace('field: token', 'field: count'), /no text in field `count`/],
    [vaultSource(false_.port), /No response from localhost:\d+ \(UNABLE_TO_VERIFY_LEAF_SIGNATURE|CERT/],
    [vaultSource(silent.port), /No response from localhost:\d+ \(ECONNREFUSED\)/],
    [vaultSource(redirecting.port), /Vault responded with 307/],
    [vaultSource(babbling.port), /larger than 1 MiB/],
  ]
  for (const [source, problem, env = {}] of cases) {
    const { issues } = await load(t, source, env)
    t.equal(issues.length, 1)
    t.match(issues[0], { line: 3, column: 19, problem, fix: String })
    t.notMatch(JSON.stringify(issues), new RegExp(`${VALUE}|hvs`))
  }
  t.equal(false_.requests.length, 0, 'who cannot prove to be Vault is told no token')
  t.equal(redirecting.requests.length, 1, 'and nobody is followed')
})

void t.test('Vault: a store that does not answer in time', async (t) => {
  const { upstream } = await startUpstreamSilently(t)
  const began = Date.now()
  const { issues } = await load(t, `${vaultSource(upstream.port)}, timeout: 300ms`)
  t.match(issues, [{ problem: /No response from .* within 0\.3 s/ }])
  t.ok(Date.now() - began < 5_000)
})

async function startUpstreamSilently(t: Test): Promise<{ upstream: Upstream }> {
  const upstream = await startUpstream(authority, () => undefined)
  t.teardown(() => upstream.close())
  return { upstream }
}

void t.test('Vault: a new version is taken, a sealed store leaves the last one', async (t) => {
  let value = VALUE
  let sealed = false
  const { upstream } = await startStore(t, () =>
    sealed
      ? { status: 503, body: { errors: ['Vault is sealed'] } }
      : { status: 200, body: { data: { data: { token: value }, metadata: {} } } },
  )
  const world = await load(t, vaultSource(upstream.port))
  const problems: (string | null)[] = []
  const stop = world.loaded?.refresher?.start({
    now: Date.now,
    report: ({ problem }) => problems.push(problem),
  })
  t.teardown(() => stop?.())
  const told = async (count: number) => {
    for (let tries = 0; problems.length < count && tries < 400; tries += 1) await sleep(25)
  }
  value = 'another-value-in-the-store'
  await told(1)
  t.equal(await world.injected(), 'Bearer another-value-in-the-store')
  sealed = true
  await told(2)
  t.equal(await world.injected(), 'Bearer another-value-in-the-store')
  sealed = false
  await told(3)
  t.same(problems, [null, 'Vault responded with 503', null])
})

/** AWS Signature Version 4 by the words of its documentation: canonical request, string to sign, derived key. */
function signatureError(request: IncomingMessage, body: string, port: number): string | null {
  const { headers, method = '', url = '' } = request
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/eu-central-1\/secretsmanager\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    )
  if (match === null) return 'the form of Authorization'
  const [, key, date = '', signed = '', signature] = match
  if (key !== ACCESS_KEY) return 'key'
  const time = String(headers['x-amz-date'])
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time) ?? []
  const age = Math.abs(
    Date.now() - Date.parse(`${y ?? ''}-${mo ?? ''}-${d ?? ''}T${h ?? ''}:${mi ?? ''}:${s ?? ''}Z`),
  )
  if (!(age < 300_000) || !time.startsWith(date)) return 'date'
  const names = signed.split(';')
  for (const name of ['host', 'x-amz-date', 'x-amz-target', 'content-type', 'x-amz-security-token'])
    if (headers[name] !== undefined && !names.includes(name)) return `${name} is not signed`
  if (headers.host !== `localhost:${port}`) return 'host'
  const hash = (data: string) => createHash('sha256').update(data).digest('hex')
  const mac = (secret: string | Buffer, data: string) => createHmac('sha256', secret).update(data).digest()
  const lines = names.map((name) => `${name}:${String(headers[name]).trim().replace(/ +/g, ' ')}\n`).join('')
  const canonical = [method, url, '', lines, signed, hash(body)].join('\n')
  const scope = `${date}/eu-central-1/secretsmanager/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', time, scope, hash(canonical)].join('\n')
  const derived = ['eu-central-1', 'secretsmanager', 'aws4_request'].reduce<Buffer>(
    mac,
    mac(`AWS4${SECRET_KEY}`, date),
  )
  return mac(derived, toSign).toString('hex') === signature ? null : 'signature'
}

const awsSource = (port: number, more = '') =>
  `aws_secret: { id: prod/jira, region: eu-central-1, access_key: "\${AWS_KEY}", secret_key: "\${AWS_SECRET}", endpoint: "https://localhost:${port}", ca: ./store.pem${more} }`

void t.test('Secrets Manager: a secret, a field of one, a temporary key', async (t) => {
  let port = 0
  const stored: Record<string, string> = {
    'prod/jira': VALUE,
    'prod/json': JSON.stringify({ token: VALUE, count: 3 }),
  }
  const answer: Answer = (request, body) => {
    const diagnostic = signatureError(request, body, port)
    if (diagnostic !== null) return diagnostic
    const { headers } = request
    if (headers['x-amz-target'] !== 'secretsmanager.GetSecretValue') return 'target'
    if (headers['content-type'] !== 'application/x-amz-json-1.1') return 'content type'
    const { SecretId: id = '', ...rest } = JSON.parse(body) as { SecretId?: string }
    if (Object.keys(rest).length > 0) return 'body'
    if (id === 'prod/temporary' && headers['x-amz-security-token'] === SESSION)
      return { status: 200, body: { SecretString: 'for-a-temporary-key' } }
    const value = stored[id]
    return value === undefined
      ? { status: 400, body: { __type: 'ResourceNotFoundException', Message: `no ${VALUE}` } }
      : { status: 200, body: { Name: id, SecretString: value } }
  }
  const { upstream, refused } = await startStore(t, answer)
  port = upstream.port
  t.equal(await (await load(t, awsSource(port))).injected(), `Bearer ${VALUE}`)
  const json = awsSource(port, ', field: token').replace('prod/jira', 'prod/json')
  t.equal(await (await load(t, json)).injected(), `Bearer ${VALUE}`)
  const temporary = awsSource(port, ', session_token: "${AWS_SESSION}"').replace(
    'prod/jira',
    'prod/temporary',
  )
  t.equal(await (await load(t, temporary)).injected(), 'Bearer for-a-temporary-key')
  t.same(refused, [], 'every signature was right')

  const cases: readonly (readonly [string, RegExp, Record<string, string>?])[] = [
    [
      awsSource(port),
      /Cannot read secret `prod\/jira` from Secrets Manager \(403\)/,
      { AWS_SECRET: 'another-secret-key-0123456' },
    ],
    [awsSource(port).replace('prod/jira', 'prod/none'), /\(ResourceNotFoundException\)/],
    [awsSource(port, ', field: token'), /no text in field `token`/],
    [json.replace('field: token', 'field: count'), /no text in field `count`/],
  ]
  for (const [source, problem, env = {}] of cases) {
    const { issues } = await load(t, source, env)
    t.equal(issues.length, 1)
    t.match(issues[0], { line: 3, column: 24, problem, fix: String })
    t.notMatch(JSON.stringify(issues), new RegExp(`${VALUE}|wJalr|AKID`))
  }
  t.same(refused, ['signature'])
})

void t.test('a token for Vault may come from Secrets Manager, and its rotation is followed', async (t) => {
  let token = VAULT_TOKEN
  const { upstream: aws } = await startStore(t, () => ({ status: 200, body: { SecretString: token } }))
  const { upstream, refused } = await startStore(t, (request) =>
    request.headers['x-vault-token'] === token
      ? { status: 200, body: { data: { token: `${VALUE}-${token}` } } }
      : 'token',
  )
  const source = `${vaultSource(upstream.port, 'a/b').replace('VAULT_TOKEN', 'STORED')} }\n  STORED: { ${awsSource(aws.port)}, refresh: 1s`
  const world = await load(t, source)
  t.equal(await world.injected(), `Bearer ${VALUE}-${VAULT_TOKEN}`)
  const stop = world.loaded?.refresher?.start({ now: Date.now, report: () => undefined })
  t.teardown(() => stop?.())
  token = 'hvs.the-next-token'
  for (let tries = 0; (await world.injected()) !== `Bearer ${VALUE}-${token}` && tries < 400; tries += 1)
    await sleep(25)
  t.equal(await world.injected(), `Bearer ${VALUE}-${token}`)
  t.ok(refused.length <= 2, 'the old token is used no more')
})
