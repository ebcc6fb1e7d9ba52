import t from 'tap'
import { Ledger } from '#firewall/ledger/ledger.js'
import { Secret } from '#firewall/secrets/secret.js'
import { destination, service, testPolicy } from '#test/fixtures/policy.js'
import { bearer } from '../credentials/bearer.js'
import { createProxySnapshot } from './snapshot.js'

const ledger = new Ledger()
const now = () => 1_000

function policyOf(parts: Partial<Parameters<typeof testPolicy>[0]> = {}, token = 'token-1-0123456789') {
  const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', token) })
  return testPolicy({
    destinations: [destination('https://api.example', ['allow * /**'], { id: 'services.api' })],
    services: [service('api', 'https://api.example', credential)],
    ...parts,
  })
}

const holds = ({ secretPatterns }: ReturnType<typeof createProxySnapshot>, text: string) =>
  secretPatterns.current().bytes.some((bytes) => bytes.equals(Buffer.from(text)))

void t.test('what a new policy does not change is kept, and what it changes is new', (t) => {
  const first = createProxySnapshot(policyOf(), ledger, now)
  const same = createProxySnapshot(policyOf(), ledger, now, first)
  t.equal(first.namePolicy.budget, ledger.names, 'budgets outlive policies')
  for (const part of ['resolver', 'authorities', 'pools', 'entityTags'] as const)
    t.equal(same[part], first[part], part)

  const hosts = { 'api.example': { address: '127.0.0.1', port: 1 } }
  const other = createProxySnapshot(
    { ...policyOf({ hosts, http: { idleTimeoutMs: 1 } }), hostAuthorities: () => 'a PEM' },
    ledger,
    now,
    first,
  )
  for (const part of ['resolver', 'authorities', 'pools'] as const) t.not(other[part], first[part], part)
  t.ok(other.authorities.isMadeFrom('a PEM'))
  t.equal(other.entityTags, first.entityTags, 'a tag stays valid')
  t.end()
})

void t.test('a secret that a policy has replaced is still searched for', (t) => {
  const first = createProxySnapshot(policyOf(), ledger, now)
  const second = createProxySnapshot(policyOf({}, 'token-2-0123456789'), ledger, now, first)
  t.ok(holds(second, 'token-1-0123456789'))
  t.ok(holds(second, 'token-2-0123456789'))
  t.notOk(holds(first, 'token-2-0123456789'))
  t.end()
})

void t.test('the resolver of a policy that is gone starts no more look-ups of its own', (t) => {
  const first = createProxySnapshot(policyOf(), ledger, now)
  let retired = 0
  const resolver = Object.assign(Object.create(first.resolver) as typeof first.resolver, {
    isMadeFrom: (...names: Parameters<typeof first.resolver.isMadeFrom>) =>
      first.resolver.isMadeFrom(...names),
    retire: () => void (retired += 1),
  })
  const previous = { ...first, resolver }
  createProxySnapshot(policyOf(), ledger, now, previous)
  t.equal(retired, 0)
  createProxySnapshot(policyOf({ hosts: { a: { address: '127.0.0.1', port: null } } }), ledger, now, previous)
  t.equal(retired, 1)
  t.end()
})
