import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { service, testPolicy } from '#test/fixtures/policy.js'
import { bearer } from '../credentials/bearer.js'
import { AgentSecretPatterns } from './agent-secret-patterns.js'

void t.test('an agent is kept from the secrets of every service that it may use, and of no other', (t) => {
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
  const sets = new AgentSecretPatterns({ ...policy, agents })
  const texts = (agent: string) => sets.of(agent).bytes.map(String)

  t.ok(texts('default').includes('secret-of-a-0123'))
  t.ok(texts('default').includes('secret-of-b-0123'))
  t.strictSame(new Set(sets.of('default').owners), new Set(['a/bearer', 'b/bearer']))
  t.notOk(texts('one').includes('secret-of-a-0123'))
  t.ok(texts('one').includes('secret-of-b-0123'))

  const before = sets.of('default')
  t.equal(sets.of('default'), before, 'made once')
  token.rotate('secret-of-a-4567')
  t.ok(texts('default').includes('secret-of-a-4567'))
  t.ok(texts('default').includes('secret-of-a-0123'), 'the one before may still be on its way')
  t.end()
})

void t.test('the secrets of the policies before are kept, once each, up to a number', (t) => {
  const policyOf = (value: string) => {
    const credential = bearer.bind('a/bearer', { token: new Secret('A', value) })
    return testPolicy({ destinations: [], services: [service('a', 'https://a.example', credential)] })
  }
  const value = (index: number) => `secret-of-a-${String(index).padStart(6, '0')}`
  let sets = new AgentSecretPatterns(policyOf(value(0)))
  const { length } = sets.of('default').bytes
  for (let i = 0; i < 3; i += 1) sets = new AgentSecretPatterns(policyOf(value(0)), sets)
  t.equal(sets.of('default').bytes.length, length, 'the same policy again')
  for (let i = 1; i < 1000; i += 1) sets = new AgentSecretPatterns(policyOf(value(i)), sets)
  const texts = sets.of('default').bytes.map(String)
  t.ok(texts.includes(value(999)))
  t.ok(texts.includes(value(990)))
  t.notOk(texts.includes(value(0)), 'not for ever')
  t.ok(texts.length < 3_000)
  const none = new AgentSecretPatterns(testPolicy({ destinations: [], services: [] }), sets)
  t.ok(none.of('default').bytes.map(String).includes(value(999)), 'a service that is gone')
  t.end()
})
