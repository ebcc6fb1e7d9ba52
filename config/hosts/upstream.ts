import { isIP } from '#firewall/addresses/ip-version.js'
import { addressError } from '#firewall/addresses/allowed-address.js'
import { classifyAddress } from '#firewall/addresses/address.js'
import { matchHost } from '#firewall/names/host-pattern.js'
import { parseHostname } from '#firewall/names/hostname.js'
import type { Destination, UpstreamNames } from '#firewall/contracts/policy.js'
import type { IssueList, Path } from '../issues/issue.js'
import type { PolicyFile } from '../schema/policy.js'
import type { BuiltService } from '../services/services.js'
import { quote } from '../issues/quote.js'

interface Endpoint {
  readonly address: string
  readonly port: number | null
}

/**
 * @param endpoints hosts that the gateway requests tokens from, with whether they may have private addresses
 * @param complete false if parts of the policy were left out because of their own errors: a name without a destination is
 *   then not an error
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
      const fix = 'Write the exact name, without port or wildcard: `api.example.com: 127.0.0.1:8443`'
      issues.add(path, { problem: `Invalid host name ${quote(name)}`, fix }, 'key')
      continue
    }
    const matching = destinations.filter((destination) => matchHost(destination.host, host) !== null)
    if (matching.length === 0 && !endpoints.has(host) && complete) {
      const fix = `Remove it, or list ${quote(host)} under \`services\` or \`allow\``
      issues.add(path, { problem: `Nothing in the policy uses ${quote(host)}`, fix }, 'key')
    }
    if (endpoint === null) continue
    const mayBePrivate =
      endpoints.get(host) ?? matching.some(({ allowPrivateAddresses }) => allowPrivateAddresses)
    if (matching.length > 0) checkReachable(endpoint, matching, mayBePrivate, path, issues)
    hosts[host] = endpoint
  }
  const servers = file?.servers ?? []
  for (const [index, server] of servers.entries())
    readEndpoint(server, ['upstream', 'servers', index], issues)
  return { hosts, servers }
}

/** Hosts that credentials get their tokens from, with whether their service may have private addresses. */
export function endpointsOf(built: readonly BuiltService[]): ReadonlyMap<string, boolean> {
  return new Map(
    built.flatMap(({ service, destinations }) =>
      (service.credential?.endpoints ?? []).map(({ host }) => [
        host,
        destinations.some(({ allowPrivateAddresses }) => allowPrivateAddresses),
      ]),
    ),
  )
}

/** Every address that a name resolves to is checked again when it is dialled; a fixed one can be checked now. */
function checkReachable(
  { address }: Endpoint,
  matching: readonly Destination[],
  mayBePrivate: boolean,
  path: Path,
  issues: IssueList,
): void {
  const kind = classifyAddress(address)
  const place = matching[0]?.id ?? ''
  if (matching.some((destination) => addressError(address, destination) === null)) return
  if (kind === 'forbidden') {
    issues.add(path, {
      problem: `${quote(address)} is in a range that is not allowed for upstreams`,
      fix: `Use the public address of the upstream, or list the range in \`addresses\` of ${place}`,
    })
  } else if (kind === 'private' && !mayBePrivate) {
    issues.add(path, {
      problem: `${quote(address)} is a private address, and ${place} allows only public ones`,
      fix: `Add \`allow_private_addresses: true\` to ${place}, or use a public address`,
    })
  }
}

function readEndpoint(text: string, path: Path, issues: IssueList): Endpoint | null {
  const endpoint = parseEndpoint(text)
  if (endpoint === null) {
    issues.add(path, {
      problem: `Invalid address ${quote(text)}: expected an IP address with an optional port`,
      fix: 'Write `127.0.0.1`, `127.0.0.1:8443` or `[::1]:8443`; quote it if it begins with `[`',
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
