import { isIP as ofNode } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { isIP } from './ip-version.js'

void t.test('it says what Node says', (t) => {
  const odd = [
    '',
    ':',
    '::',
    '1.2.3',
    '1.2.3.4',
    '01.2.3.4',
    '1.2.3.4 ',
    'fe80::1%eth0',
    '::ffff:1.2.3.4',
    'a.example',
    '[::1]',
  ]
  const texts = fc.oneof(
    fc.constantFrom(...odd),
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4Extended(),
    fc.string(),
    fc.domain(),
  )
  fc.assert(
    fc.property(texts, (text) => isIP(text) === ofNode(text)),
    { numRuns: 2000, examples: odd.map((text) => [text]) },
  )
  t.end()
})
