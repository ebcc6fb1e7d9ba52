import { parseHostname } from '#firewall/names/hostname.js'

/** Real hellos are 200 to 2,000 bytes (including post-quantum key shares). Threat: a client that fills memory. */
export const MAX_CLIENT_HELLO = 16_384

const HANDSHAKE_RECORD = 22
const CLIENT_HELLO = 1
const SERVER_NAME_EXTENSION = 0

/** The first bytes of a TLS connection, which the gateway reads before it decides. */
export type ClientHello =
  /** Not TLS, or not a valid client hello. */
  | { readonly kind: 'malformed' }
  /** More bytes are needed. */
  | { readonly kind: 'incomplete' }
  /** `serverName` is null if the SNI is missing or not a host name. */
  | { readonly kind: 'hello'; readonly serverName: string | null }

const MALFORMED: ClientHello = { kind: 'malformed' }
const INCOMPLETE: ClientHello = { kind: 'incomplete' }

/** Reads the server name in a TLS client hello (RFC 8446 section 4.1.2, RFC 6066 section 3). Never throws. */
export function parseClientHello(data: Buffer): ClientHello {
  const handshake = joinRecords(data)
  if ('kind' in handshake) return handshake
  if (handshake.length < 4) return INCOMPLETE
  if (handshake[0] !== CLIENT_HELLO) return MALFORMED
  const length = handshake.readUIntBE(1, 3)
  if (length > MAX_CLIENT_HELLO) return MALFORMED
  if (handshake.length < 4 + length) return INCOMPLETE
  const reader = new Reader(handshake.subarray(4, 4 + length))
  reader.skip(2 + 32) // legacy_version, random
  reader.vector(1) // legacy_session_id
  reader.vector(2) // cipher_suites
  reader.vector(1) // legacy_compression_methods
  // Before TLS 1.3 a hello may end here (RFC 5246 section 7.4.1.2).
  if (reader.ended()) return { kind: 'hello', serverName: null }
  const extensions = reader.vector(2)
  if (!reader.ended()) return MALFORMED
  return readServerName(new Reader(extensions))
}

/** A hello may be split over records (RFC 8446 section 5.1). Bytes after it are ignored. */
function joinRecords(data: Buffer): Buffer | ClientHello {
  const parts: Buffer[] = []
  let joined = 0
  let needed = Infinity
  let at = 0
  while (at < data.length) {
    if (data[at] !== HANDSHAKE_RECORD) return MALFORMED
    if (data.length < at + 5) break
    const length = data.readUInt16BE(at + 3)
    if (length === 0 || length > MAX_CLIENT_HELLO || data[at + 1] !== 3) return MALFORMED
    const part = data.subarray(at + 5, at + 5 + length)
    parts.push(part)
    joined += part.length
    at += 5 + length
    if (needed === Infinity && joined >= 4) {
      needed = 4 + Buffer.concat(parts).readUIntBE(1, 3)
    }
    if (joined >= needed) break
  }
  return data.length > MAX_CLIENT_HELLO + 5 && parts.length === 0 ? MALFORMED : Buffer.concat(parts)
}

function readServerName(extensions: Reader): ClientHello {
  let serverName: string | null = null
  let seen = false
  while (!extensions.done) {
    const type = extensions.uint16()
    const body = extensions.vector(2)
    if (extensions.failed) return MALFORMED
    if (type !== SERVER_NAME_EXTENSION) continue
    // Threat: two extensions, or two names in one, that the upstream reads differently.
    if (seen) return MALFORMED
    seen = true
    const outer = new Reader(body)
    const list = new Reader(outer.vector(2))
    const nameType = list.uint8()
    const name = list.vector(2)
    if (!outer.ended() || !list.ended() || nameType !== 0) return MALFORMED
    serverName = parseHostname(name.toString('latin1'))
  }
  return { kind: 'hello', serverName }
}

/** Reads length-prefixed fields. Past the end, it returns empty values and sets `failed`. */
class Reader {
  readonly #data: Buffer
  #at = 0
  failed = false

  constructor(data: Buffer) {
    this.#data = data
  }

  get done(): boolean {
    return this.failed || this.#at >= this.#data.length
  }

  /** All fields were complete, and no bytes remain. */
  ended(): boolean {
    return this.done && !this.failed
  }

  skip(bytes: number): Buffer {
    if (this.#at + bytes > this.#data.length) {
      this.failed = true
      return Buffer.alloc(0)
    }
    const part = this.#data.subarray(this.#at, this.#at + bytes)
    this.#at += bytes
    return part
  }

  uint8(): number {
    return this.skip(1)[0] ?? 0
  }

  uint16(): number {
    const part = this.skip(2)
    return part.length === 2 ? part.readUInt16BE(0) : 0
  }

  vector(lengthBytes: 1 | 2): Buffer {
    return this.skip(lengthBytes === 1 ? this.uint8() : this.uint16())
  }
}
