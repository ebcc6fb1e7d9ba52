/** RFC 1035 section 2.3.4. */
export const MAX_LABEL = 63
/** RFC 1035 section 2.3.4: 255 bytes on the wire are 253 characters of text. */
export const MAX_NAME = 253

const LABEL = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'

/** Matched before lower-casing, which turns some letters into ASCII: `\u212a` (KELVIN SIGN) becomes `k`. */
const NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*\\.?$`)

/** `127.1`, `0x7f.1` and `2130706433` are addresses to inet_aton(3), so a last label of digits or hex is never a host name. */
const ADDRESS = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/

/**
 * A host name in canonical form: lower case, A-labels, no trailing dot. Only canonical names are compared.
 *
 * @returns null for anything else: an address (in any notation that some resolver accepts), an empty or over-long label, a byte
 *   outside `[a-z0-9_-]`.
 */
export function parseHostname(text: string): string | null {
  if (text.length > MAX_NAME + 1 || !NAME.test(text)) return null
  const lower = text.toLowerCase()
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower
  return name.length > MAX_NAME || ADDRESS.test(name) ? null : name
}

/** The host and port of an authority. */
export interface Authority {
  readonly host: string
  /** Null if the authority has no port. */
  readonly port: number | null
}

/**
 * Parses `host[:port]` (RFC 9110 section 7.2; RFC 3986 section 3.2 without userinfo and without addresses).
 *
 * @returns null for userinfo, addresses, empty ports, ports outside 1 to 65535.
 */
export function parseAuthority(text: string): Authority | null {
  const colon = text.indexOf(':')
  const host = parseHostname(colon < 0 ? text : text.slice(0, colon))
  if (host === null) return null
  if (colon < 0) return { host, port: null }
  const digits = text.slice(colon + 1)
  if (!/^[1-9]\d{0,4}$/.test(digits)) return null
  const port = Number(digits)
  return port > 65_535 ? null : { host, port }
}
