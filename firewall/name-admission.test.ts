import t from 'tap'
import { destination, testPolicy } from '#test/support/policy.js'
import { Judge } from './judge.js'
import { LeakBudget } from './leak-budget.js'
import { admitName, type NameGate } from './name-admission.js'
import { DEFAULT_AGENT } from './policy.js'

const SANDBOX = { id: 'sb', agent: DEFAULT_AGENT }
const LONG = 'abcdefghijklmnopqrstuvwxyz0123456789abcd'

function gate(): NameGate {
  const policy = testPolicy({
    destinations: [
      destination('https://exact.example', ['allow * /**'], { id: 'allow[0]' }),
      destination(`https://${LONG}.example`, ['allow * /**'], { id: 'allow[1]' }),
      destination('https://**.wild.example', ['allow * /**'], { id: 'allow[2]' }),
    ],
  })
  return {
    judge: new Judge(policy),
    limits: { ...policy.dns.names, budget: { ...policy.dns.names.budget, names: 2 } },
    budget: new LeakBudget(),
  }
}

void t.test('an exact name carries nothing: neither shape nor budget is asked', (t) => {
  const names = gate()
  for (let i = 0; i < 10; i += 1) {
    t.match(admitName(names, SANDBOX, 'exact.example', 0), {
      verdict: { allowed: true },
      wildcard: null,
      budget: null,
    })
    t.match(admitName(names, SANDBOX, `${LONG}.example`, 0), {
      verdict: { allowed: true },
      shape: { signal: 'entropy' },
    })
  }
  t.end()
})

void t.test('listed, then shape, then budget', (t) => {
  const names = gate()
  t.match(admitName(names, SANDBOX, `${LONG}.wild.example`, 0), {
    verdict: { allowed: false, reason: 'name-shape', rule: 'allow[2]' },
    wildcard: '**.wild.example',
    budget: null,
  })
  t.match(admitName(names, SANDBOX, 'a.wild.example', 0), {
    verdict: { allowed: true, rule: 'allow[2]' },
    shape: { length: 1 },
    budget: { spent: false, namesLeft: 1 },
  })
  t.match(
    admitName(names, SANDBOX, 'b.wild.example', 0),
    { budget: { namesLeft: 0 } },
    'what was refused cost nothing',
  )
  t.match(admitName(names, SANDBOX, 'c.wild.example', 0), {
    verdict: { allowed: false, reason: 'name-budget', rule: 'allow[2]' },
    wildcard: '**.wild.example',
    budget: { spent: true, limit: 'names' },
  })
  t.match(
    admitName(names, SANDBOX, 'a.wild.example', 0),
    { verdict: { allowed: true } },
    'a known one is free',
  )
  t.match(admitName(names, { ...SANDBOX, id: 'sb2' }, 'c.wild.example', 0), { verdict: { allowed: true } })
  t.end()
})

void t.test('to explain costs no budget', (t) => {
  const names = gate()
  for (let i = 0; i < 5; i += 1) admitName(names, SANDBOX, `n${i}.wild.example`, 0, false)
  t.match(admitName(names, SANDBOX, 'a.wild.example', 0), { budget: { spent: false, namesLeft: 1 } })
  t.end()
})

void t.test('an unlisted name is measured whole, for the log', (t) => {
  const names = gate()
  t.match(admitName(names, SANDBOX, `${LONG}.evil.test`, 0), {
    verdict: { allowed: false, reason: 'host-not-listed', rule: null },
    wildcard: null,
    shape: { length: LONG.length + 10, signal: 'entropy' },
    budget: null,
  })
  t.match(admitName(names, { ...SANDBOX, agent: 'other' }, 'exact.example', 0), {
    verdict: { allowed: false },
  })
  t.end()
})
