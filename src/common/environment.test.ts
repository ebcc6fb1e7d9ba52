import fc from 'fast-check'
import t from 'tap'
import { bearer } from '#proxy/credentials/bearer.js'
import { Secret } from '#firewall/secrets/secret.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import type { PlaceholderFormat, Service } from '#firewall/contracts/service.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { destination, service, testPolicy } from '#test/fixtures/policy.js'
import { placeholderFormat } from '#config/services/placeholder-format.js'
import { makePlaceholders, sandboxEnvironment } from './environment.js'
import { makePlaceholder } from './make-placeholder.js'

const REAL = 'ghp_realREALrealREALrealREALrealREALreal'
const SHAPE: PlaceholderFormat = { prefix: 'ghp_', length: 40, alphabet: 'alphanumeric' }

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

function policy(...services: readonly Service[]): Policy {
  const made = testPolicy({ destinations: [], services })
  const agents = new Map(made.agents)
  agents.set('none', { name: 'none', services: [], allow: null })
  agents.set('git', { name: 'git', services: ['git'], allow: null })
  return { ...made, agents }
}

function environmentOf(policy: Policy, agent: string) {
  return sandboxEnvironment(policy, { agent, placeholders: makePlaceholders(policy, agent) }, ['10.9.8.4'])
}

const git = service(
  'git',
  'https://git.example',
  bearer.bind('git/bearer', { token: new Secret('GIT_TOKEN', REAL) }),
  {
    environment: {
      GIT_TOKEN: '{placeholder:GIT_TOKEN}',
      GIT_URL: '{url}',
      GIT_ROUTE: '{base_url}/x',
      GIT_BOTH: 'Token {placeholder:GIT_TOKEN}',
    },
    placeholders: { GIT_TOKEN: SHAPE },
  },
)

void t.test('a placeholder has the shape, and nothing of the secret', (t) => {
  const shapes = fc.record({
    prefix: fc.constantFrom('', 'ghp_', 'sk-ant-api03-', 'AKIA'),
    length: fc.integer({ min: 20, max: 200 }),
    alphabet: fc.constantFrom('alphanumeric', 'upper-alphanumeric', 'hex'),
  })
  const allowed = { alphanumeric: /^[A-Za-z0-9]*$/, 'upper-alphanumeric': /^[A-Z2-7]*$/, hex: /^[0-9a-f]*$/ }
  fc.assert(
    fc.property(shapes, (shape) => {
      const value = makePlaceholder(shape)
      return (
        value.length === shape.length &&
        value.startsWith(shape.prefix) &&
        allowed[shape.alphabet].test(value.slice(shape.prefix.length)) &&
        value !== makePlaceholder(shape)
      )
    }),
  )
  t.equal(makePlaceholder({ prefix: 'longer-than-it', length: 4, alphabet: 'hex' }), 'longer-than-it')
  t.end()
})

void t.test('the variables of a service, filled in', (t) => {
  const env = environmentOf(policy(git), DEFAULT_AGENT)
  t.match(env['GIT_TOKEN'], /^ghp_[A-Za-z0-9]{36}$/)
  t.equal(
    env['GIT_BOTH'],
    `Token ${env['GIT_TOKEN'] ?? ''}`,
    'one placeholder for one secret, wherever it stands',
  )
  t.equal(env['GIT_URL'], 'https://git.example')
  t.equal(env['GIT_ROUTE'], 'http://egress:9199/git/x')
  t.notMatch(JSON.stringify(env), REAL)
  t.end()
})

void t.test('every sandbox has its own', (t) => {
  const values = Array.from({ length: 50 }, () => environmentOf(policy(git), DEFAULT_AGENT)['GIT_TOKEN'])
  t.equal(new Set(values).size, 50)
  t.notOk(values.includes(REAL))
  t.end()
})

void t.test('an agent gets what it may use', (t) => {
  const jira = service('jira', 'https://jira.example', null, { environment: { JIRA_URL: '{url}' } })
  const all = policy(git, jira)
  t.match(environmentOf(all, DEFAULT_AGENT), {
    GIT_URL: String,
    JIRA_URL: String,
    EGRESS_AGENT: DEFAULT_AGENT,
  })
  const one = environmentOf(all, 'git')
  t.match(one, { GIT_URL: String, EGRESS_AGENT: 'git' })
  t.notOk('JIRA_URL' in one)
  t.notOk('GIT_URL' in environmentOf(all, 'none'))
  t.end()
})

void t.test('texts are put in as they are', (t) => {
  const odd = (path: string, port: number, environment: Record<string, string>) => ({
    ...service('odd', `http://odd.example:${port}`, null, { environment }),
    targets: [{ origin: { scheme: 'http', host: 'odd.example', port }, basePath: path }] as const,
  })
  const env = environmentOf(
    policy(
      odd("/$&/$$/$'/$1", 8080, {
        A: '<{url}>',
        B: '{url} {url}',
        C: '{placeholder:NOBODY} {other} {placeholder:}',
      }),
    ),
    DEFAULT_AGENT,
  )
  const url = "http://odd.example:8080/$&/$$/$'/$1"
  t.equal(env['A'], `<${url}>`)
  t.equal(env['B'], `${url} ${url}`)
  t.equal(env['C'], '{placeholder:NOBODY} {other} {placeholder:}')
  t.equal(environmentOf(policy(odd('', 80, { A: '{url}' })), DEFAULT_AGENT)['A'], 'http://odd.example')
  t.end()
})

void t.test('ways to the gateway', (t) => {
  const env = environmentOf(policy(), DEFAULT_AGENT)
  for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy'])
    t.equal(env[name], 'http://egress:3128', name)
  t.equal(env['NO_PROXY'], env['no_proxy'])
  const direct = env['NO_PROXY']?.split(',') ?? []
  for (const name of ['localhost', '127.0.0.0/8', '::1', '0.0.0.0', 'sandbox', 'egress', '10.9.8.4'])
    t.ok(direct.includes(name), name)
  t.end()
})

void t.test('remotes of git over ssh become https, for hosts of the policy that serve git', (t) => {
  const fetches = ['allow GET /*/*/info/refs']
  const destinations = [
    destination('https://github.com', fetches, { id: 'allow[0]' }),
    destination('https://api.github.com', fetches, { id: 'allow[1]' }),
    destination('https://jira.example', ['allow GET /**'], { id: 'allow[2]' }),
    destination('https://*.gitlab.example', fetches, { id: 'allow[3]' }),
  ]
  t.match(environmentOf(testPolicy({ destinations }), DEFAULT_AGENT), {
    GIT_CONFIG_COUNT: '2',
    GIT_CONFIG_KEY_0: 'url.https://github.com/.insteadOf',
    GIT_CONFIG_VALUE_0: 'git@github.com:',
    GIT_CONFIG_KEY_1: 'url.https://github.com/.insteadOf',
    GIT_CONFIG_VALUE_1: 'ssh://git@github.com/',
  })
  t.notOk('GIT_CONFIG_COUNT' in environmentOf(policy(git), 'none'))
  t.end()
})

void t.test('the variables of a policy cannot switch verification off', (t) => {
  const odd = service('odd', 'https://odd.example', null, {
    environment: { REQUESTS_CA_BUNDLE: '', CURL_CA_BUNDLE: ' ', GIT_SSL_NO_VERIFY: '', EMPTY: '' },
  })
  const env = environmentOf(policy(odd), DEFAULT_AGENT)
  for (const name of ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'GIT_SSL_NO_VERIFY']) t.notOk(name in env, name)
  t.equal(env['EMPTY'], '', 'others may be empty')
  t.ok(env['SSL_CERT_FILE'])
  t.end()
})

void t.test('a structured placeholder has its structure, and a signature of its own', (t) => {
  const format = placeholderFormat(
    `${part({ alg: 'RS256', kid: 'k1' })}.${part({ role: 'anon', sub: 'u-17', exp: 5 })}.c2ln`,
  )
  const [first, second] = [makePlaceholder(format), makePlaceholder(format)]
  const [header, claims, signature = ''] = first.split('.')
  t.same(JSON.parse(Buffer.from(header ?? '', 'base64url').toString()), { alg: 'RS256', typ: 'JWT' })
  t.match(JSON.parse(Buffer.from(claims ?? '', 'base64url').toString()), { role: 'anon', sub: 'placeholder' })
  t.equal(Buffer.from(signature, 'base64url').length, 32)
  t.not(first, second)
  const uuid = '6ba7b810-9dad-41d1-80b4-00c04fd430c8'
  t.match(
    makePlaceholder(placeholderFormat(uuid)),
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-/,
  )
  t.not(makePlaceholder(placeholderFormat(uuid)), uuid)
  t.end()
})
