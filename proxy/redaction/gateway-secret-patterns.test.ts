import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { service, testPolicy } from '#test/fixtures/policy.js'
import { bearer } from '../credentials/bearer.js'
import { GatewaySecretPatterns } from './gateway-secret-patterns.js'

void t.test(
  'every secret of the gateway, whoever may use it, and every value that the policy fills in',
  (t) => {
    const token = new Secret('A', 'secret-of-a-0123')
    const bind = (name: string, secret: Secret) =>
      service(name, `https://${name}.example`, bearer.bind(`${name}/bearer`, { token: secret }))
    const services = [
      bind('a', token),
      bind('b', new Secret('B', 'secret-of-b-0123')),
      service('c', 'https://c.example', null),
    ]
    const policy = testPolicy({ destinations: [], services })
    const agents = new Map(policy.agents).set('one', { name: 'one', services: ['b', 'c'], allow: null })
    const user = new Secret('USER', 'Key-Of-User-0123')
    const secrets = [{ owner: 'a/bearer', secret: user, caseless: true }]
    const sets = new GatewaySecretPatterns({ ...policy, agents, secrets })
    const texts = () => sets.current().bytes.map(String)

    for (const text of ['secret-of-a-0123', 'secret-of-b-0123', 'Key-Of-User-0123', 'key-of-user-0123'])
      t.ok(texts().includes(text), text)
    t.strictSame(new Set(sets.current().owners), new Set(['a/bearer', 'b/bearer']))

    const before = sets.current()
    t.equal(sets.current(), before, 'made once')
    token.rotate('secret-of-a-4567')
    user.rotate('Key-Of-User-4567')
    t.ok(texts().includes('secret-of-a-4567'))
    t.ok(texts().includes('secret-of-a-0123'), 'the one before may still be on its way')
    t.ok(texts().includes('key-of-user-4567'))
    t.end()
  },
)

void t.test('the secrets of the policies before are kept, once each, up to a number', (t) => {
  const policyOf = (value: string) => {
    const credential = bearer.bind('a/bearer', { token: new Secret('A', value) })
    return testPolicy({ destinations: [], services: [service('a', 'https://a.example', credential)] })
  }
  const value = (index: number) => `secret-of-a-${String(index).padStart(6, '0')}`
  let sets = new GatewaySecretPatterns(policyOf(value(0)))
  const { length } = sets.current().bytes
  for (let i = 0; i < 3; i += 1) sets = new GatewaySecretPatterns(policyOf(value(0)), sets)
  t.equal(sets.current().bytes.length, length, 'the same policy again')
  for (let i = 1; i < 1000; i += 1) sets = new GatewaySecretPatterns(policyOf(value(i)), sets)
  const texts = sets.current().bytes.map(String)
  t.ok(texts.includes(value(999)))
  t.ok(texts.includes(value(990)))
  t.notOk(texts.includes(value(0)), 'not for ever')
  t.ok(texts.length < 3_000)
  const none = new GatewaySecretPatterns(testPolicy({ destinations: [], services: [] }), sets)
  t.ok(none.current().bytes.map(String).includes(value(999)), 'a service that is gone')
  t.end()
})
