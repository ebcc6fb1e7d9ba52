import { type Addresses, recordOf } from './answer.js'

/** A name that needs no policy. */
export type LocalName =
  /** Exists, with loopback addresses or without any; `rule` names the standard. */
  | { readonly kind: 'exists'; readonly addresses: Addresses; readonly rule: string }
  /** A well-formed reverse name; the gateway has no reverse records. */
  | { readonly kind: 'reverse' }

const REVERSE = /^(?:(?:\d{1,3}\.){1,4}in-addr|(?:[0-9a-f]\.){1,32}ip6)\.arpa$/

const NONE: Addresses = { ipv4: null, ipv6: null }
/** By their bytes: the expression that tells IPv6 addresses costs a start 5 ms. */
const LOOPBACK: Addresses = {
  ipv4: recordOf('127.0.0.1', [127, 0, 0, 1]),
  ipv6: recordOf('::1', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
}

/**
 * Names that work without the policy. Programs look up `localhost` and reverse names on their own; an `ip6.arpa` name has 72
 * characters, and would otherwise be logged as suspicious.
 *
 * @returns null for every other name, including the other special-use names (RFC 6761): those exist only if the policy
 *   lists them.
 */
export function localName(name: string): LocalName | null {
  // NXDOMAIN for the root would mean that no name exists at all (RFC 8020).
  if (name === '') return { kind: 'exists', addresses: NONE, rule: 'RFC 8020 section 2' }
  if (name === 'localhost' || name.endsWith('.localhost')) {
    return { kind: 'exists', addresses: LOOPBACK, rule: 'RFC 6761 section 6.3' }
  }
  return name.endsWith('.arpa') && REVERSE.test(name) ? { kind: 'reverse' } : null
}
