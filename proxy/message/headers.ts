import type { Headers } from '#firewall/contracts/credential.js'

/** RFC 9110 section 7.6.1 and its predecessors: they speak of one connection and never travel on. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/**
 * A client that may name these in `Connection` could have the gateway drop them after it checked them: the credential, the
 * body's end or the host (the hop-by-hop abuse behind CVE-2022-31813 and its kin).
 */
const NEVER_NOMINATED = new Set([
  'host',
  'authorization',
  'content-length',
  'content-type',
  'cookie',
  'accept-encoding',
  'x-sandbox-target',
])

/** Answers advertise other ways to the same service; none of them leads through the gateway. */
const DROPPED_FROM_RESPONSES = new Set(['alt-svc', 'alt-used', 'public-key-pins'])

/**
 * Headers in which services hand out a session or a token (RFC 6265; RFC 7615; OpenStack, Jenkins and their kin). Threat: what
 * was given for the real credential is as good as the credential, and lies in the sandbox's hands.
 */
const SESSION_HEADERS = [
  'set-cookie',
  'set-cookie2',
  'authentication-info',
  'authorization',
  'x-access-token',
  'x-auth-token',
  'x-refresh-token',
  'x-session-token',
  'x-subject-token',
] as const

/** Takes them out of the response to a request that was given a credential. */
export function dropSessions(headers: Record<string, unknown>): void {
  dropHeaders(headers, SESSION_HEADERS)
}

/** Takes fields out that most heads do not have: to delete what is not there takes longer than to look. */
export function dropHeaders(headers: Record<string, unknown>, names: readonly string[]): void {
  for (const name of names) if (headers[name] !== undefined) Reflect.deleteProperty(headers, name)
}

export function isConnectionHeader(name: string): boolean {
  return HOP_BY_HOP.has(name)
}

/** Names in a `Connection` header, lower case; null for none. */
function nominated(value: string | readonly string[] | undefined): ReadonlySet<string> | null {
  if (value === undefined || value === 'keep-alive' || value === 'close') return null
  const names = (typeof value === 'string' ? [value] : value)
    .flatMap((line) => line.split(','))
    .map((name) => name.trim().toLowerCase())
  return new Set(names.filter((name) => name !== ''))
}

const Bare = function () {
  // Nothing to set.
} as unknown as { new (): Headers; prototype: object }
Bare.prototype = Object.freeze(Object.create(null) as object)

/**
 * Headers that inherit nothing: `__proto__` is a name like any other. V8 keeps what a constructor makes as a structure, and
 * what `Object.create(null)` makes as a hash table, which costs each request several times as much.
 */
export const newHeaders = (): Headers => new Bare()

/** Raw header pairs (name, value, name, value …) by lower-case name; repeated names become lists. */
export function collectHeaders(raw: readonly string[]): Headers {
  const headers = newHeaders()
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase()
    const value = raw[i + 1] ?? ''
    const present = headers[name]
    if (present === undefined) headers[name] = value
    // Not copied: a head may repeat one name thousands of times.
    else if (Array.isArray(present)) present.push(value)
    else headers[name] = [present, value]
  }
  return headers
}

/**
 * Says why a request head can be read in more than one way, or null when it cannot (RFC 9112 sections 3.2, 6.1, 6.3).
 * Node's parser accepts two Host headers (the first wins) and takes any list of transfer codings.
 */
export function framingError(headers: Headers): string | null {
  if (typeof headers['host'] !== 'string') return 'there must be exactly one Host header'
  const length = headers['content-length']
  const coding = headers['transfer-encoding']
  if (length !== undefined && coding !== undefined)
    return 'Content-Length and Transfer-Encoding are both there'
  if (length !== undefined && (typeof length !== 'string' || !/^\d{1,15}$/.test(length))) {
    return 'Content-Length must be there once, as digits'
  }
  if (coding !== undefined && (typeof coding !== 'string' || coding.trim().toLowerCase() !== 'chunked')) {
    return 'the only transfer coding accepted is chunked'
  }
  const stolen = [...(nominated(headers['connection']) ?? [])].find((name) => NEVER_NOMINATED.has(name))
  return stolen === undefined ? null : `Connection must not name ${stolen}`
}

/** V8 copies what it keeps as a structure faster field by field than by a spread. */
export function copyHeaders(headers: Headers): Headers {
  const copy = newHeaders()
  for (const name in headers) copy[name] = headers[name] ?? ''
  return copy
}

/** The request headers that travel on: hop-by-hop ones, and those that Connection names, stay here. */
export function endToEndHeaders(headers: Headers): Headers {
  const dropped = nominated(headers['connection'])
  const kept = newHeaders()
  for (const name in headers) {
    // `Expect` is between the client and us: an upstream's 100 Continue must not decide what we inject.
    if (!HOP_BY_HOP.has(name) && dropped?.has(name) !== true && name !== 'expect')
      kept[name] = headers[name] ?? ''
  }
  return kept
}

/** The response headers that travel back to the sandbox. */
export function responseHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const dropped = nominated(headers['connection'])
  const kept = newHeaders()
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || HOP_BY_HOP.has(name) || dropped?.has(name) === true) continue
    if (!DROPPED_FROM_RESPONSES.has(name)) kept[name] = value
  }
  return kept
}

/**
 * Code pages in which ASCII is itself, by number: those of Windows, of DOS, and what IBM, IANA and WHATWG call the same. A label with
 * another number is refused, for most of the others are EBCDIC.
 */
const ASCII_NUMBERED = new RegExp(
  `^x?(${[
    'utf8(mb[34])?|(us)?ascii[78]?|iso646us|[78]bit',
    '(cs)?iso8859\\d+[ei]?|iso2022(jp|kr|cn)\\w*|latin\\d+|l\\d|(hp)?roman8|armscii8',
    '(windows|win|cp|ms|ibm|dos)?(437|720|737|775|85[02578]|86[0-69]|874|932|936|949|950|125[0-8]|1361)',
    '(windows|cp)?(819|20127|28\\d{3}|65001|54936|51932|51949|20866|21866|31j)',
    'sjis2004|shiftjis2004|gb(2312|18030)|big5\\w*|euc(tw|jp)\\w*|ksc5601(1987)?|koi8\\w{1,2}|tis620',
  ].join('|')})$`,
)

/**
 * Encodings without a number in which the bytes of a text are not those of ASCII, as libraries know them (WHATWG, IANA, iconv, ICU,
 * Java, Python, .NET).
 */
const OTHER_THAN_ASCII =
  /ucs|unicode|ebcdic|scsu|bocu|lmbcs|imap|punycode|idna|wchar|^hz|utfebcdic|rot|base|hex$|quopri|java$/

/**
 * Whether text in this charset has the bytes of ASCII where it has its characters. A label that no library knows (`binary`,
 * `x-user-defined`, `utf8mb4`, `none`) makes no encoder write anything but the bytes that are there, and no decoder read anything
 * else; what matters are labels by which a server can be led to write a secret so that the search does not see it, and the client's
 * library still does. So all numbers that are not known are refused, and all names of encodings that change ASCII.
 */
function isAscii(charset: string): boolean {
  const label = charset.toLowerCase().replace(/[^a-z0-9]/g, '')
  return /\d/.test(label) ? ASCII_NUMBERED.test(label) : !OTHER_THAN_ASCII.test(label)
}

/**
 * Whether redaction can read a response once its content codings are undone: bytes as the service wrote them, in a charset whose ASCII is ASCII. Threat: the
 * sandbox chooses with `Accept: text/plain;charset=utf-16` (or an EBCDIC) what many frameworks write, and with `A-IM: gzip`
 * (RFC 3229) a coding that is no Content-Encoding.
 */
export function isReadable(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): boolean {
  const { 'transfer-encoding': transfer = 'chunked' } = headers
  const type = String(headers['content-type'] ?? '')
  return (
    String(transfer).toLowerCase() === 'chunked' &&
    status !== 226 &&
    !(status === 206 && /^\s*multipart\//i.test(type)) &&
    // Most types have no parameters at all.
    (!type.includes(';') ||
      [...type.matchAll(/;\s*charset\s*=\s*["']?([^"',;\s]+)/gi)].every(([, charset = '']) =>
        isAscii(charset),
      ))
  )
}

/** True when the head announces a body (RFC 9112 section 6.3). */
export function hasBody(headers: Headers): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0)
}
