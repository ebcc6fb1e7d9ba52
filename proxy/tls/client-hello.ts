import { parseHostname } from '#firewall/names/hostname.js'

/** Real hellos are 200 to 2,000 bytes (including post-quantum key shares). Threat: a client that fills memory. */
export const MAX_CLIENT_HELLO = 16_384

const HANDSHAKE_RECORD = 22
const CLIENT_HELLO = 1
const SERVER_NAME_EXTENSION = 0
const ALPN_EXTENSION = 16
const SUPPORTED_VERSIONS_EXTENSION = 43

const TLS_1_3 = 0x0304

const VERSIONS: ReadonlyMap<number, string> = new Map([
  [0x0300, 'SSL 3.0'],
  [0x0301, 'TLS 1.0'],
  [0x0302, 'TLS 1.1'],
  [0x0303, 'TLS 1.2'],
  [TLS_1_3, 'TLS 1.3'],
])

/** Suites of TLS 1.2 that RFC 9113 appendix A leaves to HTTP/2, as far as the gateway has them: ECDHE with an AEAD. */
const HTTP2_SUITES: ReadonlySet<number> = new Set([0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9])

/** Bytes of a protocol's name, and names, that are told: the log needs no more to say what a client speaks. */
const MAX_ALPN_NAME = 32
const MAX_ALPN_NAMES = 8

/** What a client says it takes. */
export interface ClientOffer {
  /** Null when there is no SNI, or one that is no host name. */
  readonly serverName: string | null
  /** Names of application protocols (RFC 7301), printable. */
  readonly alpn: readonly string[]
  /** Such as `TLS 1.3`; unknown ones are left out (RFC 8701 puts some in on purpose). */
  readonly versions: readonly string[]
  /** Whether HTTP/2 may be spoken with a cipher that it takes (RFC 9113 section 9.2.2). */
  readonly hasHttp2Cipher: boolean
}

/** The first bytes of a TLS connection, which the gateway reads before it decides. */
export type ClientHello =
  /** Not TLS, or not a valid client hello. */
  | { readonly kind: 'malformed' }
  /** More bytes are needed. */
  | { readonly kind: 'incomplete' }
  | ({ readonly kind: 'hello' } & ClientOffer)

const MALFORMED: ClientHello = { kind: 'malformed' }
const INCOMPLETE: ClientHello = { kind: 'incomplete' }

/** Reads what a TLS client hello offers (RFC 8446 section 4.1.2, RFC 6066 section 3). Never throws. */
export function parseClientHello(data: Buffer): ClientHello {
  const handshake = joinRecords(data)
  if ('kind' in handshake) return handshake
  if (handshake.length < 4) return INCOMPLETE
  if (handshake[0] !== CLIENT_HELLO) return MALFORMED
  const length = handshake.readUIntBE(1, 3)
  if (length > MAX_CLIENT_HELLO) return MALFORMED
  if (handshake.length < 4 + length) return INCOMPLETE
  const reader = new Reader(handshake.subarray(4, 4 + length))
  const legacyVersion = reader.uint16()
  reader.skip(32) // random
  reader.vector(1) // legacy_session_id
  const suites = new Reader(reader.vector(2))
  reader.vector(1) // legacy_compression_methods
  // Before TLS 1.3 a hello may end here (RFC 5246 section 7.4.1.2).
  if (reader.ended()) {
    const versions = versionNames([legacyVersion])
    return { kind: 'hello', serverName: null, alpn: [], versions, hasHttp2Cipher: false }
  }
  const extensions = reader.vector(2)
  if (!reader.ended()) return MALFORMED
  return readExtensions(new Reader(extensions), legacyVersion, suites)
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

function readExtensions(extensions: Reader, legacyVersion: number, suites: Reader): ClientHello {
  let serverName: string | null = null
  let alpn: readonly string[] = []
  let versions: readonly number[] = [legacyVersion]
  let seen = false
  while (!extensions.done) {
    const type = extensions.uint16()
    const body = extensions.vector(2)
    if (extensions.failed) return MALFORMED
    if (type === ALPN_EXTENSION) alpn = readAlpn(body)
    if (type === SUPPORTED_VERSIONS_EXTENSION) versions = readVersions(body)
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
  const hasHttp2Cipher = versions.includes(TLS_1_3) || readsAny(suites, HTTP2_SUITES)
  return { kind: 'hello', serverName, alpn, versions: versionNames(versions), hasHttp2Cipher }
}

function readsAny(list: Reader, wanted: ReadonlySet<number>): boolean {
  while (!list.done) if (wanted.has(list.uint16())) return true
  return false
}

function readAlpn(body: Buffer): readonly string[] {
  const list = new Reader(new Reader(body).vector(2))
  const names: string[] = []
  while (!list.done && names.length < MAX_ALPN_NAMES) {
    const name = list.vector(1).subarray(0, MAX_ALPN_NAME).toString('latin1')
    if (!list.failed) names.push(name.replace(/[^!-~]/g, '?'))
  }
  return names
}

function readVersions(body: Buffer): readonly number[] {
  const list = new Reader(new Reader(body).vector(1))
  const versions: number[] = []
  while (!list.done) versions.push(list.uint16())
  return versions
}

function versionNames(versions: readonly number[]): readonly string[] {
  return [...new Set(versions.flatMap((version) => VERSIONS.get(version) ?? []))]
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
