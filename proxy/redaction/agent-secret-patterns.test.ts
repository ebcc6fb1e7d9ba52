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
