import t from 'tap'
import { destination, testPolicy } from '#test/fixtures/policy.js'
import { PolicyEngine } from './policy-engine.js'
import { NO_HOLDS } from '../contracts/holds.js'
import { ExfiltrationBudget } from '../ledger/exfiltration-budget.js'
import { checkName, type NamePolicy } from './name-policy.js'
import { DEFAULT_AGENT } from '../contracts/identity.js'

const SANDBOX = { id: 'sb', agent: DEFAULT_AGENT }
const LONG = 'abcdefghijklmnopqrstuvwxyz0123456789abcd'

function namePolicy(): NamePolicy {
  const policy = testPolicy({
    destinations: [
      destination('https://exact.example', ['allow * /**'], { id: 'allow[0]' }),
      destination(`https://${LONG}.example`, ['allow * /**'], { id: 'allow[1]' }),
      destination('https://**.wild.example', ['allow * /**'], { id: 'allow[2]' }),
    ],
  })
  return {
    policyEngine: new PolicyEngine(policy),
    limits: { ...policy.dns.nameLimits, budget: { ...policy.dns.nameLimits.budget, names: 2 } },
    budget: new ExfiltrationBudget(),
    holds: NO_HOLDS,
  }
}

void t.test('an exact name cannot carry data: neither its features nor the budget are checked', (t) => {
  const names = namePolicy()
  for (let i = 0; i < 10; i += 1) {
    t.match(checkName(names, SANDBOX, 'exact.example', 0), {
      verdict: { allowed: true },
      wildcard: null,
      budget: null,
    })
    t.match(checkName(names, SANDBOX, `${LONG}.example`, 0), {
      verdict: { allowed: true },
      features: { signal: 'entropy' },
    })
  }
  t.end()
})

void t.test('listed, then features, then budget', (t) => {
  const names = namePolicy()
  t.match(checkName(names, SANDBOX, `${LONG}.wild.example`, 0), {
    verdict: { allowed: false, reason: 'name-looks-encoded', rule: 'allow[2]' },
    wildcard: '**.wild.example',
    budget: null,
  })
  t.match(checkName(names, SANDBOX, 'a.wild.example', 0), {
    verdict: { allowed: true, rule: 'allow[2]' },
    features: { length: 1 },
    budget: { spent: false, namesLeft: 1 },
  })
  t.match(
    checkName(names, SANDBOX, 'b.wild.example', 0),
    { budget: { namesLeft: 0 } },
    'what was refused cost nothing',
  )
  t.match(checkName(names, SANDBOX, 'c.wild.example', 0), {
    verdict: { allowed: false, reason: 'name-budget', rule: 'allow[2]' },
    wildcard: '**.wild.example',
    budget: { spent: true, limit: 'names' },
  })
  t.match(
    checkName(names, SANDBOX, 'a.wild.example', 0),
    { verdict: { allowed: true } },
    'a known one is free',
  )
  t.match(checkName(names, { ...SANDBOX, id: 'sb2' }, 'c.wild.example', 0), { verdict: { allowed: true } })
  t.end()
})

void t.test('to explain costs no budget', (t) => {
  const names = namePolicy()
  for (let i = 0; i < 5; i += 1) checkName(names, SANDBOX, `n${i}.wild.example`, 0, false)
  t.match(checkName(names, SANDBOX, 'a.wild.example', 0), { budget: { spent: false, namesLeft: 1 } })
  t.end()
})

void t.test('an unlisted name is measured whole, for the log', (t) => {
  const names = namePolicy()
  t.match(checkName(names, SANDBOX, `${LONG}.evil.test`, 0), {
    verdict: { allowed: false, reason: 'host-not-listed', rule: null },
    wildcard: null,
    features: { length: LONG.length + 10, signal: 'entropy' },
    budget: null,
  })
  t.match(checkName(names, { ...SANDBOX, agent: 'other' }, 'exact.example', 0), {
    verdict: { allowed: false },
  })
  t.end()
})

void t.test('all that is said of a name, at each of the three answers', (t) => {
  const strict = { ...namePolicy().limits, features: { ...namePolicy().limits.features, maxLabel: 5 } }
  const policy = testPolicy({
    destinations: [
      destination('https://*.strict.example', ['allow * /**'], { id: 'strict', nameLimits: strict }),
      destination('https://*.wild.example', ['allow * /**'], { id: 'wild' }),
      destination('https://exact.example', ['allow * /**'], { id: 'exact' }),
    ],
  })
  const names = { ...namePolicy(), policyEngine: new PolicyEngine(policy) }
  const limits = names.limits
  const ask = (host: string) => checkName(names, SANDBOX, host, 0)
  t.strictSame(ask('exact.example'), {
    verdict: { allowed: true, rule: 'exact', wildcard: null },
    wildcard: null,
    features: ask('exact.example').features,
    limits,
    budget: null,
  })
  t.strictSame(ask('other.example'), {
    verdict: { allowed: false, reason: 'host-not-listed', rule: null },
    wildcard: null,
    features: ask('other.example').features,
    limits,
    budget: null,
  })
  t.match(ask('other.example').features, { length: 13, signal: null })
  t.strictSame(ask('longer.strict.example'), {
    verdict: { allowed: false, reason: 'name-looks-encoded', rule: 'strict' },
    wildcard: '*.strict.example',
    features: { length: 6, entropy: ask('longer.strict.example').features.entropy, signal: 'label-length' },
    limits: strict,
    budget: null,
  })
  t.match(ask('longer.wild.example'), {
    verdict: { allowed: true, rule: 'wild' },
    wildcard: '*.wild.example',
    limits,
    budget: { spent: false, namesLeft: 1 },
  })
  t.match(ask('two.wild.example'), { verdict: { allowed: true }, budget: { spent: false, namesLeft: 0 } })
  t.strictSame(ask('three.wild.example').verdict, { allowed: false, reason: 'name-budget', rule: 'wild' })
  t.match(ask('three.wild.example'), { wildcard: '*.wild.example', budget: { spent: true } })
  t.end()
})

void t.test('each wildcard has a budget of its own, and each sandbox', (t) => {
  const policy = testPolicy({
    destinations: ['one', 'two'].map((name) =>
      destination(`https://*.${name}.example`, ['allow * /**'], { id: name }),
    ),
  })
  const names = { ...namePolicy(), policyEngine: new PolicyEngine(policy) }
  const allowed = (sandbox: string, host: string) =>
    checkName(names, { ...SANDBOX, id: sandbox }, host, 0).verdict.allowed
  t.strictSame(
    ['a.one', 'b.one', 'c.one', 'a.two', 'b.two', 'c.two'].map((name) => allowed('a', `${name}.example`)),
    [true, true, false, true, true, false],
  )
  t.ok(allowed('b', 'c.one.example'))
  const asked = checkName(names, { ...SANDBOX, id: 'c' }, 'a.one.example', 0, false)
  t.match(asked, { verdict: { allowed: true }, budget: { namesLeft: 2 } }, 'asking costs nothing')
  t.end()
})

void t.test('what an operator holds comes before everything, and costs no budget', (t) => {
  const names = namePolicy()
  const held: NamePolicy = { ...names, holds: { all: false, agents: new Set(), sandboxes: new Set(['sb']) } }
  for (const host of ['exact.example', 'a.wild.example', `${LONG}.wild.example`, 'unlisted.example'])
    t.match(checkName(held, SANDBOX, host, 0), {
      verdict: { allowed: false, reason: 'sandbox-stopped', rule: null },
      budget: null,
    })
  t.match(checkName(held, { ...SANDBOX, id: 'sb2' }, 'a.wild.example', 0), { verdict: { allowed: true } })
  t.match(checkName(names, SANDBOX, 'a.wild.example', 0), { budget: { namesLeft: 1 } })
  const paused: NamePolicy = { ...names, holds: { ...NO_HOLDS, agents: new Set([DEFAULT_AGENT]) } }
  t.match(checkName(paused, SANDBOX, 'exact.example', 0), { verdict: { reason: 'agent-paused' } })
  t.match(
    checkName(paused, { id: 'sb', agent: 'another' }, 'exact.example', 0),
    { verdict: { reason: 'host-not-listed' } },
    'another agent is asked about by the policy',
  )
  const all: NamePolicy = { ...names, holds: { ...NO_HOLDS, all: true } }
  t.match(checkName(all, { id: 'sb9', agent: 'another' }, 'exact.example', 0), {
    verdict: { reason: 'sandbox-stopped' },
  })
  t.end()
})
