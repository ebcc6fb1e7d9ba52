import { isIP } from 'node:net'
import { classifyAddress } from '#firewall/addresses/address.js'
import { matchHost } from '#firewall/names/host-pattern.js'
import { parseHostname } from '#firewall/names/hostname.js'
import type { Destination, UpstreamNames } from '#firewall/contracts/policy.js'
import type { IssueList, Path } from './issue.js'
import type { PolicyFile } from './schema.js'
import { quote } from './redact-message.js'

interface Endpoint {
  readonly address: string
  readonly port: number | null
}

/**
 * @param endpoints hosts that the gateway itself asks, for the sake of a credential, with whether they may be private
 * @param complete false when parts of the policy are missing for faults of their own, so that a name without a
 *   destination says nothing
 */
export function readUpstream(
  file: PolicyFile['upstream'],
  destinations: readonly Destination[],
  endpoints: ReadonlyMap<string, boolean>,
  complete: boolean,
  issues: IssueList,
): UpstreamNames {
  const hosts: Record<string, Endpoint> = {}
  for (const [name, text] of Object.entries(file?.hosts ?? {})) {
    const path: Path = ['upstream', 'hosts', name]
    const host = parseHostname(name)
    const endpoint = readEndpoint(text, path, issues)
    if (host === null) {
      const fix = 'write the exact name, without port or wildcard: `api.example.com: 127.0.0.1:8443`'
      issues.add(path, { problem: `${quote(name)} is not a host name`, fix }, 'key')
      continue
    }
    const matching = destinations.filter((destination) => matchHost(destination.host, host) !== null)
    if (matching.length === 0 && !endpoints.has(host) && complete) {
      const fix = `remove it, or list ${quote(host)} under \`services\` or \`allow\``
      issues.add(path, { problem: `nothing in the policy may reach ${quote(host)}`, fix }, 'key')
    }
    if (endpoint === null) continue
    const mayBePrivate =
      endpoints.get(host) ?? matching.some(({ allowPrivateAddresses: allowPrivate }) => allowPrivate)
    if (matching.length > 0) checkReachable(endpoint, matching, mayBePrivate, path, issues)
    hosts[host] = endpoint
  }
  const servers = file?.servers ?? []
  for (const [index, server] of servers.entries())
    readEndpoint(server, ['upstream', 'servers', index], issues)
  return { hosts, servers }
}

/** A fixed address is checked like any other that a name resolves to, so it has to pass here already. */
function checkReachable(
  { address }: Endpoint,
  matching: readonly Destination[],
  mayBePrivate: boolean,
  path: Path,
  issues: IssueList,
): void {
  const kind = classifyAddress(address)
  if (kind === 'forbidden') {
    issues.add(path, {
      problem: `the address ${quote(address)} is never dialled`,
      fix: 'write the public address of the upstream, or a private one together with `private: true`',
    })
  } else if (kind === 'private' && !mayBePrivate) {
    issues.add(path, {
      problem: `the address ${quote(address)} is private, and ${matching[0]?.id ?? ''} may reach public ones only`,
      fix: `write \`private: true\` there, or a public address here`,
    })
  }
}

function readEndpoint(text: string, path: Path, issues: IssueList): Endpoint | null {
  const endpoint = parseEndpoint(text)
  if (endpoint === null) {
    issues.add(path, {
      problem: `${quote(text)} is not an IP address with an optional port`,
      fix: 'write `127.0.0.1`, `127.0.0.1:8443` or `[::1]:8443`, in quotes where it begins with `[`',
    })
  }
  return endpoint
}

/** `127.0.0.1`, `127.0.0.1:8443`, `::1`, `[::1]`, `[::1]:8443`. */
function parseEndpoint(text: string): Endpoint | null {
  if (isIP(text) !== 0) return text.includes('%') ? null : { address: text, port: null }
  const match = /^(?:\[([^\]%]+)\]|([^:]+))(?::([1-9]\d{0,4}))?$/.exec(text)
  const [, six, four, digits] = match ?? []
  const valid = six === undefined ? isIP(four ?? '') === 4 : isIP(six) === 6
  const port = digits === undefined ? null : Number(digits)
  if (!valid || (port ?? 0) > 65_535) return null
  return { address: six ?? four ?? '', port }
}
