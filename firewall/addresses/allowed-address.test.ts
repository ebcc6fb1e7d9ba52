import fc from 'fast-check'
import t from 'tap'
import { classifyAddress } from './address.js'
import { addressError } from './allowed-address.js'

const withRanges = (...addresses: string[]) => ({ allowPrivateAddresses: false, addresses })

void t.test('a special range is permitted where it is listed, and nowhere else', (t) => {
  for (const [address, range] of [
    ['203.0.113.7', '203.0.113.0/24'],
    ['198.18.0.9', '198.18.0.0/15'],
    ['198.19.255.255', '198.18.0.0/15'],
    ['10.1.2.3', '10.0.0.0/8'],
    ['100.64.0.1', '100.64.0.1'],
    ['::ffff:203.0.113.7', '203.0.113.0/24'],
    ['2001:db8::7', '2001:db8::/32'],
    ['64:ff9b:1::1', '64:ff9b:1::/48'],
  ] as const) {
    t.equal(addressError(address, withRanges(range)), null, address)
    t.match(addressError(address, withRanges('192.0.2.0/24', 'fd00:1::/32')), /^the address /, address)
    t.match(addressError(address, withRanges()), /^the address /, address)
  }
  t.match(addressError('203.0.113.7', { allowPrivateAddresses: true }), /forbidden/)
  t.equal(addressError('93.184.216.34', withRanges('203.0.113.0/24')), null, 'public ones as before')
  t.end()
})

void t.test('cloud metadata is in no range', (t) => {
  for (const address of ['169.254.169.254', '169.254.170.2', '100.100.100.200', 'fd00:ec2::254'])
    t.match(
      addressError(address, {
        allowPrivateAddresses: true,
        addresses: ['169.254.0.0/16', '100.64.0.0/10', 'fd00::/8'],
      }),
      /forbidden/,
      address,
    )
  t.equal(addressError('169.254.169.254', withRanges('169.254.169.254')), null, 'only by itself')
  t.end()
})

void t.test('what is outside of the listed ranges stays as it was', (t) => {
  const ipv4 = fc.ipV4()
  fc.assert(
    fc.property(
      ipv4,
      fc.ipV4(),
      fc.integer({ min: 8, max: 32 }),
      fc.boolean(),
      (address, base, bits, isPrivate) => {
        const mask = bits === 32 ? 0xffffffff : ~(0xffffffff >>> bits)
        const inside = ((numberOf(address) ^ numberOf(base)) & mask) === 0
        const without = { allowPrivateAddresses: isPrivate }
        const verdict = addressError(address, { ...without, addresses: [`${base}/${String(bits)}`] })
        if (!inside) return verdict === addressError(address, without)
        return verdict === null || classifyAddress(address) === 'forbidden'
      },
    ),
    { numRuns: 2_000 },
  )
  t.pass('for every address and range')
  t.end()
})

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0)
}
