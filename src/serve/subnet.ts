import { isIPv4 } from 'node:net'

/** An IPv4 network. */
export interface Subnet {
  /** The network's own address, as a number. */
  readonly base: number
  readonly bits: number
}

/** Offsets of the addresses in a sandbox network from its base address. The engine reserves the first one. */
export const HOSTS = { engine: 1, dns: 2, proxy: 3, sandbox: 4 } as const

/** `10.231.0.8/29`; null unless it is a network's own address with room for the four hosts. */
export function parseSubnet(text: string): Subnet | null {
  const [, address = '', length = ''] = /^([0-9.]{7,15})\/(\d{1,2})$/.exec(text) ?? []
  const number = addressNumber(address)
  const bits = Number(length)
  if (number === null || bits < 8 || bits > 29) return null
  return baseOf(number, bits) === number ? { base: number, bits } : null
}

/** Null unless the text is an IPv4 address in dotted form. */
export function addressNumber(address: string): number | null {
  if (!isIPv4(address)) return null
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

/** The address of the network of this size that holds the address. */
export function baseOf(address: number, bits: number): number {
  return address - (address % 2 ** (32 - bits))
}

export function addressText(number: number): string {
  return [24, 16, 8, 0].map((shift) => String(Math.floor(number / 2 ** shift) % 256)).join('.')
}

export const subnetText = ({ base, bits }: Subnet): string => `${addressText(base)}/${String(bits)}`

export function hostIn(subnet: Subnet, host: keyof typeof HOSTS): string {
  return addressText(subnet.base + HOSTS[host])
}
