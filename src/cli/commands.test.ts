import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { TEST_KINDS, writeFiles } from '#config/test-fixtures.js'
import { testIo } from '#test/fixtures/command-io.js'
import { EgressError, exitCodeOf, formatError } from '../common/errors.js'
import { runCheck } from './check.js'
import { runExplain, type ExplainArgs } from './explain.js'
import { runInit } from './init.js'

const POLICY = `services:
  jira:
    url: https://jira.example.com/base
    credential: { bearer: "\${JIRA_TOKEN}", inject: on_placeholder }
    rules:
      - allow: GET,HEAD /rest/**
      - deny: DELETE /**
      - allow: POST /rest/issue
    rate: { per_second: 10, burst: 20 }
    quota: { requests: 100, bytes: 1MiB, window: 1h }
allow:
  - host: "*.example.net"
    methods: [GET]
    paths: [/simple/**]
  - host: github.com
    tunnel: true
agents:
  ci: { services: [jira], allow: all }
  bare: {}
  narrow: { services: [jira], rules: { jira: [{ allow: GET /rest/issue }] } }
`

const TOKEN = 'jira-token-0123456789'

const world = (cwd: string, env: Readonly<Record<string, string>> = {}) =>
  testIo(cwd, { JIRA_TOKEN: TOKEN, ...env })

void t.test('check explains a policy', async (t) => {
  const cwd = writeFiles(t.testdir({}), { 'egress.yaml': POLICY })
  const { io, out, err } = world(cwd)
  t.equal(await runCheck({}, io, TEST_KINDS), 0)
  t.equal(err(), '')
  for (const line of [
    'egress.yaml is valid.',
    'Service jira, at https://jira.example.com',
    '  credential jira/bearer: test kind bearer',
    '    from JIRA_TOKEN, into header authorization',
    '  1. may use GET, HEAD on /base/rest and everything below it',
    '  2. may not use DELETE on /base and everything below it',
    '  4. may not do anything else',
    '    injected only if the request contains the placeholder; otherwise the location is cleared',
    '  at most 10 requests per second, in bursts of up to 20',
    '  at most 100 requests and 1048576 bytes of bodies per 60 minutes',
    '    at jira, additional rule: may use GET on /base/rest/issue',
    '    may use GET on /simple and everything below it',
    '  ci may use services jira and every entry of allow',
    '  bare may use services (none) and hosts (none)',
    '  *.example.net: at most 16 new names and 256 bytes in 10 minutes, 24927 bits per day',
    '  egress.yaml:15: github.com is a tunnel: the gateway cannot inspect its requests.',
  ]) {
    t.ok(out().split('\n').includes(line), line)
  }
  t.notOk(out().includes(TOKEN))
})

void t.test('check --json is one object on one line', async (t) => {
  const cwd = writeFiles(t.testdir({}), { 'egress.yaml': POLICY, 'broken.yaml': 'alow: []\n' })
  const good = world(cwd)
  t.equal(await runCheck({ json: true }, good.io, TEST_KINDS), 0)
  t.equal(good.out().split('\n').length, 2)
  t.match(JSON.parse(good.out()), {
    ok: true,
    services: [{ name: 'jira', credential: { id: 'jira/bearer' } }],
  })
  t.notOk(good.out().includes(TOKEN))
  const bad = world(cwd)
  t.equal(await runCheck({ file: 'broken.yaml', json: true }, bad.io, TEST_KINDS), 2)
  t.match(JSON.parse(bad.out()), { ok: false, issues: [{ line: 1, column: 1 }] })
})

void t.test('check of a broken, missing or empty policy', async (t) => {
  const cwd = writeFiles(t.testdir({}), { 'broken.yaml': 'allow:\n  - host: "*.com"\n', 'empty.yaml': '' })
  const broken = world(cwd)
  t.equal(await runCheck({ file: 'broken.yaml' }, broken.io, TEST_KINDS), 2)
  t.match(broken.err(), /^broken\.yaml:2:11: `\*\.com` is too broad.*\n {2}Name a domain/)
  t.equal(broken.out(), '')
  const missing = world(cwd, { EGRESS_POLICY: 'none.yaml' })
  t.equal(await runCheck({}, missing.io, TEST_KINDS), 2)
  t.match(missing.err(), /Policy file none\.yaml not found\n {2}Create it with `egress init none\.yaml`/)
  const empty = world(cwd)
  t.equal(await runCheck({ file: 'empty.yaml' }, empty.io, TEST_KINDS), 0)
  t.match(empty.out(), /everything is denied/)
})

void t.test('explain shows the decision of the policy engine', async (t) => {
  const cwd = writeFiles(t.testdir({}), { 'egress.yaml': POLICY })
  const jira = 'https://jira.example.com'
  const cases: readonly (readonly [args: string, code: number, said: RegExp, agent?: string])[] = [
    [
      `GET ${jira}/base/rest/x`,
      0,
      /^ALLOW .*\nrule {2}services\.jira\.rules\[0\]: allow: GET,HEAD \/rest\/\*\* \(egress\.yaml:6\)\n/,
    ],
    [`GET ${jira}/base/rest/x?a=1`, 0, /credential {2}jira\/bearer is injected into header authorization/],
    [
      `DELETE ${jira}/base/x`,
      1,
      /^DENY .*\nrule .*rules\[1\]: deny: DELETE .*\nreason {2}denied-by-rule: A rule/,
    ],
    [`GET ${jira}/rest/x`, 1, /no-rule/],
    [
      `GET ${jira}/base/rest/x`,
      0,
      /, if the request contains its placeholder there\nrate .*\nquota {2}at most 100 requests and/,
    ],
    [`GET ${jira}/base/rest/x`, 1, /reason {2}no-rule/, 'narrow'],
    [
      `GET ${jira}/base/rest/issue`,
      0,
      /rules\[0\].*\nrule {2}agents\.narrow\.rules\.jira\[0\]: allow: GET \/rest\/issue \(egress\.yaml:20\)/,
      'narrow',
    ],
    [`GET ${jira}/base/rest/%2e%2e/x`, 1, /path-dot-segment/],
    [`GET ${jira}:8443/base/rest/x`, 1, /port-not-listed/],
    [`GET https://evil.example.com/`, 1, /^DENY .*\nreason {2}host-not-listed: The policy does not list/],
    [`GET ${jira}/base/rest/x`, 1, /host-not-listed/, 'bare'],
    [
      'GET https://a.example.net/simple/x',
      0,
      /allow\[0\]: allow: GET \/simple\/\*\*.*\nreason {2}may use GET.*\ncredential {2}none/,
    ],
    ['GET http://egress:9199/jira/rest/x', 0, /^ALLOW {2}GET https:\/\/jira\.example\.com\/base\/rest\/x\n/],
    // The base-URL listener speaks no TLS.
    ['GET https://egress:9199/jira/rest/x', 1, /^DENY [^]*host-not-listed/],
    [
      'GET http://egress:9199/jria/rest/x',
      1,
      /reason {2}unknown-service: This agent has no service with this name/,
    ],
    ['dns 1.0.0.127.in-addr.arpa', 1, /reason {2}reverse-name: .*\nclient {2}NXDOMAIN/],
    ['GET https://jira.example.com/base/rest/x?_method=DELETE', 1, /denied-by-rule/],
    ['POST https://github.com/x', 0, /TLS tunnel: method and path are not checked/],
    ['GET http://github.com/x', 1, /port-not-listed/],
    ['dns jira.example.com', 0, /^ALLOW .*\nrule .*\nclient {2}A record with the gateway's address/],
    [
      'dns localhost',
      0,
      /rule {2}RFC 6761 section 6\.3\nclient {2}the address 127\.0\.0\.1, not the gateway's/,
    ],
    ['dns a.example.net', 0, /budget {2}a new sandbox has 16 names and 256 bytes/],
    ['dns evil.example.com', 1, /client {2}NXDOMAIN\nfeatures {2}16 characters/],
    [
      `dns ${'a1b2c3d4'.repeat(6)}.example.net`,
      1,
      /name-looks-encoded.*\nclient {2}REFUSED\n.*over its limit: label-length/,
    ],
    ['GET https://user:pw1234567@jira.example.com/', 2, /has a user name\n.*Remove everything up to `@`/],
    ['GET /simple', 2, /has no host\n.*https:\/\/host\/path/],
    ['GET jira.example.com/x', 2, /does not start with https/],
    ['GET https://jira.example.com/x#top', 2, /has a fragment/],
    ['GET https://jira..example.com/x', 2, /no valid host name/],
    ['FETCH https://jira.example.com/', 2, /Unknown method `FETCH`/],
    ['get https://jira.example.com/', 2, /Use `GET`/],
    ['dns 127.0.0.1', 2, /Invalid host name/],
    [
      'GET https://jira.example.com/base/rest/other',
      1,
      /^rule {2}agents\.narrow\.rules\.jira: allow: GET \/rest\/issue \(egress\.yaml:20\)\nreason {2}no-rule/m,
      'narrow',
    ],
    ['GET', 2, /Missing argument/],
    ['dns a.example.net b', 2, /Too many arguments/],
    [
      'dns a.example.net',
      2,
      /Unknown agent `nobody`\n {2}Choose one with --agent: ci, bare, narrow/,
      'nobody',
    ],
  ]
  for (const [line, code, said, agent = 'ci'] of cases) {
    const { io, out, err } = world(cwd)
    const args: ExplainArgs = { args: line.split(' '), agent }
    t.equal(await runExplain(args, io, TEST_KINDS), code, line)
    t.match(code === 2 ? err() : out(), said, line)
    t.notMatch(out() + err(), /pw1234567|jira-token/)
  }
})

void t.test('gRPC and ports of other protocols', async (t) => {
  const policy = `services:
  stock:
    url: https://stock.example.com/base
    grpc:
      allow: [stock.v1.Stock/*]
      deny: [stock.v1.Stock/Delete]
allow:
  - host: git.example.com
    ports: [22, 443]
  - host: calls.example.com
    grpc: { allow: ["*/*"] }
`
  const { io, out } = world(writeFiles(t.testdir({}), { 'egress.yaml': policy }))
  t.equal(await runCheck({}, io, TEST_KINDS), 0)
  t.match(
    out(),
    'egress.yaml:8: port 22 of git.example.com is open to TLS and HTTP alone: SSH is closed at once.',
  )
  t.notMatch(out(), 'port 443')
  t.match(
    out(),
    '  1. may not call stock.v1.Stock/Delete by gRPC\n  2. may call any method of stock.v1.Stock by gRPC',
  )
  t.notMatch(out(), 'any method on any path of calls.example.com', 'gRPC alone is no rule for the rest')
  for (const [kind, url, code, said] of [
    [
      'grpc',
      'https://stock.example.com/base/stock.v1.Stock/Get',
      0,
      'services.stock.grpc.allow[0]: allow: GRPC',
    ],
    ['grpc', 'https://stock.example.com/base/stock.v1.Stock/Delete', 1, 'egress.yaml:6'],
    ['grpc', 'https://stock.example.com/stock.v1.Stock/Get', 1, 'no-rule'],
    ['POST', 'https://stock.example.com/base/stock.v1.Stock/Get', 1, 'no-rule'],
    ['grpc', 'https://calls.example.com/a.B/C', 0, 'may call any method by gRPC'],
    ['POST', 'https://calls.example.com/a.B/C', 1, 'no-rule'],
  ] as const) {
    const { io: asked, out: answer } = world(io.cwd)
    t.equal(await runExplain({ args: [kind, url] }, asked, TEST_KINDS), code, `${kind} ${url}`)
    t.match(answer(), said)
  }
})

void t.test('explain --json', async (t) => {
  const cwd = writeFiles(t.testdir({}), { 'egress.yaml': POLICY })
  const allowed = world(cwd)
  const args = ['GET', 'https://jira.example.com/base/rest/x']
  t.equal(await runExplain({ args, agent: 'ci', json: true }, allowed.io, TEST_KINDS), 0)
  t.match(JSON.parse(allowed.out()), {
    verdict: 'ALLOW',
    rule: 'services.jira.rules[0]',
    credential: 'jira/bearer',
    place: 'egress.yaml:6',
  })
  const denied = world(cwd)
  t.equal(await runExplain({ args: ['dns', 'x.org'], agent: 'ci', json: true }, denied.io, TEST_KINDS), 1)
  t.match(JSON.parse(denied.out()), {
    verdict: 'DENY',
    reason: 'host-not-listed',
    client: 'NXDOMAIN',
    rule: null,
  })
  const missing = world(cwd)
  t.equal(await runExplain({ args, policy: 'none.yaml' }, missing.io, TEST_KINDS), 2)
  t.match(missing.err(), /^egress: Policy file none\.yaml not found\n {2}Create it/)
  const unnamed = world(t.testdir({}))
  t.equal(await runExplain({ args }, unnamed.io, TEST_KINDS), 1)
  t.match(unnamed.err(), /^egress: egress\.yaml not found, so everything is denied/)
})

void t.test('init creates a policy that passes check, and does not overwrite a file', async (t) => {
  const cwd = t.testdir({})
  const { io, out } = world(cwd)
  t.equal(await runInit({}, io), 0)
  t.match(out(), /^Created egress\.yaml\./)
  const check = world(cwd)
  t.equal(await runCheck({}, check.io, TEST_KINDS), 0, check.err())
  t.same(readdirSync(cwd), ['egress.yaml'], 'no temporary file remains')

  writeFiles(cwd, { 'egress.yaml': 'mine\n' })
  const again = world(cwd)
  t.equal(await runInit({}, again.io), 2)
  t.match(
    again.err(),
    /egress\.yaml already exists\n {2}Choose another name, or add --force to replace the file/,
  )
  t.equal(readFileSync(join(cwd, 'egress.yaml'), 'utf8'), 'mine\n')
  t.equal(await runInit({ force: true }, world(cwd).io), 0)
  t.match(readFileSync(join(cwd, 'egress.yaml'), 'utf8'), /^# Hosts and services/)

  const blocked = world(cwd)
  t.equal(await runInit({ file: 'egress.yaml/inside' }, blocked.io), 1)
  t.match(blocked.err(), /Cannot write egress\.yaml\/inside/)
  const unmade = world(cwd)
  t.equal(await runInit({ file: 'none/egress.yaml' }, unmade.io), 1)
  t.match(unmade.err(), /Cannot write none\/egress\.yaml \(ENOENT\)\n {2}Choose an existing directory/)
  const nowhere = world(cwd)
  t.equal(await runInit({ file: '/proc/none/egress.yaml' }, nowhere.io), 1)
  t.match(nowhere.err(), /Cannot write \/proc\/none\/egress\.yaml \(ENOENT\)/)
})

void t.test('the commented examples of the starter policy are valid too', async (t) => {
  const cwd = t.testdir({})
  await runInit({}, world(cwd).io)
  const all = readFileSync(join(cwd, 'egress.yaml'), 'utf8')
    .replace(/^#(?! )/gm, '')
    .replace(/^# {2}- /gm, '  - ')
    .replace(/^# {2,}(?=\w|-)/gm, (lead) => lead.replace('#', ''))
  writeFiles(cwd, { 'all.yaml': all })
  const check = world(cwd)
  t.equal(await runCheck({ file: 'all.yaml' }, check.io, TEST_KINDS), 0, check.err())
  t.match(check.out(), /Service jira/)
})

void t.test('an error is two lines, and has an exit code', (t) => {
  const error = new EgressError({ code: 'EGRESS_X', problem: 'It is so', fix: 'Do this' })
  t.equal(formatError(error), 'egress: It is so\n  Do this\n')
  t.equal(exitCodeOf(error), 2)
  t.equal(exitCodeOf(new EgressError({ code: 'EGRESS_X', problem: 'a', fix: 'b', exitCode: 1 })), 1)
  t.match(formatError(new TypeError('oops')), /^egress: Internal error: oops\n {2}/)
  t.equal(exitCodeOf(new TypeError('oops')), 1)
  t.end()
})
