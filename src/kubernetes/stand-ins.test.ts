import t from 'tap'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import type { PlaceholderFormat } from '#firewall/contracts/service.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { Secret } from '#firewall/secrets/secret.js'
import { service, testPolicy } from '#test/fixtures/policy.js'
import { standInsFrom } from './stand-ins.js'

const FORMATS: Readonly<Record<string, PlaceholderFormat>> = {
  LONG: { prefix: 'ghp_', length: 200, alphabet: 'alphanumeric' },
  OTHER: { prefix: 'ghp_', length: 200, alphabet: 'alphanumeric' },
  UUID: { prefix: '', length: 36, alphabet: 'hex', structure: { kind: 'uuid' } },
}

void t.test('every shard makes the same stand-ins of a pod, and no pod has those of another', (t) => {
  const credential = bearer.bind('git/bearer', { token: new Secret('LONG', 'real-value-of-a-token') })
  const git = service('git', 'https://git.example', credential, { placeholders: FORMATS })
  const policy = testPolicy({ destinations: [], services: [git] })
  const make = (key: string, uid: string) => standInsFrom(key)(policy, DEFAULT_AGENT, uid)
  const one = make('key\n', 'uid-1')
  t.strictSame([...make('key', 'uid-1')], [...one], 'made again')
  t.strictSame([...one.keys()].sort(), ['LONG', 'OTHER', 'UUID'])
  t.match(one.get('LONG'), /^ghp_[A-Za-z0-9]{196}$/)
  t.match(one.get('UUID'), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  const all = [one, make('key', 'uid-2'), make('another key', 'uid-1')].flatMap((map) => [...map.values()])
  t.equal(new Set(all).size, all.length, 'all differ')
  t.end()
})
