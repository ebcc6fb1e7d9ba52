import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { writeFiles } from '#config/test-fixtures.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { testIo } from '#test/fixtures/command-io.js'
import { decisionLine, dnsLine, type Header } from '../events/records.js'
import { HEADER, httpDecision, dnsEvent } from '#test/fixtures/recorded-events.js'
import { runTest, type TestArgs } from './test.js'

const POLICY = `services:
  jira:
    url: https://jira.example.com/base
    credential: { bearer: "\${JIRA_TOKEN}" }
    rules:
      - deny: "* /admin/**"
      - allow: GET,HEAD /rest/**
      - allow: POST /rest/issue
  hub:
    url: https://hub.example.com
    rules: [{ allow: GET /** }]
    graphql: { allow: [query *] }
allow:
  - { host: "*.example.net", methods: [GET] }
agents:
  ci: { services: [jira, hub], allow: all }
  bare: {}
`

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function run(cwd: string, args: TestArgs = {}): Promise<Ran> {
  const { io, out, err } = testIo(cwd)
  const code = await runTest(args, io, CREDENTIAL_KINDS)
  return { code, out: out(), err: err() }
}

const GOOD = `tests:
  - { agent: ci, request: "GET https://jira.example.com/base/rest/x", expect: allow, service: jira, credential: jira/bearer }
  - { agent: ci, request: "POST https://jira.example.com/base/rest/other", expect: deny, reason: no-rule }
  - { agent: ci, request: "GET https://jira.example.com/base/ADMIN/x", expect: deny, reason: denied-by-rule }
  - { agent: bare, request: "GET https://jira.example.com/base/rest/x", expect: deny, reason: host-not-listed }
  - { agent: ci, dns: a.example.net, expect: allow }
  - { agent: ci, dns: example.net, expect: deny, reason: host-not-listed }
  - { agent: ci, request: "GET https://a.example.net/x", expect: allow, credential: none }
  - { agent: ci, request: "POST https://hub.example.com/graphql", body: "{ viewer { login } }", expect: allow, service: hub }
  - { agent: ci, request: "POST https://hub.example.com/graphql", body: '{"query":"mutation { remove }"}', expect: deny }
  - { agent: ci, request: "graphql https://hub.example.com/graphql", body: "{ viewer }", expect: allow }
`

void t.test('expectations that hold', async (t) => {
  const cwd = writeFiles(t.testdir({}), { 'egress.yaml': POLICY + GOOD })
  const { code, out, err } = await run(cwd)
  t.equal(out, '10 tests passed\n')
  t.equal(err, '')
  t.equal(code, 0)
})

void t.test('each failing test has its line, what is wrong and what to do', async (t) => {
  const cwd = writeFiles(t.testdir({}), {
    'egress.yaml': `${POLICY}tests:
  - { agent: ci, request: "GET https://jira.example.com/base/rest/x", expect: deny }
  - { agent: ci, request: "DELETE https://jira.example.com/base/rest/x", expect: allow }
  - { agent: ci, request: "GET https://jira.example.com/base/admin/x", expect: allow }
  - { agent: ci, dns: evil.example, expect: allow }
  - { agent: ci, request: "GET https://jira.example.com/base/admin", expect: deny, reason: no-rule }
  - { agent: ci, request: "GET https://a.example.net/x", expect: allow, service: jira }
  - { agent: ci, request: "GET https://jira.example.com/base/rest/x", expect: allow, credential: none }
  - { name: the good one, agent: ci, dns: a.example.net, expect: allow }
`,
  })
  const { code, out, err } = await run(cwd)
  t.equal(code, 1)
  t.equal(err, '')
  const lines = out.split('\n')
  t.equal(lines.at(-2), '1 test passed, 7 failed')
  for (const line of [
    'egress.yaml:19: Expected to deny `GET https://jira.example.com/base/rest/x` of agent ci, which is allowed by services.jira.rules[1] (egress.yaml:7)',
    '  Narrow that rule, or write a `deny` rule above it',
    'egress.yaml:20: Expected to allow `DELETE https://jira.example.com/base/rest/x` of agent ci, which is denied: no-rule, by services.jira (egress.yaml:3)',
    '  Allow it in `rules` or `allow`, or write `expect: deny`',
    'egress.yaml:21: Expected to allow `GET https://jira.example.com/base/admin/x` of agent ci, which is denied: denied-by-rule, by services.jira.rules[0] (egress.yaml:6)',
    'egress.yaml:22: Expected to allow the name `evil.example` of agent ci, which is denied: host-not-listed, by nothing that mentions it',
    'egress.yaml:23: Expected the reason no-rule for `GET https://jira.example.com/base/admin` of agent ci, which is denied for denied-by-rule, by services.jira.rules[0] (egress.yaml:6)',
    'egress.yaml:24: Expected service jira for `GET https://a.example.net/x` of agent ci, which is allowed by allow[0] (egress.yaml:14), an entry of `allow`',
    'egress.yaml:25: Expected credential none for `GET https://jira.example.com/base/rest/x` of agent ci, with which jira/bearer goes along',
  ])
    t.ok(lines.includes(line), line)
  t.equal(lines.length, 7 * 2 + 2)

  const json = (await run(cwd, { json: true })).out.trimEnd().split('\n')
  t.equal(json.length, 8)
  t.match(JSON.parse(json[0] ?? ''), { line: 19, expect: 'deny', answer: { verdict: 'allow' } })
  t.match(JSON.parse(json[7] ?? ''), { name: 'the good one', failure: null })
})

void t.test('tests that cannot be asked are errors, all of them at once', async (t) => {
  const cwd = writeFiles(t.testdir({}), {
    'egress.yaml': `${POLICY}tests:
  - { request: "GET https://jira.example.com/", expect: deny }
  - { agent: nobody, dns: pypi.org, expect: deny }
  - { agent: ci, request: "GET jira.example.com", expect: deny }
  - { agent: ci, request: "get https://jira.example.com/", expect: deny }
  - { agent: ci, request: "GET", expect: deny }
  - { agent: ci, dns: 10.0.0.1, expect: deny }
  - { agent: ci, request: "POST https://hub.example.com/graphql", expect: deny }
`,
    'none.yaml': POLICY,
    'broken.yaml': 'tests: [{ expect: maybe }]\n',
  })
  const { code, out, err } = await run(cwd)
  t.equal(code, 2)
  t.equal(out, '')
  for (const text of [
    'egress.yaml:19:5: The test names no agent, and the policy has no `default` agent\n  Write `agent:` with one of: ci, bare\n',
    'egress.yaml:20:5: Unknown agent `nobody`',
    'egress.yaml:21:5: The URL does not start with https:// or http://',
    'egress.yaml:22:5: Unknown method `get`\n  Use `GET`\n',
    'egress.yaml:23:5: `request` is not a method, a space and a URL',
    'egress.yaml:24:5: Invalid host name `10.0.0.1`',
    'egress.yaml:25:5: The rules look at what this request sends',
  ])
    t.ok(err.includes(text), text)
  t.match(await run(cwd, { file: 'none.yaml' }), {
    code: 2,
    out: '',
    err: /none\.yaml has no tests\n {2}Add some/,
  })
  t.match(await run(cwd, { file: 'broken.yaml' }), { code: 2, err: /`expect` must be one of allow, deny/ })
  t.match(await run(cwd, { file: 'missing.yaml' }), { code: 2, err: /missing\.yaml not found/ })
  t.match(await run(cwd, { replay: 'missing.ndjson' }), { code: 2, err: /Cannot read .*ENOENT/ })
})

void t.test('JUnit: counts, failures, and names that would break the document', async (t) => {
  const cwd = writeFiles(t.testdir({}), {
    'egress.yaml': `${POLICY}tests:
  - { name: "a <b> & \\"c\\" \\e[31m ]]>", agent: ci, dns: a.example.net, expect: deny }
  - { agent: ci, dns: a.example.net, expect: allow }
`,
  })
  t.equal((await run(cwd, { junit: 'results.xml' })).code, 1)
  const xml = readFileSync(join(cwd, 'results.xml'), 'utf8')
  t.match(xml, '<testsuites tests="2" failures="1" errors="0" skipped="0">')
  t.match(
    xml,
    'name="a &lt;b&gt; &amp; &quot;c&quot; \\x1b[31m ]]&gt;, expect deny" file="egress.yaml" line="19">',
  )
  t.match(xml, '<failure message="Expected to deny the name `a.example.net` of agent ci')
  t.equal(xml.match(/<testcase /g)?.length, 2)
  t.notMatch(xml, '\x1b')
  t.match(await run(cwd, { junit: 'egress.yaml/x.xml' }), { code: 2, err: /Cannot write/ })
})

const header = (sequence: number): Header => ({
  ...HEADER,
  sequence,
  time: `2026-01-31T12:00:0${String(sequence)}.000Z`,
})

void t.test('--replay shows what a policy would decide otherwise', async (t) => {
  const jira = { host: 'jira.example.com', service: 'jira', credential: 'jira/bearer' }
  const lines = [
    // The same again.
    httpDecision({ ...jira, path: '/base/rest/x' }),
    // What this policy denies.
    httpDecision({ ...jira, method: 'DELETE', path: '/base/rest/x', rule: 'services.jira.rules[3]' }),
    httpDecision({ ...jira, method: 'DELETE', path: '/base/rest/x', rule: 'services.jira.rules[3]' }),
    // What it allows.
    httpDecision({
      host: 'a.example.net',
      path: '/x',
      verdict: 'deny',
      reason: 'host-not-listed',
      rule: null,
    }),
    // With another credential.
    httpDecision({ ...jira, credential: 'jira/basic', path: '/base/rest/y' }),
    // What cannot be told.
    httpDecision({ host: 'hub.example.com', method: 'POST', path: '/graphql', service: 'hub' }),
    httpDecision({ ...jira, path: '/base/rest/x', verdict: 'deny', reason: 'placeholder-misplaced' }),
    httpDecision({ ...jira, path: '/base/rest/x', verdict: 'deny', reason: 'rate-limited' }),
    httpDecision({ ...jira, path: '/x', sandbox: { id: 's', agent: 'gone' } }),
  ].map((event, index) => decisionLine(header(index), event))
  lines.push(
    dnsLine(header(9), dnsEvent({ name: 'a.example.net', verdict: 'deny', reason: 'host-not-listed' })),
    'no record',
  )
  const cwd = writeFiles(t.testdir({}), {
    'egress.yaml': POLICY,
    'audit/http.ndjson': `${lines.join('\n')}\n`,
    'empty.ndjson': '',
  })
  const { code, out, err } = await run(cwd, { replay: 'audit' })
  t.equal(code, 1)
  t.equal(err, 'egress: 1 damaged lines were skipped\n')
  t.equal(
    out,
    [
      'egress.yaml would change 5 of 6 recorded decisions:',
      '  ci: DELETE https://jira.example.com/base/rest/x: denied (no-rule), was allowed, by services.jira (egress.yaml:3); 2 times, 2026-01-31T12:00:01Z to 2026-01-31T12:00:02Z',
      '  ci: dns a.example.net: allowed, was denied (host-not-listed), by allow[0] (egress.yaml:14); once, 2026-01-31T12:00:09Z',
      '  ci: GET https://a.example.net/x: allowed, was denied (host-not-listed), by allow[0] (egress.yaml:14); once, 2026-01-31T12:00:03Z',
      '  ci: GET https://jira.example.com/base/rest/y: with jira/bearer, was with jira/basic, by services.jira.rules[1] (egress.yaml:7); once, 2026-01-31T12:00:04Z',
      '3 cannot be told: they follow from bodies, headers or limits, which are not in the log',
      '1 are of agents that egress.yaml does not have',
      '',
    ].join('\n'),
  )
  const json = await run(cwd, { replay: 'audit/http.ndjson', json: true })
  t.match(JSON.parse(json.out), { compared: 6, changed: 5, untold: 3, foreign: 1, damaged: 1 })
  t.match(await run(cwd, { replay: 'empty.ndjson' }), { code: 0, out: /each of 0 recorded decisions again/ })
})
