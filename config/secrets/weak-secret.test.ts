import { createHash } from 'node:crypto'
import t from 'tap'
import { weaknessOf } from './weak-secret.js'

void t.test('a secret that is likely to be wrong or can be guessed', (t) => {
  for (const [value, problem] of [
    ['tok-0123456789abcdef ', /white space/],
    ['\ttok-0123456789abcdef', /white space/],
    ['changeme-changeme', /placeholder/],
    ['your-api-key-here', /placeholder/],
    ['<insert the token>', /placeholder/],
    ['xxxxxxxxxxxxxxxxxxxx', /placeholder/],
    ['AKIAIOSFODNN7EXAMPLE', /placeholder/],
    ['my-secret-token', /placeholder/],
    ['dummy-4kq93jd02ls8', /placeholder/],
    ['4kq93jd02ls8_TODO', /placeholder/],
    ['hunter2-12', /fewer than 12/],
    ['aaaaaaaaaaaaaaaa', /repeats/],
    ['abcabcabcabcabc', /repeats/],
    ['secret1secret1', /repeats/],
    ['123456789012', /sequence/],
    ['abcdefghijklm', /sequence/],
    ['internationalize', /word/],
    ['Administration1!', /word/],
    ['p4ssw0rdm4n4ger', /word/],
  ] as const) {
    const found = weaknessOf('TOKEN', value)
    t.match(found, { problem, fix: /^[A-Z]/ }, value)
    t.notOk(JSON.stringify(found).includes(value.trim()), 'says nothing of the value')
  }
  t.end()
})

void t.test('random secrets are not conspicuous', (t) => {
  const found: unknown[] = []
  for (let index = 0; index < 2000; index += 1) {
    // The same in every run: some that nobody has drawn yet may contain a word.
    const bytes = createHash('sha256').update(String(index)).digest()
    const values = [
      bytes.toString('hex', 0, 16),
      bytes.toString('base64url', 0, 24),
      `ghp_${bytes.toString('hex', 0, 18)}`,
      'tBmode9Mk-CexAf9O_6_12op6DUMMYC5',
    ]
    for (const value of values) if (weaknessOf('TOKEN', value) !== null) found.push(value)
  }
  t.same(found, [])
  t.equal(weaknessOf('TOKEN', 'correct horse battery staple'), null)
  t.equal(
    weaknessOf(
      'KEY',
      '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n'.trim(),
    ),
    null,
  )
  t.end()
})

void t.test('the work is linear', (t) => {
  t.equal(weaknessOf('TOKEN', `${'ab-'.repeat(20_000)}!0123456789`), null)
  t.end()
})
