import { DEFAULT_APPROVALS } from '#config/approvals/approvals.js'
import { DEFAULT_LIMITS } from '#config/limits/limits.js'
import t from 'tap'
import { isDiagnostic } from '../contracts/diagnostic.js'
import type { Policy } from '../contracts/policy.js'
import type { Effect, Rule } from '../contracts/rule.js'
import { PolicyEngine } from '../policy-engine/policy-engine.js'
import { http } from './http.js'
import { RuleKinds } from './index.js'
import type { RuleKind } from './rule-kind.js'

// A toy protocol: one line of text per request. Its rules are `ECHO hello*`: a line, or the beginning of one.

interface EchoMatch {
  readonly line: string
  readonly prefix: boolean
}

const covers = (outer: EchoMatch, inner: EchoMatch): boolean =>
  outer.prefix ? inner.line.startsWith(outer.line) : !inner.prefix && outer.line === inner.line

const echo: RuleKind<EchoMatch, string> = {
  name: 'echo',
  keyword: 'ECHO',
  parse(text) {
    const line = /^ECHO ([\x20-\x7e]+)$/.exec(text)?.[1]
    if (line === undefined) {
      return { problem: `Invalid rule \`${text}\`: expected \`ECHO\` and a line`, fix: 'Write `ECHO hello*`' }
    }
    return line.endsWith('*') ? { line: line.slice(0, -1), prefix: true } : { line, prefix: false }
  },
  matches: ({ line, prefix }, subject) => (prefix ? subject.startsWith(line) : subject === line),
  covers(earlier, later) {
    const index = earlier.findIndex((one) => covers(one, later))
    return index < 0 ? null : [index]
  },
  overlaps: (a, b) => covers(a, b) || covers(b, a),
  below: (match) => match,
  explain: ({ line, prefix }) => `send ${prefix ? 'lines that begin with ' : ''}\`${line}\``,
}

const KINDS = new RuleKinds([http, echo])

function rules(...lines: readonly (readonly [effect: Effect, text: string])[]): readonly Rule[] {
  return lines.map(([effect, text], index) => {
    const parsed = KINDS.parse(text)
    if (isDiagnostic(parsed)) throw new Error(parsed.problem)
    return { effect, ...parsed, text, id: `services.echo.rules[${index}]` }
  })
}

function engine(own: readonly Rule[], agentRules?: Readonly<Record<string, readonly Rule[]>>): PolicyEngine {
  const policy: Policy = {
    destinations: [
      {
        id: 'services.echo',
        label: 'echo',
        host: { kind: 'exact', host: 'echo.example', text: 'echo.example' },
        scheme: 'https',
        ports: [7],
        mode: 'intercept',
        rules: own,
        ...(agentRules === undefined ? {} : { agentRules }),
        service: 'echo',
        allowPrivateAddresses: false,
        ca: null,
        nameLimits: null,
      },
    ],
    services: new Map(),
    agents: new Map([['default', { name: 'default', services: null, allow: null }]]),
    dns: {
      nameLimits: {
        features: {
          maxLength: 64,
          maxLabel: 40,
          maxEntropy: 4.2,
          maxTotalEntropy: 4.5,
          minEntropyLength: 16,
        },
        budget: { names: 1, bytes: 1, windowMs: 1, bytesPerDay: 1 },
      },
      rate: { perSecond: 1, burst: 1 },
      hosts: {},
    },
    http: { maxRequestBytes: 1, responseTimeoutMs: 1, idleTimeoutMs: 1, connectTimeoutMs: 1 },
    limits: DEFAULT_LIMITS,
    approvals: DEFAULT_APPROVALS,
    upstream: { hosts: {}, servers: [] },
    secrets: [],
  }
  return new PolicyEngine(policy, KINDS)
}

const ADDRESS = { agent: 'default', scheme: 'https', host: 'echo.example', port: 7, kind: 'echo' } as const

void t.test('a kind in one file: its rules are parsed, decide and explain themselves', (t) => {
  const policyEngine = engine(
    rules(['deny', 'ECHO hello, admin*'], ['allow', 'ECHO hello*'], ['allow', 'GET /**']),
  )
  const ask = (...lines: readonly string[]) => {
    const verdict = policyEngine.evaluate({ ...ADDRESS, alternatives: [lines] })
    return verdict.allowed ? verdict.rule.text : [verdict.reason, verdict.rule]
  }
  t.equal(ask('hello, world'), 'ECHO hello*')
  t.same(ask('hello, administrator'), ['denied-by-rule', 'services.echo.rules[0]'])
  t.same(ask('bye'), ['no-rule', 'services.echo'])
  t.same(
    ask('hello', 'hello, admin'),
    ['denied-by-rule', 'services.echo.rules[0]'],
    'a deny rule: any reading',
  )
  t.same(ask('hello', 'bye'), ['ambiguous-path', 'services.echo'], 'an allow rule: all readings')
  t.same(ask('GET /'), ['no-rule', 'services.echo'], 'a rule of another kind does not match')
  t.match(KINDS.parse('ECHO'), { problem: /expected `ECHO` and a line/ })
  t.match(KINDS.parse('SHOUT /x'), { problem: /Unknown HTTP method/ }, 'without a keyword it is an HTTP rule')
  t.same(
    rules(['allow', 'ECHO hello*'], ['deny', 'ECHO bye']).map((rule) => KINDS.explain(rule)),
    ['may send lines that begin with `hello`', 'may not send `bye`'],
  )
  t.end()
})

void t.test('checks for dead rules go through the interface', (t) => {
  const [wide, narrow, other, get] = rules(
    ['allow', 'ECHO hello*'],
    ['deny', 'ECHO hello, world'],
    ['deny', 'ECHO bye'],
    ['allow', '* /**'],
  )
  if (wide === undefined || narrow === undefined || other === undefined || get === undefined)
    throw new Error()
  t.same(KINDS.shadowedBy(narrow, [get, wide]), [wide])
  t.equal(KINDS.shadowedBy(other, [get, wide]), null)
  t.equal(KINDS.shadowedBy(narrow, [get]), null, 'a rule of another kind covers nothing')
  t.equal(KINDS.overlaps(wide, narrow), true)
  t.equal(KINDS.overlaps(wide, other), false)
  t.equal(KINDS.overlaps(wide, get), false)
  t.end()
})

void t.test('agent rules restrict rules of every kind', (t) => {
  const policyEngine = engine(rules(['allow', 'ECHO *']), { default: rules(['allow', 'ECHO hello']) })
  const allowed = (line: string) => policyEngine.evaluate({ ...ADDRESS, alternatives: [[line]] }).allowed
  t.equal(allowed('hello'), true)
  t.equal(allowed('bye'), false)
  t.end()
})

void t.test('what cannot be decided is denied', (t) => {
  const ask = (effect: Effect, alternatives: readonly (readonly string[])[]) =>
    engine(rules([effect, 'ECHO *'])).evaluate({ ...ADDRESS, alternatives })
  t.match(ask('allow', [['x']]), { allowed: true })
  t.match(ask('allow', [['x'], []]), { allowed: false, reason: 'no-rule' }, 'no reading')
  t.match(ask('allow', []), { allowed: false, reason: 'no-rule' }, 'no alternative')
  t.match(ask('ask', [['x']]), { allowed: false, reason: 'approval-required' }, 'until a person approves it')
  t.end()
})
