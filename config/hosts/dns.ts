import { isIP } from '#firewall/addresses/ip-version.js'
import type { Destination, DnsSettings } from '#firewall/contracts/policy.js'
import { matchHost } from '#firewall/names/host-pattern.js'
import { parseHostname } from '#firewall/names/hostname.js'
import type { IssueList } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import { DEFAULT_DNS, readNameLimits } from '../limits/limits.js'
import type { PolicyFile } from '../schema/policy.js'

export function readDns(file: PolicyFile['dns'], issues: IssueList): DnsSettings {
  const { rate } = file ?? {}
  return {
    nameLimits: readNameLimits(file, DEFAULT_DNS.nameLimits, ['dns'], issues),
    rate: rate === undefined ? DEFAULT_DNS.rate : { perSecond: rate.per_second, burst: rate.burst },
    hosts: readHosts(file?.hosts ?? {}, issues),
  }
}

function readHosts(file: Readonly<Record<string, string>>, issues: IssueList): DnsSettings['hosts'] {
  const hosts: Record<string, string> = {}
  for (const [name, address] of Object.entries(file)) {
    const path = ['dns', 'hosts', name]
    const host = parseHostname(name)
    if (host === null) {
      const fix = 'Write the exact name, without port or wildcard: `db.example: 10.0.0.5`'
      issues.add(path, { problem: `Invalid host name ${quote(name)}`, fix }, 'key')
    } else if (isIP(address) === 0 || address.includes('%')) {
      const fix = 'Write one IPv4 or IPv6 address; quote it if it begins with `:`'
      issues.add(path, { problem: `Invalid IP address ${quote(address)}`, fix })
    } else {
      hosts[host] = address
    }
  }
  return hosts
}

/** Threat: a name that is reached through the gateway, with an address of its own, would bypass the gateway. */
export function checkStaticHosts(
  hosts: DnsSettings['hosts'],
  destinations: readonly Destination[],
  issues: IssueList,
): void {
  for (const name of Object.keys(hosts)) {
    const rival = destinations.find(({ host }) => matchHost(host, name) !== null)
    if (rival === undefined) continue
    const problem = `${quote(name)} is reached through the gateway (${rival.id}), so \`dns.hosts\` cannot override its address`
    const fix = 'Remove it; to set the upstream address, use `upstream.hosts`'
    issues.add(['dns', 'hosts', name], { problem, fix }, 'key')
  }
}
