import { LoosePath } from './loose-path.js'

/** A parsed request target. Both parts are checked, and sent upstream as they are here. */
export interface RequestPath {
  /** Canonical path: begins with `/`, unreserved characters decoded, other escapes in upper case. */
  readonly path: string
  /** Query with its `?`, or empty; as sent. */
  readonly query: string
  /**
   * The path in the forms that servers read it in, itself first. An allow rule counts only if it matches all of them.
   */
  readonly readings: readonly string[]
  /**
   * It holds a percent sign that begins an escape once it is decoded, as in `%252F`: to a server that decodes again it may be any
   * path. Only a rule for every path allows it, and any deny rule for its method catches it.
   */
  readonly isEncodedTwice: boolean
  /** What deny rules are compared with. */
  readonly loose: LoosePath
}

/** Why a request target was rejected. */
export type PathError =
  | 'path-form' // not an absolute path, or a byte that is not allowed in one
  | 'path-escape' // a `%` that is not an escape, an escaped control byte, or overlong UTF-8
  | 'path-double-encoding' // `%252e%252e`: the upstream may decode once more than the gateway, and find what is refused below
  | 'path-dot-segment' // `..`, `%2e%2e`, `..;`: the upstream may resolve it to a path outside the rule
  | 'path-backslash' // `\` and `%5c`: a slash to some servers

/** RFC 3986 section 3.3 and 3.4, without `\`, `^`, backtick and other bytes that are never unescaped in a URI. */
const TARGET = /^\/[\x21\x22\x24-\x3e\x40-\x5b\x5d\x5f\x61-\x7e]*$/
const QUERY = /^[\x21\x22\x24-\x7e]*$/
const UNRESERVED = /[A-Za-z0-9._~-]/

/**
 * The first bytes of overlong UTF-8 (RFC 3629 section 3): lax decoders read `%C0%AE` as a dot, `%C0%AF` as a slash
 * (CVE-2000-0884, CVE-2008-2938).
 */
const OVERLONG = /%C[01]|%E0%[89]|%F0%8|%F8%8|%FC%8/

/**
 * Canonicalises an origin-form target (RFC 9112 section 3.2.1; RFC 3986 section 6.2.2).
 *
 * @returns the target, or the reason why it is rejected. Never throws.
 */
export function parseRequestTarget(target: string): RequestPath | PathError {
  const mark = target.indexOf('?')
  const rawPath = mark < 0 ? target : target.slice(0, mark)
  const query = mark < 0 ? '' : target.slice(mark)
  if (rawPath.includes('\\')) return 'path-backslash'
  if (!TARGET.test(rawPath) || !QUERY.test(query.slice(1))) return 'path-form'
  const decoded = decodeUnreserved(rawPath)
  if (decoded === null || OVERLONG.test(decoded)) return 'path-escape'
  const isEncodedTwice = ENCODED_TWICE.test(decoded)
  if (isEncodedTwice && hidesAnother(decoded)) return 'path-double-encoding'
  if (decoded.includes('%5C')) return 'path-backslash'
  const readings = readingsOf(decoded)
  const loose = new LoosePath(decoded)
  if (readings.some(hasDotSegment) || loose.hasDotSegment()) return 'path-dot-segment'
  return { path: decoded, query, readings, isEncodedTwice, loose }
}

const ENCODED_TWICE = /%25[0-9A-F]{2}/i

/** Nobody means more than a name that was encoded, in a name that was encoded. */
const MAX_DEPTH = 8

/**
 * Whether a path, decoded again and again, is one that is refused: whatever the rules say, dot segments, backslashes and control bytes
 * are not for servers to find (CVE-2021-42013).
 */
function hidesAnother(path: string): boolean {
  let deeper: string | null = path
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    deeper = decodeUnreserved(deeper.replace(/%25([0-9A-F]{2})/gi, '%$1'))
    if (deeper === null || OVERLONG.test(deeper) || deeper.includes('%5C')) return true
    if (readingsOf(deeper).some(hasDotSegment) || new LoosePath(deeper).hasDotSegment()) return true
    if (!ENCODED_TWICE.test(deeper)) return false
  }
  return true
}

/**
 * How servers may read a canonical path: literally, or with its escapes decoded (`%2F` as a slash, `%3A` as a colon; escapes of
 * characters that no pattern contains are kept); then with path parameters removed (Java servers read `/a;x=1/b` as `/a/b`); then
 * with repeated slashes merged.
 */
function readingsOf(path: string): readonly string[] {
  if (!/[%;]|\/\//.test(path)) return [path]
  const decoded = path.replace(/%([0-9A-F]{2})/g, (escape, hex: string) => {
    const char = String.fromCharCode(parseInt(hex, 16))
    return /[!"$&'()*+,/:;<=>@[\]^`{|}]/.test(char) ? char : escape
  })
  const cut = [path, decoded].flatMap((reading) => [reading, reading.replace(/;[^/]*/g, '')])
  return [...new Set(cut.flatMap((reading) => [reading, reading.replace(/\/{2,}/g, '/')]))]
}

/** Null for a `%` that does not begin an escape, and for an escaped control byte. */
function decodeUnreserved(path: string): string | null {
  if (!path.includes('%')) return path
  if (/%(?![0-9A-F]{2})|%[01][0-9A-F]|%7F/i.test(path)) return null
  return path.replace(/%([0-9A-F]{2})/gi, (escape, hex: string) => {
    const char = String.fromCharCode(parseInt(hex, 16))
    return UNRESERVED.test(char) ? char : escape.toUpperCase()
  })
}

/** `..;x` is a dot segment to servers that cut path parameters before they resolve dots (Tomcat, Spring). */
function hasDotSegment(path: string): boolean {
  return /\/\.\.?(;[^/]*|%3B[^/]*)?(\/|$)/.test(path)
}
