import t from 'tap'
import { parseHostname } from '#firewall/names/hostname.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import { createProxySnapshot } from '../context/snapshot.js'
import { destination, service, testPolicy } from '#test/fixtures/policy.js'
import { DECISION_STEPS, decideInquiry, type DecisionStep } from './decision-steps.js'
import { newInquiry } from './exchange.js'
import { REQUEST_STEPS, type Step } from './steps.js'

const sandbox = { id: 'sb', agent: 'default', placeholders: new Map<string, string>() }
const NOW = 1_000_000

function setUp() {
  const policy = testPolicy({
    destinations: [
      destination('https://api.example', ['allow GET /**'], { id: 'api', service: 'api' }),
      destination('https://*.wild.example', ['allow GET /**'], { id: 'wild' }),
    ],
    services: [
      service('api', 'https://api.example', null, {
        rate: { perSecond: 1, burst: 2 },
        quota: { requests: 2, bytes: null, windowMs: 60_000 },
      }),
    ],
  })
  const ledger = new Ledger()
  const snapshot = createProxySnapshot(policy, ledger, () => NOW)
  const ask = (url: string, charge: boolean, now = NOW) => {
    const { host, pathname } = new URL(url)
    const connection = {
      listener: 'transparent',
      sandbox,
      peer: { address: '10.0.0.2', port: 1 },
      host: parseHostname(host),
      scheme: 'https',
      port: 443,
      checkedName: null,
    } as const
    const asked = { connection, snapshot, charge, method: 'GET', requestTarget: pathname, headers: { host } }
    const denial = decideInquiry(newInquiry(asked), { ledger, now: () => now })
    return denial?.reason ?? null
  }
  return ask
}

void t.test('the decision is the first part of the steps, and needs no socket', (t) => {
  // Only one step may stand between: the body of GraphQL is read before it is judged.
  const isDecision = (step: Step) => DECISION_STEPS.includes(step as DecisionStep)
  const first = REQUEST_STEPS.slice(0, DECISION_STEPS.length + 1)
  t.strictSame(first.filter(isDecision), DECISION_STEPS)
  t.strictSame(
    first.filter((step) => !isDecision(step)).map(({ name }) => name),
    ['read what a request asks for by GraphQL, where rules look at it'],
  )
  const ask = setUp()
  t.equal(ask('https://api.example/x', false), null)
  t.equal(ask('https://api.example/../x', false), null, 'as URL spells it')
  t.equal(ask('https://api.example/%2e%2e%2fx', false), 'path-dot-segment')
  t.equal(ask('https://none.example/', false), 'host-not-listed')
  t.end()
})

void t.test(
  'what is asked without charge is not counted, and is told what one that is charged would be',
  (t) => {
    const ask = setUp()
    for (let i = 0; i < 10; i += 1) t.equal(ask('https://api.example/', false), null)
    t.equal(ask('https://api.example/', true), null)
    t.equal(ask('https://api.example/', true), null)
    t.equal(ask('https://api.example/', false), 'rate-limited')
    t.equal(ask('https://api.example/', true), 'rate-limited')
    const later = NOW + 30_000
    t.equal(ask('https://api.example/', false, later), 'quota-exceeded')
    t.equal(ask('https://api.example/', true, later), 'quota-exceeded')
    // A question opens no window: the next one begins when somebody asks in earnest.
    t.equal(ask('https://api.example/', false, NOW + 60_000), null)

    for (let i = 0; i < 100; i += 1) t.equal(ask(`https://n${String(i)}.wild.example/`, false), null)
    let paid = 0
    while (paid < 100 && ask(`https://n${String(paid)}.wild.example/`, true) === null) paid += 1
    t.ok(paid > 0 && paid < 100, `${String(paid)} names were within the budget`)
    t.equal(ask('https://other.wild.example/', false), 'name-budget')
    t.end()
  },
)
