import t from 'tap'
import { denyOwnAddress } from './own-address.js'

void t.test('an address of the sandbox itself leads to its name', (t) => {
  for (const [authority, expected] of [
    ['[::1]:8766', 'http://ip6-localhost:8766/a?b=c'],
    ['[0:0:0:0:0:0:0:1]', 'http://ip6-localhost/a?b=c'],
    ['[::]:1', 'http://ip6-localhost:1/a?b=c'],
    ['127.0.0.1:80', 'http://localhost/a?b=c'],
    ['127.1:8080', 'http://localhost:8080/a?b=c'],
    ['0.0.0.0:5', 'http://localhost:5/a?b=c'],
    ['127.0.0.2:5', undefined],
  ] as const) {
    const denial = denyOwnAddress(authority, '/a?b=c')
    t.equal(denial?.reason, 'bad-authority', authority)
    t.equal(denial?.location, expected, authority)
  }
  t.end()
})

void t.test('nothing else does', (t) => {
  for (const authority of [
    'api.example',
    '10.0.0.1',
    '[::2]',
    '[::1',
    '',
    'u@[::1]:80',
    '[::ffff:10.0.0.1]',
    '169.254.169.254',
    'localhost:80',
  ])
    t.equal(denyOwnAddress(authority, '/'), null, authority)
  t.end()
})
