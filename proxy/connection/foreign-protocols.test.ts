import t from 'tap'
import { farewell, farewellToSilence, mayBeHttp, nameOpening } from './foreign-protocols.js'

const bytes = (text: string) => Buffer.from(text, 'latin1')

/** What clients send first. */
const OPENINGS: readonly (readonly [opening: string, name: string])[] = [
  ['SSH-2.0-OpenSSH_9.6p1 Debian-3\r\n', 'SSH-2.0-OpenSSH_9.6p1 Debian-3'],
  ['RFB 003.008\n', 'RFB 003.008'],
  ['EHLO agent\r\n', 'SMTP'],
  ['USER anonymous\r\n', 'FTP or POP3'],
  ['a001 CAPABILITY\r\n', 'IMAP'],
  ['NICK agent\r\n', 'IRC'],
  ['0033git-upload-pack /a.git\0host=x\0', 'git'],
  ['*1\r\n$4\r\nPING\r\n', 'Redis'],
  ['AMQP\0\0\x09\x01', 'AMQP'],
  ['\x13BitTorrent protocol', 'BitTorrent'],
  ['\x10\x10\0\x04MQTT\x04\x02\0\x3c', 'MQTT'],
  ['\0\0\0\x54\xfeSMB', 'SMB'],
  ['\x03\0\0\x13\x0e\xe0\0\0', 'RDP'],
  ['\x05\x01\0', 'SOCKS'],
  ['\0\0\0\x08\x04\xd2\x16\x2f', 'PostgreSQL'],
  ['\0\0\0\x29\0\x03\0\0user\0x', 'PostgreSQL'],
  ['\x3a\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0', 'MongoDB'],
  ['0\x0c\x02\x01\x01\x60\x07\x02\x01\x03', 'LDAP'],
  ['\x16\x03\x01\0\x00', 'a TLS hello that cannot be read'],
  ['\xff\x00"\r\n', 'bytes that begin with "ÿ\\u0000\\"\\r\\n"'],
]

void t.test('openings of other protocols are known by name, and none of them is HTTP', (t) => {
  for (const [opening, name] of OPENINGS) {
    t.equal(nameOpening(bytes(opening)), name)
    t.equal(mayBeHttp(bytes(opening)), false, name)
  }
  t.equal(nameOpening(bytes(`SSH-2.0-${'x'.repeat(1000)}`)).length, 64, 'a record has only so much of it')
  for (const http of [
    'G',
    'GET',
    'GET / HTTP/1.1\r\n',
    '\r\nPOST /x',
    'PRI * HTTP/2.0\r\n\r\nSM',
    'M-SEARCH *',
  ])
    t.equal(mayBeHttp(bytes(http)), true, http)
  for (const other of ['GETX / HTTP/1.1', 'get / HTTP/1.1', '\0GET /'])
    t.equal(mayBeHttp(bytes(other)), false)
  t.end()
})

void t.test('the last word is one that the client can read', (t) => {
  const ssh = farewell(bytes('SSH-2.0-x\r\n'), 'egress: not-http') ?? Buffer.alloc(0)
  const packet = ssh.subarray('SSH-2.0-egress\r\n'.length)
  t.equal(packet.readUInt32BE(0), packet.length - 4)
  t.equal(packet.length % 8, 0, 'RFC 4253 section 6: a multiple of eight')
  t.ok((packet[4] ?? 0) >= 4, 'and at least four bytes of padding')
  t.equal(packet[5], 1, 'SSH_MSG_DISCONNECT')
  t.equal(packet.subarray(14, 14 + packet.readUInt32BE(10)).toString(), 'egress: not-http')
  t.equal(String(farewell(bytes('EHLO x\r\n'), 'why')), 'why\r\n')
  t.equal(farewell(bytes('\x05\x01\0'), 'why'), null)
  t.equal(String(farewellToSilence(25, 'why')), '554 why\r\n')
  t.equal(farewellToSilence(3306, 'why'), null)
  t.end()
})
