import t from 'tap'
import type { Service } from '#firewall/contracts/service.js'
import { Secret } from '#firewall/secrets/secret.js'
import { parseHostname } from '#firewall/names/hostname.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import { createProxySnapshot } from '../context/snapshot.js'
import { destination, service, testPolicy } from '#test/fixtures/policy.js'
import { bearer } from '../credentials/bearer.js'
import { DECISION_STEPS, decideInquiry, type DecisionStep } from './decision-steps.js'
import { newInquiry } from './exchange.js'
import type { Step } from './step.js'
import { REQUEST_STEPS } from './steps.js'

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
      listener: 'transparent' as const,
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

void t.test(
  'a name that the connection was let in for is paid for once, by the policy that let it in',
  (t) => {
    const make = () => {
      const policy = testPolicy({
        destinations: [destination('https://*.wild.example', ['allow GET /**'], { id: 'wild' })],
      })
      return createProxySnapshot(policy, new Ledger(), () => NOW)
    }
    const [snapshot, other] = [make(), make()]
    const spent = (host: string, checked: { host: string; snapshot: typeof snapshot } | null) => {
      const ledger = new Ledger()
      let charged = 0
      const budget = Object.assign(Object.create(ledger.names) as typeof ledger.names, {
        check: (...asked: Parameters<typeof ledger.names.check>) => {
          charged += 1
          return ledger.names.check(...asked)
        },
      })
      const one = { ...snapshot, namePolicy: { ...snapshot.namePolicy, budget } }
      const checkedName =
        checked === null
          ? null
          : { ...checked, snapshot: checked.snapshot === snapshot ? one : checked.snapshot }
      const connection = {
        ...{ listener: 'transparent' as const, sandbox, peer: { address: '10.0.0.2', port: 1 }, checkedName },
        ...{ host: parseHostname(host), scheme: 'https' as const, port: 443 },
      } as const
      const asked = {
        connection,
        snapshot: one,
        charge: true,
        method: 'GET',
        requestTarget: '/',
        headers: { host },
      }
      t.equal(decideInquiry(newInquiry(asked), { ledger, now: () => NOW }), null)
      return charged
    }
    t.equal(spent('a.wild.example', null), 1)
    t.equal(spent('a.wild.example', { host: 'a.wild.example', snapshot }), 0)
    t.equal(spent('a.wild.example', { host: 'b.wild.example', snapshot }), 1)
    t.equal(spent('a.wild.example', { host: 'a.wild.example', snapshot: other }), 1)
    t.end()
  },
)

void t.test('what a request must agree with, and when a credential is put in', (t) => {
  const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', 'real-token-0123456789') })
  const placeholder = 'placeholder-0123456789'
  const held = { ...sandbox, placeholders: new Map([['API_TOKEN', placeholder]]) }
  const run = (parts: {
    service?: Partial<Service>
    headers?: Record<string, string>
    bound?: object
    target?: string
    none?: boolean
  }) => {
    const policy = testPolicy({
      destinations: [destination('https://api.example', ['allow GET /**'], { id: 'api', service: 'api' })],
      services: [
        service('api', 'https://api.example', parts.none === true ? null : credential, {
          placeholders: { API_TOKEN: { prefix: 'placeholder-', length: 22, alphabet: 'hex' } },
          ...parts.service,
        }),
      ],
    })
    const ledger = new Ledger()
    const connection = {
      ...{
        listener: 'transparent' as const,
        sandbox: held,
        peer: { address: '10.0.0.2', port: 1 },
        checkedName: null,
      },
      ...{ host: parseHostname('api.example'), scheme: 'https' as const, port: 443, ...parts.bound },
    } as const
    const inquiry = newInquiry({
      ...{
        connection,
        snapshot: createProxySnapshot(policy, ledger, () => NOW),
        charge: true,
        method: 'GET',
      },
      ...{ requestTarget: parts.target ?? '/', headers: { host: 'api.example', ...parts.headers } },
    })
    const denial = decideInquiry(inquiry, { ledger, now: () => NOW })
    return { denial, inquiry }
  }
  const authorization = `Bearer ${placeholder}`
  for (const [parts, injects, keeps] of [
    [{}, true, true],
    [{ service: { injectWhen: 'on_placeholder' } }, false, true],
    [{ service: { injectWhen: 'on_placeholder' }, headers: { authorization } }, true, true],
    [{ none: true }, false, false],
    [{ none: true, service: { injectWhen: 'on_placeholder' } }, false, false],
    [{ service: { sessionHeaders: 'pass' } }, true, false],
  ] as const) {
    const { denial, inquiry } = run(parts)
    t.equal(denial, null)
    t.strictSame(
      [inquiry.injects, inquiry.keepsSessions, inquiry.service],
      [injects, keeps, 'api'],
      JSON.stringify(parts),
    )
  }
  for (const [bound, reason] of [
    [{ host: parseHostname('other.example') }, 'host-mismatch'],
    [{ port: 8443 }, 'host-mismatch'],
    [{ scheme: 'http', port: 443 }, 'host-mismatch'],
    [{ sandbox: null }, 'unknown-sandbox'],
  ] as const)
    t.equal(run({ bound }).denial?.reason, reason, JSON.stringify(bound))
  t.equal(run({ target: '/%252e%252e/x' }).denial?.reason, 'path-double-encoding')
  t.equal(run({ headers: { 'content-length': '5368709121' } }).denial?.reason, 'too-large')
  t.equal(run({ headers: { 'content-length': '5368709120' } }).denial, null)
  t.match(run({ headers: { 'x-note': placeholder } }).denial, {
    reason: 'placeholder-misplaced',
    rule: 'api',
  })
  t.end()
})

void t.test('a limit belongs to a sandbox at a service, and says when to come again', (t) => {
  const policy = testPolicy({
    destinations: ['a', 'b'].map((name) =>
      destination(`https://${name}.example`, ['allow GET /**'], { id: name, service: name }),
    ),
    services: ['a', 'b'].map((name) =>
      service(name, `https://${name}.example`, null, {
        rate: { perSecond: 0.5, burst: 2 },
        quota: { requests: 1, bytes: 1_000, windowMs: 60_000 },
      }),
    ),
  })
  const ledger = new Ledger()
  const snapshot = createProxySnapshot(policy, ledger, () => NOW)
  const ask = (id: string, name: string, headers: Record<string, string> = {}) => {
    const host = `${name}.example`
    const connection = {
      ...{
        listener: 'transparent' as const,
        sandbox: { ...sandbox, id },
        peer: { address: '10.0.0.2', port: 1 },
      },
      ...{ host: parseHostname(host), scheme: 'https' as const, port: 443, checkedName: null },
    } as const
    const asked = {
      connection,
      snapshot,
      charge: true,
      method: 'GET',
      requestTarget: '/',
      headers: { host, ...headers },
    }
    return decideInquiry(newInquiry(asked), { ledger, now: () => NOW })
  }
  t.match(
    ask('one', 'a', { 'content-length': '1000' }),
    { reason: 'quota-exceeded', rule: 'a' },
    'what is announced counts',
  )
  for (const [id, name] of [
    ['two', 'a'],
    ['two', 'b'],
    ['three', 'a'],
  ] as const) {
    t.equal(ask(id, name), null)
    t.match(ask(id, name), { reason: 'quota-exceeded', rule: name, retryAfter: 60 })
    t.match(ask(id, name), { reason: 'rate-limited', rule: name, retryAfter: 2 })
  }
  t.end()
})
