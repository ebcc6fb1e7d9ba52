import fc from 'fast-check'
import t from 'tap'
import { classifyAddress, type AddressClass } from './address.js'

const TABLE: Readonly<Record<AddressClass, readonly string[]>> = {
  public: [
    '1.1.1.1',
    '8.8.8.8',
    '93.184.216.34',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001:80b::200e',
    '2001:4860:4860::8888',
    '::ffff:8.8.8.8',
    '::ffff:808:808',
    '64:ff9b::8.8.8.8',
    '2002:808:808::1',
  ],
  private: [
    '10.0.0.1',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '100.64.0.1',
    '100.127.255.255',
    '::1',
    'fc00::1',
    'fd12:3456:789a::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:10.0.0.1',
    '0:0:0:0:0:ffff:c0a8:1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::a00:1',
    '2002:7f00:1::',
    '2002:c0a8:1::1',
    '2001:0:4136:e378:8000:63bf:80ff:fffe',
  ],
  forbidden: [
    '0.0.0.0',
    '0.1.2.3',
    '169.254.0.1',
    '169.254.169.254',
    '169.254.170.2',
    '169.254.170.23',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '192.0.0.1',
    '192.0.2.1',
    '192.88.99.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::127.0.0.1',
    '::8.8.8.8',
    '::2',
    '::ffff:0:8.8.8.8',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::8.8.8.8',
    '64:ff9b:1::1',
    '2002:a9fe:a9fe::',
    '2002:a83f:8110::1',
    '2002:6464:64c8::',
    '2001:0:4136:e378:8000:63bf:5601:5601',
    '2001:db8::1',
    '2001:2::1',
    '2001:10::1',
    '2001:20::1',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd00:0ec2:0:0:0:0:0:0254',
    'fd20:ce::254',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    'ff0e::1',
    '100::1',
    '100:0:0:1::1',
    '1fff:ffff::1',
    '4000::1',
    '5f00::1',
    '8000::1',
    'e000::1',
  ],
  malformed: [
    '',
    'localhost',
    'example.com',
    '127.1',
    '127.0.1',
    '2130706433',
    '0177.0.0.1',
    '0x7f.0.0.1',
    '0x7f.1',
    '0x7f000001',
    '017700000001',
    '127.0.0.01',
    '1.2.3.256',
    '1.2.3.4.5',
    '1.2.3',
    ' 8.8.8.8',
    '8.8.8.8 ',
    '8.8.8.8\n',
    '8.8.8.8/32',
    '8.8.8.8:80',
    '[2606:4700::1]',
    'fe80::1%eth0',
    '::1%lo',
    '2606:4700::1%1',
    '::1::',
    'g::1',
    '1:2:3:4:5:6:7:8:9',
    '::ffff:127.1',
    '\u0661.1.1.1',
  ],
}

for (const [kind, addresses] of Object.entries(TABLE)) {
  void t.test(kind, (t) => {
    for (const address of addresses) t.equal(classifyAddress(address), kind, JSON.stringify(address))
    t.end()
  })
}

// The ways around address checks that other gateways had to be told about. None may be dialled without permission.
for (const [name, addresses] of [
  ['CVE-2021-28918, CVE-2021-29921: octal octets', ['0177.0.0.1', '010.8.8.8', '012.0.0.1']],
  ['CVE-2023-42282: hexadecimal loopback', ['0x7f.1', '0x7f.0.0.1', '0x7f000001']],
  ['CVE-2024-29415: short and mapped loopback', ['127.1', '::fFFf:127.0.0.1', '::ffff:7f00:0001', '127.0.1']],
  ['IPv4-mapped metadata', ['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '0:0:0:0:0:ffff:169.254.169.254']],
  ['IPv4-compatible metadata', ['::169.254.169.254', '::a9fe:a9fe']],
  ['NAT64 metadata', ['64:ff9b::a9fe:a9fe', '64:ff9b::169.254.169.254']],
  ['local-use NAT64', ['64:ff9b:1::a9fe:a9fe', '64:ff9b:1:ffff::7f00:1']],
  ['6to4 metadata and loopback', ['2002:a9fe:a9fe::1', '2002:7f00:1::1']],
  ['Teredo to loopback', ['2001:0:4136:e378:8000:63bf:80ff:fffe']],
  ['SIIT', ['::ffff:0:127.0.0.1', '::ffff:0:a9fe:a9fe']],
  ['zones', ['fe80::1%25eth0', '::1%0']],
  ['the unspecified address is the host itself on Linux', ['0.0.0.0', '::', '0.0.0.1']],
] as const) {
  void t.test(name, (t) => {
    for (const address of addresses) t.not(classifyAddress(address), 'public', address)
    t.end()
  })
}

void t.test('no address makes it throw, and every spelling of one gets the same answer', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) =>
      ['public', 'private', 'forbidden', 'malformed'].includes(classifyAddress(text)),
    ),
  )
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const parts = address.split('.').map(Number)
      const hex = parts.map((part) => part.toString(16).padStart(2, '0')).join('')
      const groups = `${hex.slice(0, 4)}:${hex.slice(4)}`
      const kind = classifyAddress(address)
      const same = [`::ffff:${address}`, `::FFFF:${groups}`, `64:ff9b::${groups}`, `2002:${groups}::1`]
      return same.every((text) => classifyAddress(text) === kind)
    }),
    { numRuns: 1_000 },
  )
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const first = parseInt(address.split(':')[0] ?? '', 16) || 0
      // 2000::/3 begins with the bits 001.
      return (
        classifyAddress(address) !== 'public' ||
        first >> 13 === 1 ||
        /^(64:ff9b:|(0*:)*:?ffff:)/i.test(address)
      )
    }),
  )
  t.end()
})
