import t from 'tap'
import { DEFAULT_LIMITS } from '#config/limits/limits.js'
import { descriptorLimit, fitLimits } from './descriptors.js'

void t.test('limits stay as they are where there are descriptors enough', (t) => {
  t.equal(fitLimits(DEFAULT_LIMITS, 1_048_576), DEFAULT_LIMITS)
  t.equal(fitLimits(DEFAULT_LIMITS, null), DEFAULT_LIMITS)
  t.end()
})

void t.test('what all sandboxes hold, and twice that, fits into what the process may open', (t) => {
  for (const descriptors of [128, 256, 1_024, 4_096, 10_000]) {
    const { connections, requests } = fitLimits(DEFAULT_LIMITS, descriptors)
    t.ok(2 * (connections.all + requests.all) < descriptors, String(descriptors))
    t.ok(connections.all >= descriptors / 8, 'and is no less than it has to be')
  }
  t.end()
})

void t.test('the limit of this process is known on Linux', (t) => {
  t.ok((descriptorLimit() ?? 0) >= 64)
  t.end()
})
