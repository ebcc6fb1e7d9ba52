import t from 'tap'
import { NAME_PROFILES } from '#firewall/names/name-profiles.js'
import { DEVELOPER_HOSTS } from '../bench/workers/developer-hosts.js'
import { isMachineMade, measureNames, realNames } from '../bench/workers/name-rates.js'

void t.test('the default profile refuses at most 0.3 % of real names', (t) => {
  const names = realNames()
  t.ok(names.length > 100_000, `${names.length} names`)
  const { examples } = measureNames(names, NAME_PROFILES.default)
  t.ok(examples.length / names.length <= 0.003, `${examples.length} of ${names.length}`)
  t.end()
})

void t.test('no profile takes a host of developers for data', (t) => {
  for (const [profile, limits] of Object.entries(NAME_PROFILES)) {
    t.strictSame(measureNames(DEVELOPER_HOSTS, limits).examples, [], profile)
  }
  t.end()
})

void t.test('random-labels takes what clouds and content networks call their customers', (t) => {
  const names = realNames().filter(isMachineMade)
  const { examples } = measureNames(names, NAME_PROFILES['random-labels'])
  t.ok(examples.length / names.length < 0.005, `${examples.length} of ${names.length}`)
  t.end()
})
