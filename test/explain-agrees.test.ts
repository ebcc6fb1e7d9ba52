import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { loadPolicy, type LoadedPolicy } from '#config/load.js'
import { writeFiles } from '#config/test-fixtures.js'
import { addressesOf } from '#dns/answer.js'
import { bench, query, resolveNow } from '#dns/fixtures.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import type { HttpDecision } from '#proxy/contracts/events.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { runExplain } from '#src/cli/explain.js'
import { createSnapshot } from '#src/gateway/snapshot.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'

// `egress explain` promises what the gateway does. Random policies and questions, answered by both.

const HOSTS = ['a.example.com', 'b.example.com', '*.w.example.com', '**.d.example.com'] as const
const METHODS = ['GET', 'POST', 'DELETE', 'TRACE'] as const
const PATHS = ['/**', '/**', '/**', '/api/**', '/api/*', '/api/*/x', '/', '/api/a%2Fb'] as const

const method = fc.constantFrom('*', 'GET', 'POST', 'GET,POST', 'DELETE', 'TRACE')
const rule = fc
  .tuple(fc.constantFrom('allow', 'deny'), method, fc.constantFrom(...PATHS))
  .map(([effect, methods, path]) => `{ ${effect}: "${methods} ${path}" }`)
const rules = fc.array(rule, { minLength: 1, maxLength: 3 }).map((list) => `[${list.join(', ')}]`)
const lists = fc
  .tuple(fc.subarray(['GET', 'POST', 'DELETE'], { minLength: 1 }), fc.constantFrom(...PATHS))
  .map(([methods, path]) => `methods: [${methods.join()}], paths: ["${path}"]`)
const entry = fc.oneof(
  { weight: 4, arbitrary: lists },
  { weight: 2, arbitrary: lists.map((text) => `scheme: http, ${text}`) },
  { weight: 1, arbitrary: fc.constant('tunnel: true') },
)

const policy = fc
  .tuple(
    fc.uniqueArray(fc.tuple(fc.constantFrom(...HOSTS), entry), { selector: ([host]) => host, minLength: 3 }),
    fc.option(rules),
    fc.boolean(),
  )
  .map(([hosts, service, fixed]) =>
    [
      'allow:',
      ...hosts.map(([host, text]) => `  - { host: "${host}", ${text} }`),
      ...(service === null
        ? []
        : [`services: { api: { url: https://s.example.com/base, rules: ${service} } }`]),
      ...(fixed ? ['dns: { hosts: { fixed.example.org: 192.0.2.7 } }'] : []),
      '',
    ].join('\n'),
  )

const host = fc.constantFrom(
  ...['a.example.com', 'b.example.com', 's.example.com', 'x.w.example.com', 'x.y.d.example.com'],
  ...['w.example.com', 'x.y.w.example.com', `${'a1b2c3d4'.repeat(6)}.w.example.com`, 'other.example.org'],
)
const target = fc.constantFrom(
  ...['/', '/api', '/api/', '/api/a', '/api/a/x', '/api/a%2Fb', '/api/a%2fb/x', '/api/a;v=1/x', '//api/a'],
  ...['/api/../x', '/api/%2e%2e/x', '/api/%252e', '/api\\x', '/api?_method=DELETE', '/base/api/a', '/x?y=1'],
)
const request = fc.record({
  method: fc.constantFrom(...METHODS, 'GET', 'GET', 'GET'),
  scheme: fc.constantFrom('http', 'https'),
  host,
  target,
  toBaseUrl: fc.boolean(),
})
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never

const name = fc.oneof(
  host,
  fc.constantFrom(
    'fixed.example.org',
    'localhost',
    'x.localhost',
    '1.0.0.127.in-addr.arpa',
    'x.in-addr.arpa',
  ),
  fc.constantFrom(`${'0.'.repeat(32)}ip6.arpa`, 'arpa', 'example.com', 'com', 'home.arpa'),
)

/** Null for a policy that no gateway would start with, such as one with a rule that can never match. */
async function load(cwd: string, file: string): Promise<LoadedPolicy | null> {
  try {
    return await loadPolicy(join(cwd, file), { kinds: CREDENTIAL_KINDS, env: {}, cwd })
  } catch {
    return null
  }
}

/** What `egress explain` prints, as JSON. */
async function explain(cwd: string, ...args: readonly string[]): Promise<Record<string, unknown>> {
  let out = ''
  let err = ''
  const io = {
    stdout: { write: (text: string) => (out += text) !== '' },
    stderr: { write: (text: string) => (err += text) !== '' },
    env: {},
    cwd,
  }
  await runExplain({ args, json: true }, io, CREDENTIAL_KINDS)
  if (out === '') throw new Error(err)
  return JSON.parse(out) as Record<string, unknown>
}

/** What the gateway decides about the request, as it records it. */
async function decide(gateway: TestGateway, asked: Request): Promise<HttpDecision | undefined> {
  const before = gateway.decisions.length
  const text = (path: string, host: string) =>
    `${asked.method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  await new Promise<void>((resolve) => {
    const { ports } = gateway
    if (asked.toBaseUrl) {
      const socket = connect(ports.reverse, '127.0.0.1', () =>
        socket.write(text(`/api${asked.target}`, 'egress:9199')),
      )
      socket.resume().on('close', () => resolve())
    } else if (asked.scheme === 'http') {
      const socket = connect(ports.http, '127.0.0.1', () => socket.write(text(asked.target, asked.host)))
      socket.resume().on('close', () => resolve())
    } else {
      const options = { port: ports.https, host: '127.0.0.1', servername: asked.host, ca: gateway.ca }
      const socket = connectTls(options, () => socket.write(text(asked.target, asked.host)))
      socket.resume().on('error', () => undefined)
      socket.on('close', () => resolve())
    }
  })
  const last = gateway.decisions
    .slice(before)
    .filter(({ kind }) => kind !== 'lookup')
    .at(-1)
  return last === undefined ? undefined : { ...last }
}

/** Reasons that come after the decision of the policy: there is no such server. */
const AFTER = new Set(['unresolvable', 'address-refused'])

void t.test('explain says of a request what the gateway decides', { timeout: 240_000 }, async (t) => {
  let allowed = 0
  let asked = 0
  await fc.assert(
    fc.asyncProperty(policy, fc.array(request, { minLength: 8, maxLength: 8 }), async (text, requests) => {
      const cwd = writeFiles(t.testdir({}), { 'egress.yaml': text })
      // Port 9 is closed everywhere: what is allowed ends there.
      const upstream = 'upstream: { servers: ["127.0.0.1:9"] }\n'
      writeFiles(cwd, { 'with-upstream.yaml': text + upstream })
      const loaded = await load(cwd, 'with-upstream.yaml')
      fc.pre(loaded !== null)
      const gateway = await startGateway(loaded.policy)
      try {
        for (const one of requests) {
          const url = one.toBaseUrl
            ? `http://egress:9199/api${one.target}`
            : `${one.scheme}://${one.host}${one.target}`
          const said = await explain(cwd, one.method, url)
          const done = await decide(gateway, one)
          const reason = AFTER.has(done?.reason ?? '') ? null : (done?.reason ?? null)
          asked += 1
          if (said['verdict'] === 'ALLOW') allowed += 1
          if ((said['reason'] ?? null) !== reason)
            throw new Error(
              `${one.method} ${url}: explain ${String(said['reason'])}, gateway ${String(reason)}`,
            )
          if (reason !== null && said['rule'] !== done?.rule)
            throw new Error(
              `${one.method} ${url}: explain ${String(said['rule'])}, not ${String(done?.rule)}`,
            )
        }
      } finally {
        await gateway.close()
      }
    }),
    { numRuns: 60, endOnFailure: true },
  )
  t.ok(allowed > asked / 20, `${String(allowed)} of ${String(asked)} allowed`)
})

void t.test('explain says of a name what the resolver answers, reverse names included', async (t) => {
  await fc.assert(
    fc.asyncProperty(policy, fc.array(name, { minLength: 12, maxLength: 12 }), async (text, names) => {
      const cwd = writeFiles(t.testdir({}), { 'egress.yaml': text })
      const loaded = await load(cwd, 'egress.yaml')
      fc.pre(loaded !== null)
      for (const one of names) {
        const said = await explain(cwd, 'dns', one)
        const { dns } = createSnapshot(loaded, new Ledger(), () => 0)
        const { context, events } = bench({ ...dns, addressOf: () => addressesOf('192.0.2.53') })
        resolveNow(query(one), { address: '127.0.0.1', port: 1 }, 'udp', context)
        const [event] = events
        const result = [
          said['verdict'] === 'ALLOW' ? 'allow' : 'deny',
          said['reason'] ?? null,
          said['rule'] ?? null,
        ]
        const expected = [event?.verdict, event?.reason ?? null, event?.rule ?? null]
        if (JSON.stringify(result) !== JSON.stringify(expected))
          throw new Error(`${one}: explain ${JSON.stringify(result)}, resolver ${JSON.stringify(expected)}`)
        if (said['verdict'] === 'DENY' && said['client'] !== event?.rcode)
          throw new Error(`${one}: explain ${String(said['client'])}, resolver ${String(event?.rcode)}`)
      }
    }),
    { numRuns: 60, endOnFailure: true },
  )
  t.pass('60 policies, 12 names each')
})
