import { isIP } from 'node:net'
import { matchHost } from '#firewall/names/host-pattern.js'
import { parseHostname } from '#firewall/names/hostname.js'
import type { Destination, DnsSettings } from '#firewall/contracts/policy.js'
import type { IssueList } from './issue.js'
import { DEFAULT_DNS, readNameLimits } from './limits.js'
import type { PolicyFile } from './schema.js'
import { quote } from './redact-message.js'

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
      const fix = 'write the exact name, without port or wildcard: `db.example: 10.0.0.5`'
      issues.add(path, { problem: `${quote(name)} is not a host name`, fix }, 'key')
    } else if (isIP(address) === 0 || address.includes('%')) {
      const fix = 'write one IPv4 or IPv6 address, in quotes where it begins with `:`'
      issues.add(path, { problem: `${quote(address)} is not an address`, fix })
    } else {
      hosts[host] = address
    }
  }
  return hosts
}

/** A name that the gateway serves has the gateway's address: another one would lead around it. */
export function checkStaticHosts(
  hosts: DnsSettings['hosts'],
  destinations: readonly Destination[],
  issues: IssueList,
): void {
  for (const name of Object.keys(hosts)) {
    const rival = destinations.find(({ host }) => matchHost(host, name) !== null)
    if (rival === undefined) continue
    const problem = `${quote(name)} is reached through the gateway (${rival.id}), so it has the gateway's address`
    const fix = 'remove it; `upstream.hosts` says where the gateway itself finds a name'
    issues.add(['dns', 'hosts', name], { problem, fix }, 'key')
  }
}
