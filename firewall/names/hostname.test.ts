import fc from 'fast-check'
import { isIP } from 'node:net'
import t from 'tap'
import { parseAuthority, parseHostname } from './hostname.js'

void t.test('names in their one form', (t) => {
  for (const [text, name] of [
    ['api.example.com', 'api.example.com'],
    ['API.Example.COM', 'api.example.com'],
    ['api.example.com.', 'api.example.com'],
    ['localhost', 'localhost'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['XN--BCHER-KVA.example', 'xn--bcher-kva.example'],
    ['_dmarc.example.com', '_dmarc.example.com'],
    ['my_host.example.com', 'my_host.example.com'],
    ['1.2.3.4.com', '1.2.3.4.com'],
    ['0x7f.example', '0x7f.example'],
    ['127.0.0.1.nip.io', '127.0.0.1.nip.io'],
    ['a--b.example', 'a--b.example'],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
    [`${'a.'.repeat(126)}a`, `${'a.'.repeat(126)}a`],
    [`${'a.'.repeat(126)}a.`, `${'a.'.repeat(126)}a`],
  ] as const)
    t.equal(parseHostname(text), name, text)
  t.end()
})

void t.test('addresses in every notation that a resolver may read are no names', (t) => {
  for (const text of [
    '127.0.0.1',
    '127.0.0.1.',
    '127.1',
    '127.0.1',
    '0',
    '0.0.0.0',
    '2130706433',
    '017700000001',
    '0177.0.0.1',
    '0177.0.0.01',
    '0x7f.1',
    '0x7f.0.0.1',
    '0X7F.0X1',
    '0x7f000001',
    '127.0.0.0x1',
    '127.0x1',
    '127.0.0.0x',
    '256.256.256.256',
    '1.2.3.4.5',
    '169.254.169.254',
    'example.127',
    'example.0x7f',
    '::1',
    '[::1]',
    '::ffff:127.0.0.1',
    'fe80::1%eth0',
    'fe80--1.1',
  ])
    t.equal(parseHostname(text), null, text)
  t.end()
})

void t.test('what is no name', (t) => {
  for (const text of [
    '',
    '.',
    '..',
    'a..b',
    '.a.example',
    'example.com..',
    'a b.example',
    ' example.com',
    'example.com ',
    'example.com\n',
    'example.com\0.evil.test',
    'a\tb',
    'user@example.com',
    'example.com:443',
    'example.com/',
    'example.com?',
    'example.com#',
    'https://example.com',
    'exa%6dple.com',
    'example\\.com',
    '*.example.com',
    '-a.example',
    'a-.example',
    'example.-',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(127)}a`,
    'bücher.example',
    'exampl\u0435.com',
    'example\u3002com',
    'example\uff0ecom',
    'example\u00ad.com',
    'example\u200b.com',
    // Lower-casing turns these into ASCII letters: KELVIN SIGN into k, and I WITH DOT into i and a combining dot.
    '\u212aaggle.com',
    'g\u0130thub.com',
  ])
    t.equal(parseHostname(text), null, JSON.stringify(text))
  t.end()
})

void t.test('what comes out is its own canonical form, and never an address', (t) => {
  const part = fc.stringMatching(/^[A-Za-z0-9_.-]{0,20}$/)
  const text = fc.oneof(
    fc.string(),
    part,
    fc.array(part, { maxLength: 5 }).map((parts) => parts.join('.')),
  )
  fc.assert(
    fc.property(text, (text) => {
      const name = parseHostname(text)
      if (name === null) return true
      return (
        /^[a-z0-9_.-]+$/.test(name) &&
        parseHostname(name) === name &&
        parseHostname(`${name.toUpperCase()}.`) === name &&
        isIP(name) === 0 &&
        // An independent reader of numbers: WHATWG URL turns what inet_aton(3) reads into dotted form.
        !isAddressOfUrl(name)
      )
    }),
    { numRuns: 2_000 },
  )
  t.end()
})

function isAddressOfUrl(name: string): boolean {
  try {
    return isIP(new URL(`http://${name}/`).hostname) !== 0
  } catch {
    return false
  }
}

void t.test('authorities', (t) => {
  for (const [text, host, port] of [
    ['api.example', 'api.example', null],
    ['Api.Example:443', 'api.example', 443],
    ['api.example.:1', 'api.example', 1],
    ['api.example:65535', 'api.example', 65_535],
  ] as const)
    t.strictSame(parseAuthority(text), { host, port }, text)
  for (const text of [
    '',
    ':443',
    'api.example:',
    'api.example:0',
    'api.example:0443',
    'api.example:65536',
    'api.example:99999999999',
    'api.example:+443',
    'api.example:-1',
    'api.example:4 43',
    'api.example:443 ',
    'api.example:0x1bb',
    'api.example:1e2',
    'api.example:https',
    'api.example:443:443',
    'user@api.example',
    'user:pass@api.example',
    'api.example@evil.test',
    'api.example:443@evil.test',
    'api.example, evil.test',
    '127.0.0.1',
    '127.0.0.1:80',
    '127.1:80',
    '2130706433:80',
    '[::1]',
    '[::1]:443',
    '::1',
  ])
    t.equal(parseAuthority(text), null, text)
  t.end()
})

void t.test('the longest names, and one character more', (t) => {
  const label = 'a'.repeat(63)
  const longest = [label, label, label, 'a'.repeat(61)].join('.')
  t.equal(longest.length, 253)
  t.equal(parseHostname(longest), longest)
  t.equal(parseHostname(`${longest}.`), longest)
  t.equal(parseHostname(`${longest}..`), null)
  t.equal(parseHostname(`${longest}a`), null)
  t.equal(parseHostname(`${longest}a.`), null)
  t.equal(parseHostname(`${'a.'.repeat(126)}ab`), null)
  t.equal(parseHostname(`${'a'.repeat(64)}.example`), null)
  for (const authority of [':443', ':', 'a:', 'a:0', 'a:65536', 'a:443x', 'a:443:1', 'a:0443', 'a b:1'])
    t.equal(parseAuthority(authority), null, authority)
  t.strictSame(parseAuthority('a:65535'), { host: 'a', port: 65_535 })
  t.end()
})
