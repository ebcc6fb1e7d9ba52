import { isIPv4, isIPv6 } from 'node:net'

/** 4 or 6 for an address, 0 for anything else: as `isIP` of Node, which first makes an expression for IPv6 that costs 5 ms. */
export function isIP(text: string): 0 | 4 | 6 {
  if (text.includes(':')) return isIPv6(text) ? 6 : 0
  return isIPv4(text) ? 4 : 0
}
