import t from 'tap'
import { authorityText, defaultPort } from './default-port.js'

void t.test('an authority names its port where the scheme has another', (t) => {
  t.strictSame([defaultPort('https'), defaultPort('http')], [443, 80])
  for (const [scheme, port, text] of [
    ['https', 443, 'a.example'],
    ['https', 80, 'a.example:80'],
    ['http', 80, 'a.example'],
    ['http', 443, 'a.example:443'],
    ['http', 8080, 'a.example:8080'],
  ] as const)
    t.equal(authorityText(scheme, 'a.example', port), text)
  t.end()
})
