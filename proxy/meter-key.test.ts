import t from 'tap'
import { meterKey, sandboxOf } from './meter-key.js'

void t.test('a sandbox at a service, whatever the service is called', (t) => {
  t.not(meterKey('sb-1', 'a'), meterKey('sb-1', 'b'))
  t.not(meterKey('sb-1', null), meterKey('sb-2', null))
  for (const service of ['jira', 'a/b', '', null]) t.equal(sandboxOf(meterKey('sb-1', service)), 'sb-1')
  t.end()
})
