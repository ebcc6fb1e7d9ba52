import { isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { isIP } from '#firewall/addresses/ip-version.js'
import { CLASS_IN, RCODE, TYPE } from './codes.js'
import type { DnsQuery } from './wire.js'

/**
 * TTL of an address, in seconds. Low, so that clients soon notice a gateway that moved or a stricter policy; not zero, so
 * that a build that opens a thousand connections does not send a thousand queries.
 */
export const ANSWER_TTL = 30

/** TTL of a negative answer, in seconds (RFC 2308 section 5). Low, so that a retry finds a name just added to the policy. */
export const NEGATIVE_TTL = 5

/** Our UDP payload size: fits the smallest IPv6 MTU without fragmentation (DNS flag day 2020). */
export const OUR_UDP_SIZE = 1232

/** RFC 1035 section 4.2.1. An EDNS size below it counts as this size (RFC 6891 section 6.2.3). */
const PLAIN_UDP_SIZE = 512

/** An Extended DNS Error (RFC 8914 section 2). */
export interface ExtendedError {
  readonly code: number
  /** One ASCII sentence. */
  readonly text: string
}

/** An address, as text and as the resource record that follows a question. */
export interface AddressRecord {
  readonly text: string
  readonly bytes: Buffer
}

/** The addresses of a name, per family. */
export interface Addresses {
  readonly ipv4: AddressRecord | null
  readonly ipv6: AddressRecord | null
}

export interface Answer {
  readonly rcode: number
  /** The only address in the answer section, or null. */
  readonly address: AddressRecord | null
  readonly extended: ExtendedError | null
}

const FLAG = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080 } as const

/**
 * The SOA that makes a negative answer cacheable (RFC 2308 section 3). The resolver is authoritative for the whole tree, so
 * the zone is the root: an ancestor of every name, and the shortest one. The serial has no meaning, because the zone cannot be
 * transferred.
 */
const SOA = Buffer.from(
  [
    '00 0006 0001', // owner `.`, type, class
    hex32(NEGATIVE_TTL),
    '0016 00 00', // 22 bytes of data; primary server `.`, mailbox `.`
    hex32(1), // serial
    hex32(3600), // refresh
    hex32(600), // retry
    hex32(86_400), // expire
    hex32(NEGATIVE_TTL), // minimum: the TTL of the negative answer
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
)

const HEADER = 12
const OPT = 11
/** Option code, option length and info code. */
const EXTENDED = 6
const OPTION_EXTENDED_ERROR = 15
const NOTHING = Buffer.alloc(0)

/** @throws TypeError if the text is not an address */
export function addressRecord(text: string): AddressRecord {
  const version = isIP(text)
  if (version === 0) throw new TypeError(`not an address: ${text}`)
  return recordOf(text, version === 4 ? text.split('.').map(Number) : ipaddr.IPv6.parse(text).toByteArray())
}

/** @param address 4 or 16 bytes */
export function recordOf(text: string, address: readonly number[]): AddressRecord {
  const bytes = Buffer.alloc(12 + address.length)
  bytes.writeUInt16BE(0xc000 | HEADER, 0) // pointer to the question's name
  bytes.writeUInt16BE(address.length === 4 ? TYPE.A : TYPE.AAAA, 2)
  bytes.writeUInt16BE(CLASS_IN, 4)
  bytes.writeUInt32BE(ANSWER_TTL, 6)
  bytes.writeUInt16BE(address.length, 10)
  bytes.set(address, 12)
  return { text, bytes }
}

/** The addresses of a name that has only this one. @throws TypeError if the text is not an address */
export function addressesOf(text: string): Addresses {
  const record = addressRecord(text)
  return isIPv4(text) ? { ipv4: record, ipv6: null } : { ipv4: null, ipv6: record }
}

/** Maximum size of an answer that the client accepts, in bytes. */
export function answerLimit(query: DnsQuery, transport: 'udp' | 'tcp'): number {
  if (transport === 'tcp') return 0xffff
  const offered = query.edns?.udpSize ?? PLAIN_UDP_SIZE
  return Math.min(Math.max(offered, PLAIN_UDP_SIZE), OUR_UDP_SIZE)
}

/**
 * Encodes an answer (RFC 1035 section 4.1): the question as received, then an address, or the SOA for NOERROR or NXDOMAIN
 * without an address, then OPT if the client sent one. An answer of more than `limit` bytes is replaced by an empty one
 * with TC.
 */
export function encodeAnswer(query: DnsQuery, answer: Answer, limit: number): Buffer {
  const whole = encode(query, answer, 0)
  return whole.length <= limit ? whole : encode(query, { ...answer, address: null, extended: null }, FLAG.TC)
}

function encode(query: DnsQuery, answer: Answer, truncated: number): Buffer {
  const question = query.question?.raw ?? NOTHING
  // Only these two are about the name; the other codes mean that the question was not processed.
  const isAboutName = answer.rcode === RCODE.NOERROR || answer.rcode === RCODE.NXDOMAIN
  const address = answer.address === null ? NOTHING : answer.address.bytes
  const negative = isAboutName && address.length === 0 && truncated === 0 ? SOA : NOTHING
  const { edns } = query
  const extended = edns === null ? null : answer.extended
  const options = extended === null ? 0 : EXTENDED + extended.text.length
  const opt = edns === null ? 0 : OPT + options

  const bytes = Buffer.allocUnsafe(HEADER + question.length + address.length + negative.length + opt)
  bytes.writeUInt16BE(query.id, 0)
  bytes.writeUInt16BE(flagsOf(query, answer.rcode, isAboutName) | truncated, 2)
  bytes.writeUInt16BE(question.length > 0 ? 1 : 0, 4)
  bytes.writeUInt16BE(address.length > 0 ? 1 : 0, 6)
  bytes.writeUInt16BE(negative.length > 0 ? 1 : 0, 8)
  bytes.writeUInt16BE(edns === null ? 0 : 1, 10)
  let at = HEADER
  for (const part of [question, address, negative]) {
    bytes.set(part, at)
    at += part.length
  }
  if (edns !== null) writeOpt(bytes, at, answer.rcode, extended)
  return bytes
}

/**
 * AA: the policy is the only source, and no other server was asked. RA: clients get a final answer from this resolver.
 * Without it (and without AA), Go takes an empty answer for a lame referral, and dig warns. AD and CD stay clear, because
 * nothing was validated.
 */
function flagsOf(query: DnsQuery, rcode: number, isAboutName: boolean): number {
  const flags = FLAG.QR | (query.opcode << 11) | FLAG.RA | (rcode & 0x0f)
  return flags | (query.rd ? FLAG.RD : 0) | (isAboutName ? FLAG.AA : 0)
}

/**
 * OPT (RFC 6891 section 6.1.2) with the upper bits of the rcode. DO always stays clear: the answers are not signed, and a
 * client that prefers DNSSEC (systemd-resolved) sees from it to continue without.
 */
function writeOpt(bytes: Buffer, at: number, rcode: number, extended: ExtendedError | null): void {
  bytes.writeUInt8(0, at)
  bytes.writeUInt16BE(TYPE.OPT, at + 1)
  bytes.writeUInt16BE(OUR_UDP_SIZE, at + 3)
  bytes.writeUInt8(rcode >> 4, at + 5)
  bytes.writeUInt8(0, at + 6)
  bytes.writeUInt16BE(0, at + 7)
  bytes.writeUInt16BE(extended === null ? 0 : EXTENDED + extended.text.length, at + 9)
  if (extended === null) return
  bytes.writeUInt16BE(OPTION_EXTENDED_ERROR, at + OPT)
  bytes.writeUInt16BE(2 + extended.text.length, at + OPT + 2)
  bytes.writeUInt16BE(extended.code, at + OPT + 4)
  bytes.write(extended.text, at + OPT + EXTENDED, 'latin1')
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0')
}
