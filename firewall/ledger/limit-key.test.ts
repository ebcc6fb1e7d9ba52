import t from 'tap'
import { limitKey, sandboxOf } from './limit-key.js'

void t.test('a sandbox at a service, whatever the service is called', (t) => {
  t.not(limitKey('sb-1', 'a'), limitKey('sb-1', 'b'))
  t.not(limitKey('sb-1', null), limitKey('sb-2', null))
  for (const service of ['jira', 'a/b', '', null]) t.equal(sandboxOf(limitKey('sb-1', service)), 'sb-1')
  const services = ['', 'null', 'undefined', 'X', 'a', 'a/b']
  t.equal(new Set(services.map((service) => limitKey('sb-1', service))).size, services.length)
  t.equal(limitKey('sb-1', null), 'sb-1/', 'what has no service is counted together')
  t.end()
})
