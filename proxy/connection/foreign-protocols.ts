import { METHODS } from 'node:http'

/** Characters of an opening that a record quotes. */
const QUOTED = 64

/** What clients of other protocols than TLS and HTTP send first, in the order in which they are asked. */
const OPENINGS: readonly (readonly [name: string, matches: (text: string, bytes: Buffer) => boolean])[] = [
  ['a TLS hello that cannot be read', (_, bytes) => bytes[0] === 0x16 && bytes[1] === 3],
  ['SMTP', (text) => /^(EHLO|HELO|LHLO) /i.test(text)],
  ['FTP or POP3', (text) => /^(USER|AUTH|CAPA|FEAT)\b/i.test(text)],
  ['IMAP', (text) => /^[a-z]{0,3}\d* (CAPABILITY|LOGIN|STARTTLS|AUTHENTICATE|ID)\b/i.test(text)],
  ['IRC', (text) => /^(NICK|CAP) /i.test(text)],
  ['git', (text) => /^[0-9a-f]{4}git-(upload|receive)-(pack|archive) /.test(text)],
  ['Redis', (text) => /^\*\d+\r\n\$\d+\r\n/.test(text)],
  ['AMQP', (text) => text.startsWith('AMQP')],
  ['BitTorrent', (text) => text.startsWith('\x13BitTorrent')],
  ['MQTT', (text) => text.startsWith('\x10') && /^.{2,4}\0[\x04\x06]MQ(TT|Isdp)/s.test(text)],
  ['SMB', (text) => /^\0.{3}[\xff\xfe]SMB/s.test(text)],
  ['RDP', (text) => /^\x03\0.{3}\xe0/s.test(text)],
  ['SOCKS', (text) => /^(\x04[\x01\x02]|\x05[\x01-\x09][\0-\x09])/.test(text)],
  ['PostgreSQL', (_, bytes) => bytes.length >= 8 && isPostgres(bytes.readUInt32BE(4))],
  ['MongoDB', (_, bytes) => bytes.length >= 16 && [2004, 2013].includes(bytes.readInt32LE(12))],
  ['LDAP', (text) => /^0.{1,5}\x02\x01.[\x60\x77\x63]/s.test(text)],
]

/** Codes of its first packets: protocol 3.0, cancel, TLS, GSS. */
function isPostgres(code: number): boolean {
  return code === 196_608 || (code >= 80_877_102 && code <= 80_877_104)
}

/** Whether the first bytes may be those of HTTP/1.1 or of HTTP/2: its parser says whether they are. */
export function mayBeHttp(first: Buffer): boolean {
  // RFC 9112 section 2.2: empty lines may stand before a request.
  const text = first.toString('latin1').replace(/^[\r\n]+/, '')
  return [...METHODS, 'PRI'].some((method) => `${method} `.startsWith(text.slice(0, method.length + 1)))
}

/** What a connection is that begins with these bytes, for the record: `SSH-2.0-OpenSSH_9.6`, `PostgreSQL`, or the bytes. */
export function nameOpening(first: Buffer): string {
  const text = first.toString('latin1')
  // Both say by themselves what they are, and of which version.
  const banner = /^(SSH-|RFB )[\x20-\x7e]*/.exec(text)
  if (banner !== null) return banner[0].slice(0, QUOTED)
  const known = OPENINGS.find(([, matches]) => matches(text, first))
  return known?.[0] ?? `bytes that begin with ${JSON.stringify(text.slice(0, QUOTED / 2))}`
}

/** SSH_MSG_DISCONNECT, by application (RFC 4253 section 11.1). */
const SSH_DISCONNECT = [1, 0, 0, 0, 11]

/**
 * The last word to a client of another protocol, in that protocol where it has one for this; a line of text if the client writes
 * text; null for others, which would take it for something else.
 */
export function farewell(first: Buffer, text: string): Buffer | null {
  const opening = first.toString('latin1')
  if (opening.startsWith('SSH-')) return sshDisconnect(text)
  return /^[\x20-\x7e]{3}/.test(opening) ? Buffer.from(`${text}\r\n`) : null
}

/** Before the keys were exchanged, a packet is plain: its length, that of the padding, payload and padding (RFC 4253 section 6). */
function sshDisconnect(text: string): Buffer {
  const message = Buffer.from(text)
  const payload = Buffer.concat([Buffer.from(SSH_DISCONNECT), uint32(message.length), message, uint32(0)])
  const padding = 4 + ((8 - ((payload.length + 9) % 8)) % 8)
  return Buffer.concat([
    Buffer.from('SSH-2.0-egress\r\n'),
    uint32(1 + payload.length + padding),
    Buffer.from([padding]),
    payload,
    Buffer.alloc(padding),
  ])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** How servers that speak first say by a line that they do not serve (RFC 5321 section 4.2, RFC 959, 3977, 1939 and 9051). */
const GREETINGS: Readonly<Record<number, string>> = {
  21: '554 ',
  25: '554 ',
  119: '502 ',
  587: '554 ',
  2525: '554 ',
  110: '-ERR ',
  143: '* BYE ',
}

/** The same to a client that has said nothing, and can be known by its port alone. */
export function farewellToSilence(port: number | null, text: string): Buffer | null {
  const greeting = port === null ? undefined : GREETINGS[port]
  return greeting === undefined ? null : Buffer.from(`${greeting}${text}\r\n`)
}
