import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { base32 } from '../attacks/inside/lib/encode.mjs'
import { findLeaks, type KnownSecret } from './known-secrets.js'

const VALUE = 'ghp_Zx81kQmVt0aLrYw3NcPe5uHbJ2sDfGi7RoTx'
const knownSecret: KnownSecret = { name: 'ECHO_TOKEN', value: VALUE, prefix: 'ghp_' }

const ENCODERS: Readonly<Record<string, (bytes: Buffer) => string>> = {
  plain: (bytes) => bytes.toString(),
  'upper case': (bytes) => bytes.toString().toUpperCase(),
  reversed: (bytes) => Array.from(bytes.toString()).reverse().join(''),
  hex: (bytes) => bytes.toString('hex'),
  base32,
  base64: (bytes) => bytes.toString('base64'),
  base64url: (bytes) => bytes.toString('base64url'),
  'percent escapes': (bytes) => bytes.toString('hex').replace(/../g, '%$&'),
  'labels of a name': (bytes) => (bytes.toString('hex').match(/.{1,20}/g) ?? []).join('.'),
  'a line per character': (bytes) => Array.from(bytes.toString()).join('\n'),
}

for (const [encoding, encode] of Object.entries(ENCODERS)) {
  await t.test(`found as ${encoding}, at any position`, (t) => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z ]{0,12}$/),
        fc.stringMatching(/^[a-z ]{0,12}$/),
        (before, after) => {
          const haystack = Buffer.from(encode(Buffer.from(before + VALUE + after)))
          return findLeaks(haystack, [knownSecret]).length === 1
        },
      ),
    )
    t.end()
  })
}

await t.test('a part of a secret is a leak too, its prefix is not', (t) => {
  t.equal(findLeaks(Buffer.from(`ghp_****${VALUE.slice(10, 24)}****`), [knownSecret])[0]?.encoding, 'in part')
  t.strictSame(findLeaks(Buffer.from(`ghp_${'a'.repeat(36)}`), [knownSecret]), [])
  t.end()
})

await t.test('noise contains no match', (t) => {
  t.strictSame(findLeaks(randomBytes(200_000), [knownSecret]), [])
  t.end()
})
