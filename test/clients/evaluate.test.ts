import t from 'tap'
import { evaluate, notRun, type Evidence } from './evaluate.js'
import { ROWS } from './rows.js'

const jira = ROWS.find(({ id }) => id === 'jira')
if (jira === undefined) throw new Error('missing row')

const real = {
  host: 'jira.clients.example',
  method: 'POST',
  path: '/rest/api/2/issue/DEMO-2/comment',
  verified: true,
}

const GOOD: Evidence = {
  allowed: { id: 'jira/allowed', code: 0, stdout: 'jira-agent, 1 issues, made DEMO-2\n', stderr: '' },
  refused: { id: 'jira/refused', code: 1, stdout: '', stderr: 'HTTP 403' },
  received: [real],
  leaked: false,
  pushed: true,
}

void t.test('a row passes if every part of it does, and fails if one part does not', (t) => {
  t.equal(evaluate(jira, GOOD).passed, true)
  const deleted = { ...real, method: 'DELETE', path: '/rest/api/2/issue/DEMO-1' }
  for (const [name, bad] of [
    ['a client that failed', { allowed: { ...GOOD.allowed, code: 1 } }],
    ['a client with other output', { allowed: { ...GOOD.allowed, stdout: 'fine' } }],
    ['a client that never ran', { allowed: null }],
    ['a request without the real credential', { received: [real, { ...real, verified: false }] }],
    ['a service that was never asked', { received: [] }],
    ['a control that reached the service', { received: [real, deleted] }],
    ['a control that was not refused', { refused: { ...GOOD.refused, stderr: 'timed out' } }],
    ['a control that never ran', { refused: null }],
    ['a credential that was printed', { leaked: true }],
  ] as const) {
    t.equal(evaluate(jira, { ...GOOD, ...bad } as Evidence).passed, false, name)
  }
  t.end()
})

void t.test('a client that is not installed does not pass, and the row says so', (t) => {
  const row = notRun(jira, ['python3-jira'])
  t.match(row, {
    passed: false,
    saw: 'not installed: python3-jira',
    control: 'not run',
    missing: ['python3-jira'],
  })
  t.end()
})
