import t from 'tap'
import { parse } from 'yaml'
import { fingerprint, Scanner } from '../attacks/inside/lib/fingerprint.mjs'
import type { EvaluatedRow } from '../attacks/row.js'
import { evaluateAgent } from './agent-check.js'
import { listenersAt, writeBrief } from './briefing.js'
import { demoPolicy } from './policy.js'
import { makeSecrets, secretPatternsOf } from './secrets.js'
import { renderFailures, renderTable, wantsColour } from './table.js'

const ports = { jira: 1, llm: 2, echo: 3, attacker: 4, attackerDns: 5 }

const row: EvaluatedRow = {
  id: 'a-row',
  title: 'an attack with a title that is longer than its column',
  threat: 'A threat.',
  passed: true,
  evidence: `${'evidence '.repeat(20)}${'x'.repeat(130)}`,
  control: { passed: true, evidence: 'ok' },
  durationMs: 1,
}

await t.test('the table fits 120 columns and is complete without colours', (t) => {
  const failed = { ...row, passed: false, control: { passed: false, evidence: 'no answer' } }
  const plain = renderTable([row, failed], false)
  t.ok(plain.split('\n').every((line) => line.length <= 120))
  t.match(plain, /✓ ok/)
  t.match(plain, /✗ FAILED/)
  t.notMatch(plain, '\u001b')
  const painted = renderTable([row, failed], true)
  t.match(painted, '\u001b[31m✗ FAILED')
  t.equal(painted.replace(/\u001b\[\d+m/g, ''), plain)
  t.match(renderFailures([row, failed]), /^FAILED a-row: A threat\.\n {2}attack: .*\n {2}control: no answer$/)
  t.end()
})

await t.test('colours only on a terminal that supports them', (t) => {
  t.equal(wantsColour({ isTTY: true }, {}), true)
  t.equal(wantsColour({}, {}), false)
  t.equal(wantsColour({ isTTY: true }, { NO_COLOR: '1' }), false)
  t.equal(wantsColour({ isTTY: true }, { TERM: 'dumb' }), false)
  t.end()
})

await t.test('the policy refers to secrets and contains none', (t) => {
  const policy = parse(demoPolicy(ports)) as { services: Record<string, unknown> }
  t.match(policy.services, { jira: { credential: { bearer: '${JIRA_TOKEN}' } } })
  t.end()
})

await t.test('the brief recognises a secret but does not reveal it', (t) => {
  const secrets = makeSecrets()
  const brief = writeBrief({
    ...{
      rows: [],
      listeners: listenersAt('127.0.0.1', '127.0.0.1'),
      markers: {},
      knownSecrets: secretPatternsOf(secrets),
      since: 0,
      ports,
      unixName: 'x',
    },
    ...{ decoy: { file: 'x', text: 'a text of at least twenty characters' }, hidden: [], ca: '' },
  })
  const told = JSON.stringify(brief)
  for (const value of Object.values(secrets) as string[]) {
    t.notOk(told.includes(value))
    const scanner = new Scanner(brief.fingerprints, brief.salt)
    t.not(scanner.scan(Buffer.from(`before ${value} after`)).length, 0)
    t.not(scanner.scan(Buffer.from(Buffer.from(`x${value}yz`).toString('base64'))).length, 0)
    t.equal(scanner.scan(Buffer.from(value.slice(0, -1))).length, 0)
  }
  t.end()
})

await t.test('a fingerprint is found at both ends of a text, and nowhere else', (t) => {
  const value = '0123456789abcdefghij'
  const scanner = new Scanner([fingerprint('it', value, 'salt')], 'salt')
  t.strictSame(scanner.scan(Buffer.from(value)), ['it'])
  t.strictSame(scanner.scan(Buffer.from(`${'z'.repeat(1000)}${value}`)), ['it'])
  t.strictSame(scanner.scan(Buffer.from(`${value}${'z'.repeat(1000)}`)), ['it'])
  t.strictSame(scanner.scan(Buffer.from(value.replace('5', '6'))), [])
  t.end()
})

await t.test('the check of the agent uses the requests that the services received', (t) => {
  const entry = { at: 1, target: '/', headers: [], outside: false }
  const real = { ...entry, method: 'POST', credential: 'real' } as const
  const records = { jira: [real], llm: [real], echo: [], attacker: [] }
  t.equal(evaluateAgent({ exitCode: 0 }, records).passed, true)
  t.equal(evaluateAgent({ exitCode: 1 }, records).passed, false)
  t.equal(evaluateAgent({ exitCode: 0 }, { ...records, llm: [] }).passed, false)
  t.equal(evaluateAgent({ exitCode: 0 }, { ...records, jira: [{ ...real, method: 'GET' }] }).passed, false)
  t.equal(
    evaluateAgent({ exitCode: 0 }, { ...records, llm: [real, { ...real, credential: 'wrong' }] }).passed,
    false,
  )
  t.end()
})
