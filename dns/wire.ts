import { MAX_LABEL } from '#firewall/names/hostname.js'
import { CLASS_IN, TYPE } from './codes.js'

const HEADER = 12

/** Header, root name, type and class: the shortest message with a question. */
export const MIN_QUERY = HEADER + 5

/**
 * RFC 1035 section 4.2.1. One question with an OPT record takes 282 bytes, and the options that clients add (cookie, padding
 * to 128 according to RFC 8467) fit. So the limit applies to TCP too, where a length field could announce 65,535.
 */
export const MAX_QUERY = 512

/** RFC 1035 section 2.3.4, length bytes and the root label included. */
const MAX_WIRE_NAME = 255

/** Bytes of an OPT record without options: root, type, size, extended rcode, version, flags, length (RFC 6891 6.1.2). */
const OPT = 11

/** Why a message cannot be checked, although it gets an answer; the most serious first. */
export type QueryError =
  | 'opcode' // not a standard query; the rest of the message was not read
  | 'malformed-query' // no question or several, a broken or compressed name, an unexpected record, trailing bytes
  | 'edns-version' // RFC 6891 section 6.1.3
  | 'name-bytes' // well formed, but with bytes that are not allowed in a host name: typical of raw tunnels
  | 'class' // not IN

export interface DnsQuestion {
  /** Lower case, no trailing dot, empty for the root; a byte outside `[a-z0-9_-]` as `\DDD` (RFC 4343 section 2.1). */
  readonly name: string
  readonly type: number
  readonly class: number
  /** Name, type and class as sent, to be echoed: the letter case protects the client (0x20). */
  readonly raw: Buffer
}

export interface DnsQuery {
  readonly id: number
  readonly opcode: number
  /** Recursion desired. */
  readonly rd: boolean
  /** Null only with the errors `opcode` and `malformed-query`. */
  readonly question: DnsQuestion | null
  /** Null if the client sent no readable OPT record. */
  readonly edns: { readonly udpSize: number } | null
  readonly error: QueryError | null
}

/**
 * Reads a query (RFC 1035 section 4.1, RFC 6891 section 6.1) more strictly than the standards require. Never throws.
 *
 * @returns null for a message that must not be answered: too short or too long for a query, or a response. Answering a
 *   response would start a loop between two servers (CVE-2024-2169).
 */
export function parseQuery(bytes: Buffer): DnsQuery | null {
  if (bytes.length < MIN_QUERY || bytes.length > MAX_QUERY) return null
  const flags = bytes.readUInt16BE(2)
  if ((flags & 0x8000) !== 0) return null
  const id = bytes.readUInt16BE(0)
  const opcode = (flags >> 11) & 0x0f
  const rd = (flags & 0x0100) !== 0
  if (opcode !== 0) return { id, opcode, rd, question: null, edns: null, error: 'opcode' }
  // RFC 9619: a standard query with more than one question is FORMERR. Counts other than 0 and 1 are never trusted.
  const question = bytes.readUInt16BE(4) === 1 ? readQuestion(bytes) : null
  const bare = bytes.readUInt16BE(6) === 0 && bytes.readUInt16BE(8) === 0
  const additional = bytes.readUInt16BE(10)
  if (question === null || !bare || additional > 1) {
    return { id, opcode, rd, question: question?.echo ?? null, edns: null, error: 'malformed-query' }
  }
  const { echo, hasInvalidBytes, end } = question
  const opt = additional === 1 ? readOpt(bytes, end) : null
  if (additional === 1 ? opt === null : end !== bytes.length) {
    return { id, opcode, rd, question: echo, edns: null, error: 'malformed-query' }
  }
  const edns = opt === null ? null : { udpSize: opt.udpSize }
  const error = firstError(opt?.version ?? 0, echo.class, hasInvalidBytes)
  return { id, opcode, rd, question: echo, edns, error }
}

function firstError(version: number, qclass: number, hasInvalidBytes: boolean): QueryError | null {
  if (version !== 0) return 'edns-version'
  if (hasInvalidBytes) return 'name-bytes'
  return qclass === CLASS_IN ? null : 'class'
}

function readQuestion(bytes: Buffer): { echo: DnsQuestion; hasInvalidBytes: boolean; end: number } | null {
  const name = readName(bytes, HEADER)
  if (name === null || name.end + 4 > bytes.length) return null
  const end = name.end + 4
  const echo = {
    name: name.text,
    type: bytes.readUInt16BE(name.end),
    class: bytes.readUInt16BE(name.end + 2),
    raw: bytes.subarray(HEADER, end),
  }
  return { echo, hasInvalidBytes: name.hasInvalidBytes, end }
}

/** By byte: its lower-case form in a host name; 0 if a host name cannot contain it. */
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte)
  return /[A-Za-z0-9_-]/.test(char) ? char.toLowerCase().charCodeAt(0) : 0
})
const DOT = 0x2e

/**
 * Reads an uncompressed name. A length byte above 63 is a compression pointer or a reserved form. The first name of a message
 * could only point at itself, so it is rejected.
 */
function readName(
  bytes: Buffer,
  start: number,
): { text: string; hasInvalidBytes: boolean; end: number } | null {
  const text = Buffer.allocUnsafe(MAX_WIRE_NAME)
  let hasInvalidBytes = false
  let at = start
  for (;;) {
    const length = bytes[at]
    if (length === undefined || length > MAX_LABEL) return null
    const end = at + 1 + length
    if (end - start > MAX_WIRE_NAME) return null
    if (length === 0) {
      const name = hasInvalidBytes
        ? escapedName(bytes, start)
        : text.toString('latin1', 0, Math.max(at - start - 1, 0))
      return { text: name, hasInvalidBytes, end }
    }
    if (end > bytes.length) return null
    for (let index = at + 1; index < end; index += 1) {
      const lower = LOWER[bytes[index] ?? 0] ?? 0
      hasInvalidBytes ||= lower === 0
      text[index - start - 1] = lower
    }
    text[end - start - 1] = DOT
    at = end
  }
}

/** Reads a name that `readName` has already validated. */
function escapedName(bytes: Buffer, start: number): string {
  const labels: string[] = []
  for (let at = start, length = 0; (length = bytes[at] ?? 0) > 0; at += 1 + length) {
    const label = bytes.toString('latin1', at + 1, at + 1 + length)
    // Escaped, so that a dot byte inside a label does not look like a separator: `api\046github.com` is not a host.
    labels.push(label.replace(/[^A-Za-z0-9_-]/g, escapeByte))
  }
  return labels.join('.').toLowerCase()
}

function escapeByte(char: string): string {
  return `\\${String(char.charCodeAt(0)).padStart(3, '0')}`
}

/** The labels of a question's name, one character per byte on the wire. */
export function labelsOf(name: string): readonly string[] {
  return name
    .split('.')
    .map((label) => label.replace(/\\(\d{3})/g, (_, code) => String.fromCharCode(Number(code))))
}

/** Reads the OPT record, which must fill the rest of the message. */
function readOpt(bytes: Buffer, start: number): { udpSize: number; version: number } | null {
  if (start + OPT > bytes.length || bytes[start] !== 0) return null
  if (bytes.readUInt16BE(start + 1) !== TYPE.OPT) return null
  const options = start + OPT
  if (options + bytes.readUInt16BE(start + 9) !== bytes.length) return null
  const version = bytes.readUInt8(start + 6)
  // Other versions may encode options differently.
  if (version === 0 && !optionsFit(bytes, options)) return null
  return { udpSize: bytes.readUInt16BE(start + 3), version }
}

/** True if the options (RFC 6891 section 6.1.2) end where the message ends. Their content is never used. */
function optionsFit(bytes: Buffer, start: number): boolean {
  let at = start
  while (at + 4 <= bytes.length) at += 4 + bytes.readUInt16BE(at + 2)
  return at === bytes.length
}
