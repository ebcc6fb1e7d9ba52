import { isIP } from './ip-version.js'
import ipaddr from 'ipaddr.js'

/** Class of an upstream address. Only `public` may be dialled without permission in the policy. */
export type AddressClass = 'public' | 'private' | 'forbidden' | 'malformed'

/**
 * Cloud metadata and platform endpoints. They give credentials to any client, so no range allows them: AWS/GCP/Azure IMDS,
 * AWS IMDS over IPv6, ECS task credentials, Alibaba, Azure's wire server, Oracle.
 */
const METADATA = new Set([
  '169.254.169.254',
  'fd00:ec2::254',
  '169.254.170.2',
  '169.254.170.23',
  'fd00:ec2::23',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd20:ce::254',
])

/** Whether an address, as ipaddr.js prints it, is one of those. */
export function isMetadata(address: string): boolean {
  return METADATA.has(address)
}

/** Ranges of ipaddr.js that `allow_private_addresses: true` allows. */
const PRIVATE_RANGES = new Set(['private', 'loopback', 'uniqueLocal', 'carrierGradeNat'])

/** IANA has allocated only 2000::/3 for global unicast (RFC 4291 section 2.4). */
const GLOBAL_IPV6 = ipaddr.IPv6.parse('2000::')

/**
 * Classifies an address that a resolver returned. IPv4-mapped, NAT64, 6to4 and Teredo addresses are unwrapped and checked again,
 * because they lead to the IPv4 address inside. `net.isIP` comes first: ipaddr.js also accepts `0177.0.0.1`, `127.1`,
 * `2130706433` and zones.
 */
export function classifyAddress(text: string): AddressClass {
  if (isIP(text) === 0 || text.includes('%')) return 'malformed'
  const address = ipaddr.process(canonical(text))
  if (METADATA.has(address.toString())) return 'forbidden'
  const range: string = address.range()
  if (address.kind() === 'ipv6') {
    const inner = embeddedIPv4(address.toByteArray(), range)
    if (inner !== null) return classifyAddress(inner)
    if (PRIVATE_RANGES.has(range)) return 'private'
    const global = range === 'unicast' && (address as ipaddr.IPv6).match(GLOBAL_IPV6, 3)
    return global ? 'public' : 'forbidden'
  }
  if (PRIVATE_RANGES.has(range)) return 'private'
  return range === 'unicast' ? 'public' : 'forbidden'
}

/** IPv6 without dotted IPv4 at the end: ipaddr.js takes the IPv4-compatible `::8.8.8.8` for a mapped address. */
function canonical(text: string): string {
  return text.includes(':') ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text
}

/** The IPv4 address inside an IPv6 transition address (RFC 6052, 3056, 4380), as text. */
function embeddedIPv4(bytes: readonly number[], range: string): string | null {
  switch (range) {
    case 'rfc6052':
      // Only 64:ff9b::/96 has its address in the last four bytes; 64:ff9b:1::/48 (RFC 8215) is never dialled.
      return bytes.slice(4, 12).every((byte) => byte === 0) ? bytes.slice(12, 16).join('.') : null
    case '6to4':
      return bytes.slice(2, 6).join('.')
    case 'teredo':
      return bytes
        .slice(12, 16)
        .map((byte) => byte ^ 0xff)
        .join('.')
    default:
      return null
  }
}
