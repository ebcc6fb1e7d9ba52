import t from 'tap'
import { DEFAULT_NAMES, NAME_PROFILES } from './name-profiles.js'

// docs/dns.md states what each profile lets out; a change of a number here is a change of what is promised there.
void t.test('the numbers of each profile', (t) => {
  t.strictSame(NAME_PROFILES, {
    default: {
      features: {
        maxLength: 64,
        maxLabel: 40,
        maxEntropy: 4.2,
        maxTotalEntropy: 4.5,
        minEntropyLength: 16,
      },
      budget: { names: 16, bytes: 256, windowMs: 600_000, bytesPerDay: 2048 },
    },
    strict: {
      features: { maxLength: 52, maxLabel: 32, maxEntropy: 4.0, maxTotalEntropy: 4.4, minEntropyLength: 16 },
      budget: { names: 8, bytes: 128, windowMs: 600_000, bytesPerDay: 512 },
    },
    'random-labels': {
      features: { maxLength: 64, maxLabel: 63, maxEntropy: 8, maxTotalEntropy: 8, minEntropyLength: 16 },
      budget: { names: 8, bytes: 128, windowMs: 600_000, bytesPerDay: 1024 },
    },
  })
  t.equal(DEFAULT_NAMES, NAME_PROFILES.default)
  t.end()
})
