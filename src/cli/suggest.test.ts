import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { parse } from 'yaml'
import { loadPolicy } from '#config/load.js'
import { writeFiles } from '#config/test-fixtures.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import type { HttpDecision } from '#proxy/contracts/events.js'
import { testIo } from '#test/fixtures/command-io.js'
import { decisionLine, dnsLine } from '../events/records.js'
import { Verdicts, type AskedRequest } from '../policy/verdicts.js'
import { dnsEvent, HEADER, httpDecision } from '#test/fixtures/recorded-events.js'
import { runSuggest, type SuggestArgs } from './suggest.js'

const POLICY = `services:
  jira:
    url: https://jira.example.com/base
    credential: { bearer: "\${JIRA_TOKEN}" }
    rules:
      - deny: "* /admin/**"
      - allow: GET,HEAD /rest/**
  hub: { use: github-readonly, credential: { bearer: { token: "\${HUB_TOKEN}" } } }
allow:
  - { host: "*.example.net", methods: [GET] }
  - { host: files.example.org, methods: [GET], paths: [/a] }
  - { host: secure.example.org, tunnel: true }
quiet: [telemetry.example.com]
`

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function run(cwd: string, args: Partial<SuggestArgs> = {}): Promise<Ran> {
  const { io, out, err } = testIo(cwd)
  const given = { files: [], auditDir: join(cwd, 'audit'), isNamed: true, filter: {}, ...args }
  const code = await runSuggest(given, io, CREDENTIAL_KINDS, Date.parse('2026-01-31T13:00:00Z'))
  return { code, out: out(), err: err() }
}

const DEFAULT = { id: 'sandbox-1', agent: 'default' }

/** A request that was denied, to agent `default` unless said otherwise. */
const denied = (given: Partial<HttpDecision>) =>
  decisionLine(
    HEADER,
    httpDecision({ sandbox: DEFAULT, verdict: 'deny', reason: 'host-not-listed', rule: null, ...given }),
  )
const query = (name: string, given: Partial<Parameters<typeof dnsEvent>[0]> = {}) =>
  dnsLine(HEADER, dnsEvent({ agent: 'default', name, verdict: 'deny', reason: 'host-not-listed', ...given }))

/** A directory with a policy and a log. */
function world(directory: string, policy: string, lines: readonly string[]): string {
  return writeFiles(directory, {
    'egress.yaml': policy,
    'audit/http.ndjson': lines.map((line) => `${line}\n`).join(''),
  })
}

/** What the policy of a directory decides after the fragment was appended. */
async function paste(cwd: string, fragment: string) {
  const text = readFileSync(join(cwd, 'egress.yaml'), 'utf8')
  writeFileSync(join(cwd, 'pasted.yaml'), text + fragment)
  const { policy } = await loadPolicy('pasted.yaml', {
    kinds: CREDENTIAL_KINDS,
    env: {},
    cwd,
    withSecrets: false,
  })
  const verdicts = new Verdicts(policy)
  return {
    request: async (method: string, url: string, agent = 'default') => {
      const { protocol, hostname, port, pathname, search } = new URL(url)
      const scheme = protocol === 'https:' ? 'https' : 'http'
      const asked: AskedRequest = {
        ...{ agent, method, scheme, host: hostname, target: pathname + search },
        ...{ port: port === '' ? (scheme === 'https' ? 443 : 80) : Number(port) },
        ...{ contentType: null, document: null },
      }
      const { allowed } = await verdicts.ofRequest(asked)
      return allowed !== null
    },
    name: (host: string, agent = 'default') => verdicts.ofName({ agent, host }).decision.verdict === 'allow',
  }
}

void t.test('a host whose name was looked up and of which a request was denied', async (t) => {
  const host = 'data.example.org'
  const lines = [query(host), denied({ host, path: '/v1' }), denied({ host, path: '/v1', method: 'POST' })]
  const cwd = world(t.testdir({}), POLICY, lines)
  const { code, out, err } = await run(cwd)
  t.strictSame([code, err], [0, ''])
  const policy = await paste(cwd, out)
  t.ok(policy.name(host))
  t.ok(await policy.request('GET', `https://${host}/v1`))
  t.notOk(await policy.request('POST', `https://${host}/v1`))
  t.notOk(await policy.request('GET', `https://${host}/v2`))
})

void t.test('exactly what was denied passes once the fragment is appended', async (t) => {
  const jira = { host: 'jira.example.com', reason: 'no-rule', rule: 'services.jira' } as const
  const cwd = world(t.testdir({}), POLICY, [
    denied({ ...jira, path: '/base/agile/board' }),
    denied({ ...jira, path: '/base/agile/board', method: 'HEAD' }),
    denied({ ...jira, path: '/base/agile/board', method: 'POST' }),
    denied({ ...jira, path: '/other' }),
    denied({ ...jira, path: '/base/admin/x', reason: 'denied-by-rule' }),
    denied({ host: 'api.github.com', reason: 'no-rule', rule: 'services.hub', path: '/gists/1' }),
    denied({
      host: 'files.example.org',
      reason: 'no-rule',
      rule: 'allow[1]',
      path: '/b c'.replace(' ', '-'),
    }),
    denied({ host: 'data.example.org', path: '/x/1', query: '?page=2' }),
    denied({ host: 'data.example.org', path: '/x/2', method: 'HEAD' }),
    denied({ host: 'data.example.org', path: '/x/3', method: 'DELETE' }),
    denied({ host: 'data.example.org', scheme: 'http', port: 8080, path: '/plain' }),
    query('named.example.org'),
    query('named.example.org', { type: 'AAAA' }),
    denied({
      kind: 'connect',
      method: 'CONNECT',
      scheme: null,
      host: 'tls.example.org',
      port: 8443,
      path: null,
    }),
  ])
  const { code, out, err } = await run(cwd)
  t.equal(code, 0)
  t.equal(err, '')
  const policy = await paste(cwd, out)
  for (const [method, url, isAllowed] of [
    ['GET', 'https://jira.example.com/base/agile/board', true],
    ['HEAD', 'https://jira.example.com/base/agile/board', true],
    ['POST', 'https://jira.example.com/base/agile/board', false],
    ['GET', 'https://jira.example.com/base/agile', false],
    ['GET', 'https://jira.example.com/base/agile/board/1', false],
    ['GET', 'https://jira.example.com/other', false],
    ['GET', 'https://jira.example.com/base/admin/x', false],
    ['GET', 'https://jira.example.com/base/rest/x', true],
    ['GET', 'https://api.github.com/gists/1', true],
    ['GET', 'https://api.github.com/gists/2', false],
    ['GET', 'https://api.github.com/user', true],
    ['GET', 'https://files.example.org/b-c', true],
    ['GET', 'https://files.example.org/a', true],
    ['GET', 'https://files.example.org/b', false],
    ['GET', 'https://data.example.org/x/1?page=3', true],
    ['HEAD', 'https://data.example.org/x/1', false],
    ['HEAD', 'https://data.example.org/x/2', true],
    ['GET', 'https://data.example.org/x/2', false],
    ['DELETE', 'https://data.example.org/x/3', false],
    ['GET', 'http://data.example.org:8080/plain', true],
    ['GET', 'http://data.example.org/plain', false],
    ['GET', 'https://named.example.org/any', true],
    ['POST', 'https://named.example.org/any', false],
    ['GET', 'https://tls.example.org:8443/', true],
    ['GET', 'https://tls.example.org/', false],
    ['GET', 'https://other.example.org/', false],
  ] as const)
    t.equal(await policy.request(method, url), isAllowed, `${method} ${url}`)
  t.ok(policy.name('named.example.org'))
  for (const line of [
    '      # once, 2026-01-31T12:00:00Z, by default',
    '      # it goes with the credential jira/bearer',
    '  # 2 times, 2026-01-31T12:00:00Z to 2026-01-31T12:00:00Z, by default',
    '  # only its name is known, so every path may be read: list `paths`, or run with --observe to see them',
    '#   POST https://jira.example.com/base/agile/board (once, 2026-01-31T12:00:00Z, by default)',
    '#     POST may write: allow it by hand if it is meant',
    '#     a deny rule says no: services.jira.rules[0], egress.yaml:6',
    '#     it is outside the URL of service jira',
  ])
    t.ok(out.split('\n').includes(line), line)
  // Once it is in the policy, nothing of it is left to suggest.
  writeFileSync(join(cwd, 'egress.yaml'), readFileSync(join(cwd, 'pasted.yaml')))
  t.match((await run(cwd)).out, /^# Nothing to suggest\.\n# Not suggested:/)
})

void t.test('a preset where one fits, and nothing of it where it does not', async (t) => {
  const fits = world(t.testdir({}), '', [
    query('pypi.org'),
    denied({ host: 'files.pythonhosted.org', path: '/packages/x.whl' }),
    query('api.github.com'),
  ])
  const { out } = await run(fits)
  t.match(parse(out), {
    services: { pypi: { use: 'pypi' } },
    allow: [{ host: 'api.github.com', methods: ['GET', 'HEAD'] }],
  })
  t.match(out, /# preset github is for this host: egress presets github\n/)
  const policy = await paste(fits, out)
  t.ok(policy.name('pypi.org'))
  t.ok(await policy.request('GET', 'https://files.pythonhosted.org/packages/x.whl'))
  t.notOk(await policy.request('POST', 'https://pypi.org/legacy/'))

  const other = world(t.testdir({}), '', [
    denied({ host: 'pypi.org', path: '/account/login' }),
    query('files.pythonhosted.org'),
  ])
  const plain = (await run(other)).out
  t.strictSame(parse(plain), {
    allow: [
      { host: 'pypi.org', methods: ['GET'], paths: ['/account/login'] },
      { host: 'files.pythonhosted.org', methods: ['GET', 'HEAD'] },
    ],
  })
  const taken = world(
    t.testdir({}),
    'services: { pypi: { url: "https://a.example", rules: [{ allow: GET / }] } }\n',
    [query('pypi.org')],
  )
  t.match(parse((await run(taken)).out), { allow: [{ host: 'pypi.org' }] })
})

void t.test('agents: lists that have to name a host, and rules of their own', async (t) => {
  const agents = `agents:
  default: { services: all, allow: all }
  ci: { services: [jira], allow: [files.example.org], rules: { jira: [{ allow: GET /rest/a }] } }
  bare: {}
`
  const as = (agent: string) => ({ sandbox: { id: 'sandbox-2', agent } })
  const cwd = world(t.testdir({}), POLICY + agents, [
    denied({ ...as('ci'), host: 'new.example.org', path: '/n' }),
    denied({ ...as('ci'), host: 'jira.example.com', path: '/base/rest/b', reason: 'no-rule' }),
    denied({ ...as('ci'), host: 'jira.example.com', path: '/base/agile', reason: 'no-rule' }),
    denied({ ...as('bare'), host: 'jira.example.com', path: '/base/rest/x' }),
    denied({ ...as('bare'), host: 'files.example.org', path: '/a' }),
    denied({ ...as('gone'), host: 'gone.example.org', path: '/' }),
    query('pypi.org', { agent: 'ci' }),
  ])
  const { out } = await run(cwd)
  const policy = await paste(cwd, out)
  for (const [agent, url, isAllowed] of [
    ['ci', 'https://new.example.org/n', true],
    ['bare', 'https://new.example.org/n', false],
    ['ci', 'https://jira.example.com/base/rest/b', true],
    ['ci', 'https://jira.example.com/base/agile', true],
    ['ci', 'https://jira.example.com/base/rest/c', false],
    ['bare', 'https://jira.example.com/base/rest/x', false],
    ['bare', 'https://files.example.org/a', true],
    ['ci', 'https://pypi.org/simple/x/', true],
    ['bare', 'https://pypi.org/simple/x/', false],
  ] as const)
    t.equal(await policy.request('GET', url, agent), isAllowed, `${agent} ${url}`)
  t.match(out, 'it is the host of service jira (egress.yaml:3), which agent bare may not use')
  t.match(out, 'the policy has no such agent')
  t.match(out, '# default may use it too\n')
})

void t.test('what is never suggested', async (t) => {
  const many = Array.from({ length: 40 }, (_, index) => `w${String(index)}.chunks.evil.example`)
  const cases: readonly (readonly [line: string | readonly string[], why: RegExp])[] = [
    [query('k5q2x7m9abdefghijlnoprs.evil.example'), /looks like encoded data \(high entropy\)/],
    [query('3fa94c01d27be860.evil.example'), /the label 3fa94c01d27be860 looks machine-made/],
    [query('gezdgnbvgy3tqojqgezdgnbv.x.evil.example'), /machine-made/],
    [query(`${'a'.repeat(60)}.evil.example`), /looks like encoded data \(a label is too long\)/],
    [many.map((name) => query(name)), /more than 8 names below evil\.example were asked for/],
    [query('t.evil.example', { type: 'TXT' }), /nobody asked for its address/],
    [query('ok.evil.example', { suspicious: true }), /the gateway marked it/],
    [
      denied({ host: 'a.example.net', path: '/x', reason: 'port-not-listed', port: 8443 }),
      /`\*\.example\.net` .* would replace that/,
    ],
    [denied({ host: 'a.example.net', path: '/x', method: 'POST' }), /POST may write/],
    [denied({ host: 'b.example.org', path: '/x', method: 'PROPFIND' }), /PROPFIND may write/],
    [denied({ host: 'b.example.org', path: '/x*' }), /has a `\*`, which would be a wildcard/],
    [
      denied({ host: 'b.example.org', path: '/${JIRA_TOKEN}' }),
      /cannot be read in one way|the name of a secret|allow it/,
    ],
    [denied({ host: 'b.example.org', path: '/a%20b' }), /no rule can name its path alone/],
    [denied({ host: 'b.example.org', path: '/a/../b' }), /dot segment|one way only/],
    [
      denied({ host: 'b.example.org', path: '/x', query: '?_method=DELETE' }),
      /no small change|no rule|may write/,
    ],
    [denied({ host: 'secure.example.org', scheme: 'http', port: 80, path: '/' }), /tunnel/],
    [
      denied({ kind: 'connect', scheme: null, host: 'b.example.org', port: 22, path: null }),
      /port 22 is for SSH/,
    ],
    [query('telemetry.example.com'), /`quiet` names it/],
  ]
  for (const [line, why] of cases) {
    const cwd = world(t.testdir({}), POLICY, [line].flat())
    const { code, out } = await run(cwd)
    t.equal(code, 0)
    t.equal(parse(out), null, 'comments alone')
    t.match(out, why)
  }
  const others = world(t.testdir({}), POLICY, [
    denied({ host: 'b.example.org', path: '/', reason: 'placeholder-misplaced' }),
    denied({ host: null, port: null, path: null, reason: 'bad-authority' }),
  ])
  t.match((await run(others)).out, /other reasons than hosts and rules:\n#   .*: 1\n#   .*: 1\n$/)
})

void t.test('text of a log never leaves its quotes and comments', async (t) => {
  const evil = [
    'x\n---\nallow: [{ host: evil.example }]\n',
    '"\n  - host: evil.example #',
    'a\u001b]0;title\u0007\u001b[2J',
    '\u2028allow: [evil.example]\u2029',
    '\u0085allow:\u009b31m',
    '\u202eelpmaxe.live',
    '${JIRA_TOKEN}',
    '- host: "evil.example"',
    "' }] #",
    '\ud800',
    '\r\nallow: []',
  ]
  const lines = evil.flatMap((text) => [
    query(text),
    denied({ host: text, path: '/' }),
    denied({ host: 'good.example.org', path: `/${text}` }),
    denied({ host: 'good.example.org', path: '/x', query: `?${text}` }),
    denied({ host: 'good.example.org', path: '/x', method: text }),
    denied({ host: 'good.example.org', path: '/x', sandbox: { id: text, agent: text } }),
    denied({ host: 'good.example.org', path: '/x', reason: text as 'no-rule', detail: text }),
    denied({ host: 'good.example.org', path: '/x', rule: text, service: text }),
    denied({ host: 'good.example.org', path: '/x' }).replace(
      '2026-01-31T12:00:00.000Z',
      JSON.stringify(text).slice(1, -1),
    ),
  ])
  const cwd = world(t.testdir({}), POLICY, lines)
  const { code, out, err } = await run(cwd)
  t.equal(code, 0, err)
  t.match(out, /^[\x20-\x7e\n]*$/)
  t.notMatch(out, '${')
  const fragment = parse(out) as { allow: readonly { paths: readonly string[] }[] }
  t.strictSame(Object.keys(fragment), ['allow'])
  t.equal(fragment.allow.length, 1)
  t.strictSame(
    fragment.allow[0]?.paths.filter(
      (path) => path !== '/x' && !path.startsWith('/"') && !path.startsWith("/'"),
    ),
    [],
  )
  const policy = await paste(cwd, out)
  t.notOk(policy.name('evil.example'))
  t.ok(await policy.request('GET', 'https://good.example.org/x'))
})

void t.test('any log at all: the result loads, and allows no write and no unknown host', async (t) => {
  const cwd = world(t.testdir({}), POLICY, [])
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      'a.example.org',
      'b.example.org',
      'jira.example.com',
      '*.example.org',
      'x.example.net',
      'evil',
    ),
  )
  const path = fc.oneof(
    fc.string().map((rest) => `/${rest}`),
    fc.webPath(),
    text,
  )
  const line = fc
    .record({
      kind: fc.constantFrom('request', 'connect', 'tls', 'upgrade', 'tunnel', 'lookup'),
      method: fc.constantFrom('GET', 'HEAD', 'POST', 'CONNECT', 'TRACE', 'get', ''),
      scheme: fc.constantFrom('http', 'https', null),
      host: text,
      port: fc.constantFrom(443, 80, 8443, 0, -1, 1.5, 70_000),
      path: fc.option(path),
      reason: fc.constantFrom('host-not-listed', 'no-rule', 'port-not-listed', 'ambiguous-path', 'x'),
    })
    .map((given) => denied(given as Partial<HttpDecision>))
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 12 }), async (lines) => {
      writeFileSync(join(cwd, 'audit/http.ndjson'), `${lines.join('\n')}\n`)
      const { code, out, err } = await run(cwd)
      if (code !== 0) throw new Error(err)
      if (!/^[\x20-\x7e\n]*$/.test(out)) throw new Error('unprintable')
      const policy = await paste(cwd, out)
      for (const host of ['a.example.org', 'b.example.org', 'jira.example.com', 'x.example.net'])
        for (const method of ['POST', 'TRACE'])
          if (await policy.request(method, `https://${host}/`)) throw new Error(`${method} ${host}`)
      if (policy.name('c.example.org')) throw new Error('an unknown host')
    }),
    { numRuns: 150 },
  )
})

void t.test('files, filters, JSON and errors', async (t) => {
  const cwd = writeFiles(t.testdir({}), {
    'egress.yaml': 'agents: { default: { allow: all }, ci: { allow: all } }\nallow: [{ host: pypi.org }]\n',
    'one.ndjson': `${query('one.example.org')}\n`,
    'two.ndjson': `${query('two.example.org', { agent: 'ci' })}\nno record\n`,
  })
  const both = await run(cwd, { files: ['one.ndjson', 'two.ndjson'] })
  t.match(parse(both.out), { allow: [{ host: 'one.example.org' }, { host: 'two.example.org' }] })
  t.equal(both.err, 'egress: 1 damaged lines were skipped\n')
  t.match(parse((await run(cwd, { files: ['one.ndjson', 'two.ndjson'], filter: { agent: 'ci' } })).out), {
    allow: [{ host: 'two.example.org' }],
  })
  t.equal(parse((await run(cwd, { files: ['one.ndjson'], filter: { since: '10m' } })).out), null)
  const json = JSON.parse((await run(cwd, { files: ['one.ndjson'], json: true })).out) as { fragment: string }
  t.match(json, {
    allowed: [{ agent: 'default', asked: 'dns one.example.org', count: 1 }],
    refused: [],
    already: [],
  })
  t.match(parse(json.fragment), { allow: [{ host: 'one.example.org' }] })
  t.match(await run(cwd, { files: ['none.ndjson'] }), { code: 2, err: /Cannot read none\.ndjson/ })
  t.match(await run(cwd), { code: 2, err: /No audit log in/ })
  t.match(await run(cwd, { isNamed: false }), { code: 0, out: /^# Nothing to suggest: / })
  t.match(await run(cwd, { files: ['one.ndjson'], policy: 'none.yaml' }), { code: 2, err: /not found/ })
  // Without a policy the fragment is one.
  const empty = writeFiles(t.testdir({}), { 'one.ndjson': `${query('one.example.org')}\n` })
  t.match(parse((await run(empty, { files: ['one.ndjson'] })).out), { allow: [{ host: 'one.example.org' }] })
})
