import ipaddr from 'ipaddr.js'
import { isIP } from './ip-version.js'
import type { Origin } from '../contracts/origin.js'
import type { UpstreamProxies, UpstreamProxy } from '../contracts/upstream-proxy.js'

/**
 * The proxy for an upstream; null to dial it.
 *
 * @param fixed the address that the policy gives the name, if it does
 */
export function chooseProxy(
  proxies: UpstreamProxies | null,
  { scheme, host, port }: Origin,
  fixed: string | null,
): UpstreamProxy | null {
  const proxy = proxies?.[scheme] ?? null
  if (proxies === null || proxy === null) return null
  const isDirect = [host, fixed].some(
    (name) => name !== null && proxies.noProxy.some((entry) => matchesNoProxy(entry, name, port)),
  )
  return isDirect ? null : proxy
}

/**
 * Entries of `no_proxy` as curl reads them: `*` for all; `corp.example` and `.corp.example` for the name and all below it;
 * `10.0.0.0/8` for addresses; each but a range with an optional port, which Go and Python have too.
 */
export function matchesNoProxy(entry: string, host: string, port: number): boolean {
  const text = entry.trim().toLowerCase()
  if (text === '') return false
  if (text === '*') return true
  const address = plainAddress(host)
  const range = parseRange(text)
  if (range !== null) return address !== null && isWithin(address, range)
  const [, name = '', digits] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? []
  if (digits !== undefined && Number(digits) !== port) return false
  const bare = name.replace(/^\[|\]$/g, '')
  if (isIP(bare) !== 0) return address !== null && plainAddress(bare)?.toString() === address.toString()
  const suffix = bare.replace(/^\*?\./, '').replace(/\.$/, '')
  return suffix !== '' && address === null && (host === suffix || host.endsWith(`.${suffix}`))
}

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** An address or a range of them; null for anything else. */
export function parseRange(text: string): readonly [Address, number] | null {
  const [, base = '', digits] = /^\[?([0-9a-f.:]+)\]?(?:\/(\d{1,3}))?$/i.exec(text) ?? []
  const family = isIP(base)
  if (family === 0) return null
  const width = family === 4 ? 32 : 128
  const bits = digits === undefined ? width : Number(digits)
  return bits > width ? null : [ipaddr.parse(base), bits]
}

/** Whether an address is in a range of its family. */
export function isWithin(address: Address, [base, bits]: readonly [Address, number]): boolean {
  return address.kind() === base.kind() && address.match(base, bits)
}

/** An IPv4-mapped address is the IPv4 address in it. */
function plainAddress(text: string): Address | null {
  return isIP(text) === 0 || text.includes('%') ? null : ipaddr.process(text)
}
