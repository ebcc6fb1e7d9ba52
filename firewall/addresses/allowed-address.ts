import { isIP } from './ip-version.js'
import ipaddr from 'ipaddr.js'
import type { Destination } from '../contracts/policy.js'
import { classifyAddress, isMetadata, type AddressClass } from './address.js'
import { isWithin, parseRange } from './choose-proxy.js'

type Permissions = Pick<Destination, 'allowPrivateAddresses' | 'addresses'>

/**
 * Why an upstream may not be dialled at an address; null if it may. `addresses` of the policy permits what is in one of its
 * ranges, whatever the range is for, but no endpoint of cloud metadata that lies in one by chance: that has to be listed alone.
 *
 * @param kind of the address, where it is known already
 */
export function addressError(
  address: string,
  { allowPrivateAddresses, addresses = [] }: Permissions,
  kind: AddressClass = classifyAddress(address),
): string | null {
  if (kind === 'public' || (kind === 'private' && allowPrivateAddresses)) return null
  if (kind !== 'malformed' && addresses.some((range) => isListed(address, range))) return null
  return `the address ${address} is ${kind}`
}

function isListed(text: string, listed: string): boolean {
  const range = parseRange(listed)
  if (range === null || isIP(text) === 0) return false
  const address = ipaddr.process(text)
  const [base, bits] = range
  const isExact = bits === (base.kind() === 'ipv4' ? 32 : 128)
  return isWithin(address, range) && (isExact || !isMetadata(address.toString()))
}
