import t from 'tap'
import { destination } from '#test/fixtures/policy.js'
import { describeDestination, describeLocations, describeOrigin, describeQuota } from './describe.js'

void t.test('what people read of a policy', (t) => {
  for (const [shown, words] of [
    [describeQuota({ requests: 10, bytes: null, windowMs: 3_600_000 }), '10 requests per 60 minutes'],
    [describeQuota({ requests: null, bytes: 5, windowMs: 60_000 }), '5 bytes of bodies per 1 minutes'],
    [
      describeQuota({ requests: 1, bytes: 2, windowMs: 60_000 }),
      '1 requests and 2 bytes of bodies per 1 minutes',
    ],
    [describeLocations({}), 'the connection'],
    [describeLocations({ headers: ['a', 'b'] }), 'header a and header b'],
    [describeLocations({ query: ['k'], path: true }), 'parameter k and the path'],
    [describeLocations({ cookies: ['sid'] }), 'cookie sid'],
    [describeOrigin({ scheme: 'https', host: 'a.example', port: 443 }), 'https://a.example'],
    [describeOrigin({ scheme: 'https', host: 'a.example', port: 80 }), 'https://a.example:80'],
    [describeDestination(destination('https://a.example', [], { id: 'a' })), 'https://a.example'],
    [describeDestination(destination('http://a.example:81', [], { id: 'a' })), 'http://a.example:81'],
    [
      describeDestination(
        destination('https://a.example', [], { id: 'a', mode: 'tunnel', ports: [443, 8443] }),
      ),
      'https on ports 443, 8443 of a.example (TLS tunnel, not inspected)',
    ],
  ] as const)
    t.equal(shown, words)
  t.end()
})
