import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { decisionLine, dnsLine } from '#src/events/records.js'
import { dnsEvent, HEADER, httpDecision } from './fixtures/recorded-events.js'
import { demoPolicy } from './demo/policy.js'
import { NAMES } from './demo/names.js'
import { makeWorkspace } from './fixtures/run.js'

// The denials of the demo, which are attacks but for a few, with the commands themselves: what is suggested, pasted and explained.

const PORTS = { jira: 1, llm: 2, echo: 3, attacker: 4, attackerDns: 5 }
const SANDBOX = { id: 'sandbox-1', agent: 'default' }

const denied = (given: Parameters<typeof httpDecision>[0]) =>
  decisionLine(
    HEADER,
    httpDecision({ sandbox: SANDBOX, verdict: 'deny', reason: 'no-rule', rule: null, ...given }),
  )
const query = (name: string, type = 'A') =>
  dnsLine(HEADER, dnsEvent({ agent: 'default', name, type, verdict: 'deny', reason: 'host-not-listed' }))

void t.test('what the demo denies, pasted into its policy: the reads pass, the attacks do not', async (t) => {
  const space = makeWorkspace(demoPolicy(PORTS), {}, { 'ca.pem': '' })
  t.teardown(() => space.remove())
  const { jira, llm, attacker } = NAMES
  const payloads = Array.from({ length: 30 }, (_, index) => `p${String(index)}q.${attacker}`)
  const log = [
    denied({ host: jira, path: '/rest/agile/1.0/board' }),
    denied({ host: jira, path: '/rest/api/2/secure/x', reason: 'denied-by-rule' }),
    denied({ host: jira, path: '/rest/api/2/issue/A-1', method: 'DELETE' }),
    denied({ host: llm, path: '/v1/models' }),
    denied({ host: attacker, path: '/', method: 'POST', reason: 'host-not-listed' }),
    denied({ host: attacker, path: '/', reason: 'host-not-listed' }),
    query(attacker),
    ...payloads.map((name) => query(name)),
    query(`x.${attacker}`, 'TXT'),
    query('docs.example.org'),
  ]
  writeFileSync(join(space.directory, 'http.ndjson'), log.map((line) => `${line}\n`).join(''))
  const { stdout, stderr, code } = await space.run(['suggest', 'http.ndjson'])
  t.equal(code, 0, stderr)
  t.strictSame(parse(stdout), {
    services: {
      jira: { rules: [{ allow: 'GET /rest/agile/1.0/board' }] },
      llm: { rules: [{ allow: 'GET /v1/models' }] },
    },
    allow: [{ host: 'docs.example.org', methods: ['GET', 'HEAD'] }],
  })
  appendFileSync(join(space.directory, 'egress.yaml'), stdout)
  for (const [words, isAllowed] of [
    [['GET', `https://${jira}/rest/agile/1.0/board`], true],
    [['GET', `https://${llm}/v1/models`], true],
    [['dns', 'docs.example.org'], true],
    [['POST', `https://${jira}/rest/agile/1.0/board`], false],
    [['DELETE', `https://${jira}/rest/api/2/issue/A-1`], false],
    [['GET', `https://${jira}/rest/api/2/secure/x`], false],
    [['GET', `https://${attacker}/`], false],
    [['dns', attacker], false],
    [['dns', payloads[0] ?? ''], false],
  ] as const)
    t.equal(
      (await space.run(['explain', ...words])).code,
      isAllowed ? 0 : 1,
      `${words.join(' ')}\n${readFileSync(join(space.directory, 'egress.yaml'), 'utf8').slice(-600)}`,
    )
})
