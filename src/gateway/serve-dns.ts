import type { Server as TcpServer } from 'node:net'
import type { Socket as UdpSocket } from 'node:dgram'
import { addressRecord } from '#dns/answer.js'
import type { AddressPlan, ResolverContext } from '#dns/flow.js'
import type { QueryLimiter } from '#firewall/ledger/query-limiter.js'
import { serveTcp } from '#dns/transport/tcp.js'
import { serveUdp } from '#dns/transport/udp.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'

export interface DnsSockets {
  readonly dnsUdp: UdpSocket
  readonly dnsTcp: TcpServer
}

/** The gateway's address: one for all sandboxes, or an IPv4 address in the network of each. */
export type GatewayAddress =
  { readonly ipv4: string; readonly ipv6: string | null } | ((sandbox: SandboxRef) => string)

export interface DnsOptions extends Pick<ResolverContext, 'identify' | 'snapshot' | 'record' | 'fail'> {
  readonly queries: QueryLimiter
  /** The address in answers to allowed names. */
  readonly address: GatewayAddress
}

export interface DnsService {
  close(): void
}

/** Serves DNS over UDP and TCP. */
export function serveDns(sockets: DnsSockets, { queries, address, ...given }: DnsOptions): DnsService {
  const context: ResolverContext = {
    ...given,
    limiter: queries,
    addressOf: planOf(address),
    now: Date.now,
  }
  const udp = serveUdp(sockets.dnsUdp, context)
  const tcp = serveTcp(sockets.dnsTcp, context)
  return {
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
