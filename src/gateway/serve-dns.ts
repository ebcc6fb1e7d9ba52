import type { Server as TcpServer } from 'node:net'
import type { Socket as UdpSocket } from 'node:dgram'
import { addressesOf, addressRecord } from '#dns/answer.js'
import type { AddressPlan, ResolverContext } from '#dns/flow.js'
import { QueryLimiter } from '#dns/query-limiter.js'
import { serveTcp } from '#dns/transport/tcp.js'
import { serveUdp } from '#dns/transport/udp.js'
import type { NamePolicy } from '#firewall/judge/name-policy.js'
import type { DnsSettings } from '#firewall/contracts/policy.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'

export interface DnsSockets {
  readonly dnsUdp: UdpSocket
  readonly dnsTcp: TcpServer
}

/** Where sandboxes find the gateway: all at the same place, or each at an IPv4 address in its own network. */
export type GatewayAddress =
  { readonly ipv4: string; readonly ipv6: string | null } | ((sandbox: SandboxRef) => string)

export interface DnsOptions extends Pick<ResolverContext, 'identify' | 'record' | 'fail'> {
  readonly namePolicy: NamePolicy
  readonly settings: DnsSettings
  /** The address that allowed names are answered with. */
  readonly address: GatewayAddress
}

export interface DnsService {
  /** Drops the queries that were counted for sandboxes that are gone; the budget of names is its maker's to keep. */
  prune(isActive: (sandbox: string) => boolean): void
  close(): void
}

/** The resolver on both transports. */
export function serveDns(
  sockets: DnsSockets,
  { namePolicy: names, settings: { rate, hosts }, address, ...given }: DnsOptions,
): DnsService {
  const limiter = new QueryLimiter(rate)
  const context: ResolverContext = {
    ...given,
    namePolicy: names,
    limiter,
    addressOf: planOf(address),
    hosts: new Map(Object.entries(hosts).map(([name, text]) => [name, addressesOf(text)])),
    now: Date.now,
  }
  const udp = serveUdp(sockets.dnsUdp, context)
  const tcp = serveTcp(sockets.dnsTcp, context)
  return {
    prune(isActive) {
      // All unknown clients together are the sandbox without a name.
      limiter.prune((sandbox) => sandbox === '' || isActive(sandbox))
    },
    close() {
      udp.close()
      tcp.close()
    },
  }
}

function planOf(address: GatewayAddress): AddressPlan {
  if (typeof address === 'function')
    return (sandbox) => ({ ipv4: addressRecord(address(sandbox)), ipv6: null })
  const { ipv4, ipv6 } = address
  const plan = { ipv4: addressRecord(ipv4), ipv6: ipv6 === null ? null : addressRecord(ipv6) }
  return () => plan
}
