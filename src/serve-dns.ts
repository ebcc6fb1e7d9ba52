import type { Server as TcpServer } from 'node:net'
import type { Socket as UdpSocket } from 'node:dgram'
import { addressesOf, addressRecord } from '#dns/answer.js'
import type { AddressPlan, ResolverContext } from '#dns/flow.js'
import { QueryLimiter } from '#dns/query-limiter.js'
import { serveTcp } from '#dns/tcp.js'
import { serveUdp } from '#dns/udp.js'
import type { NameGate } from '#firewall/name-admission.js'
import type { DnsSettings, SandboxIdentity } from '#firewall/policy.js'

export interface DnsSockets {
  readonly dnsUdp: UdpSocket
  readonly dnsTcp: TcpServer
}

/** Where sandboxes find the gate: all at the same place, or each at an IPv4 address in its own network. */
export type GateAddress =
  { readonly ipv4: string; readonly ipv6: string | null } | ((sandbox: SandboxIdentity) => string)

export interface DnsOptions extends Pick<ResolverContext, 'identify' | 'record' | 'fail'> {
  readonly names: NameGate
  readonly settings: DnsSettings
  /** The address that allowed names are answered with. */
  readonly address: GateAddress
}

export interface DnsService {
  /** Drops the queries that were counted for sandboxes that are gone; the budget of names is its maker's to keep. */
  keepOnly(isThere: (sandbox: string) => boolean): void
  close(): void
}

/** The resolver on both transports. */
export function serveDns(
  sockets: DnsSockets,
  { names, settings: { rate, hosts }, address, ...given }: DnsOptions,
): DnsService {
  const limiter = new QueryLimiter(rate)
  const context: ResolverContext = {
    ...given,
    gate: names,
    limiter,
    addressOf: planOf(address),
    hosts: new Map(Object.entries(hosts).map(([name, text]) => [name, addressesOf(text)])),
    now: Date.now,
  }
  const udp = serveUdp(sockets.dnsUdp, context)
  const tcp = serveTcp(sockets.dnsTcp, context)
  return {
    keepOnly(isThere) {
      // All strangers together are the sandbox without a name.
      limiter.keepOnly((sandbox) => sandbox === '' || isThere(sandbox))
    },
    close() {
      udp.close()
      tcp.close()
    },
  }
}

function planOf(address: GateAddress): AddressPlan {
  if (typeof address === 'function')
    return (sandbox) => ({ ipv4: addressRecord(address(sandbox)), ipv6: null })
  const { ipv4, ipv6 } = address
  const plan = { ipv4: addressRecord(ipv4), ipv6: ipv6 === null ? null : addressRecord(ipv6) }
  return () => plan
}
